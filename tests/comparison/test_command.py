"""`graphattn compare`: options, the table, the verdict and errors in words."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from graphattn.cli import app
from graphattn.comparison import command
from graphattn.comparison.experiment import ComparisonResult, compare
from graphattn.comparison.fits import fitting
from graphattn.comparison.fits.running import FitRunner
from graphattn.comparison.settings import Settings
from tests.comparison.made_records import failed, made, record


@pytest.fixture
def works(monkeypatch):
    """Fits that were done, each with a score by its name."""
    done = []

    def work(bench, order):
        done.append((order, bench))
        record = fitting.started(bench.problem, order, bench.settings)
        if order.fit.name == "gcn on full":
            return replace(record, reason="it diverged")
        score = 0.5 + 0.01 * order.fit.split + 0.02 * (order.fit.layer == "attention")
        return replace(
            record, status="ok", score=score, validation=score, seconds=1.0, seconds_per_epoch=0.25, parameters=99
        )

    monkeypatch.setattr(FitRunner, "work", work)
    # In this process, where fits can be watched.
    monkeypatch.setattr(command, "compare", lambda *given, jobs, **more: compare(*given, jobs=0, **more))
    return done


def asked(*options):
    return CliRunner().invoke(app, ["compare", *options])


def test_the_table_the_verdict_and_the_files_are_told(works, tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    options = ("--layers", "attention, gcn,mlp", "--topologies", "edges,full", "--repeats", "2", "--count", "60")
    result = asked("sparse_and", *options, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    names = {order.fit.name for order, _ in works if order.fit.role == "model"}
    assert names == {"attention on edges", "attention on full", "gcn on edges", "gcn on full", "mlp on none"}
    (bench,) = {id(bench): bench for _, bench in works}.values()
    assert len(bench.problem.graphs) == 60
    for words in (
        "sparse_and: ROC-AUC",
        "0 of 2  failed",
        "failed: gcn on full: it diverged",
        "Attention on",
        "report.html",
    ):
        assert words in result.stdout
    assert "results.csv" in result.stdout
    assert "of 22: attention on edges, part 1: ROC-AUC 0.520" in result.stderr
    assert (tmp_path / "report.html").exists()


def test_options_are_settings(works, tmp_path):
    options = [
        "--layers",
        "gcn",
        "--topologies",
        "edges",
        "--repeats",
        "2",
        "--seeds",
        "2",
        "--epochs",
        "7",
        "--seed",
        "5",
        "--rope",
        "0.02",
    ]
    result = asked("motif", *options, "--count", "40", "--split", "random", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    settings = works[0][1].settings
    assert (settings.repeats, settings.seeds, settings.epochs, settings.seed) == (2, 2, 7, 5)
    assert (settings.split, settings.trials, settings.rope) == ("random", 0, 0.02)


def test_a_quick_run_is_small_and_says_so(works, tmp_path):
    result = asked("distant", "--layers", "gcn", "--topologies", "edges", "--quick", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    bench = works[0][1]
    assert (bench.settings.repeats, bench.settings.epochs, len(bench.problem.graphs)) == (3, 12, 600)
    assert "A quick run" in result.stdout
    assert "A quick run: few graphs" in (tmp_path / "report.html").read_text()


def test_where_every_fit_failed_no_file_is_promised(works, tmp_path, monkeypatch):
    def fails(bench, order):
        return replace(fitting.started(bench.problem, order, bench.settings), reason="it diverged")

    monkeypatch.setattr(FitRunner, "work", fails)
    result = asked("motif", "--layers", "gcn", "--topologies", "edges", "--count", "60", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "No fit has a score: there is no report." in result.stdout
    assert "failed: gcn on edges: it diverged" in result.stdout
    assert "report.html" not in result.stdout
    assert "results.csv" in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["no_such_data"], "no_such_data"),
        (["sparse_and", "--layers", "gtn"], "got gtn"),
        (["sparse_and", "--topologies", "ring"], "got ring"),
        (["sparse_and", "--repeats", "0"], "expected repeats of 1 or more, got 0"),
        (["sparse_and", "--count", "4"], "leaves the class"),
        (["sparse_and", "--split", "scaffold"], "expected molecules for the split 'scaffold'"),
    ],
)
def test_errors_are_one_line(works, tmp_path, options, words):
    result = asked(*options, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert works == []


def test_ctrl_c_says_how_to_go_on(works, tmp_path, monkeypatch):
    def pressed(bench, order):
        raise KeyboardInterrupt

    monkeypatch.setattr(FitRunner, "work", pressed)
    result = asked("sparse_and", "--layers", "gcn", "--count", "60", "--out", str(tmp_path))
    assert result.exit_code == 130
    assert f"Stopped. What is finished is in {tmp_path}; the same command goes on from there." in result.stdout


def test_names_stand_between_commas():
    assert command.names(" attention,,edges+hub ") == ["attention", "edges+hub"]


def test_the_table_has_a_row_for_what_failed(works):
    settings = Settings(repeats=2, width=8, hidden=8, depth=1)
    found = compare("sparse_and", ["gcn"], ["edges", "full"], settings=settings, console=Console(file=io.StringIO()))
    lines = [line.split() for line in printed(found, 170) if line.startswith("gcn on")]
    assert lines[0][:-7] == ["gcn", "on", "edges", "2"]
    assert lines[2][:-7] == ["gcn", "on", "edges,", "labels", "permuted", "2"]
    assert lines[1] == ["gcn", "on", "full", "0", "of", "2", "failed"]
    assert lines[0][-5] == "99"


def printed(found, width):
    shown = Console(file=io.StringIO(), width=width)
    shown.print(command.table(found))
    return shown.file.getvalue().splitlines()


@pytest.mark.parametrize("measure", ["ROC-AUC", "accuracy", "R2"])
def test_the_table_fits_80_columns_and_cuts_nothing(measure):
    figures = {
        "parameters": 22_918,
        "flops": 9.8e8,
        "seconds_per_epoch": 123.45,
        "graphs_per_second": 2.7e6,
        "peak_mib": 12_345,
    }
    common, lowest = {"measure": measure, "problem": "bbb"}, -9.876 if measure == "R2" else 0.1
    records = [replace(each, measure=measure) for each in made(splits=4)]
    records += [
        record("edge_attention", "edges+hub", split, lowest + split / 10, **common, **figures) for split in range(4)
    ]
    records.append(failed("edge_attention", "edges+hub", 5, "diverged", **common))
    narrow, wide = (printed(ComparisonResult(records, Settings()), width) for width in (80, 170))
    assert max(map(len, narrow)) <= 80
    assert not any("…" in line for line in narrow)
    # Names take several lines, everything else stands in the narrow table as in the wide one.
    assert sorted(" ".join(narrow[2:]).replace("─", "").split()) == sorted(" ".join(wide[2:]).replace("─", "").split())
    assert "4 of 5" in " ".join(narrow)
