"""The whole: what is asked for is fitted once, kept, and told; killed and stopped runs go on."""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from rich.console import Console
from torch_geometric.data import Data

from graphattn.comparison.experiment import compare
from graphattn.comparison.fits import fitting
from graphattn.comparison.fits.running import FitRunner
from graphattn.comparison.plan import plan
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.settings import Settings
from graphattn.data.splits import Split

SETTINGS = Settings(repeats=2, epochs=1, width=8, hidden=8, depth=1, heads=2, trees=5)
LAYERS, TOPOLOGIES = ["attention", "gcn", "mlp"], ["edges", "full"]
PAIR = torch.tensor([[0, 1], [1, 0]])


def problem(count=40, **more):
    generator = torch.Generator().manual_seed(0)
    graphs = [
        Data(x=torch.randn(2, 3, generator=generator) + k % 2, edge_index=PAIR, y=torch.tensor([k % 2]))
        for k in range(count)
    ]
    return Problem("made", graphs, "binary", ("no", "yes"), **more)


def quiet():
    return Console(file=io.StringIO(), width=150)


@pytest.fixture
def works(monkeypatch):
    """Fits that were done, each with a score by its seed and name."""
    done = []

    def work(bench, order):
        done.append(order.fit)
        record = fitting.started(bench.problem, order, bench.settings)
        score = 0.5 + 0.01 * order.fit.split + 0.02 * (order.fit.layer == "attention") + 0.001 * len(order.fit.name)
        return replace(
            record, status="ok", score=score, validation=score, epochs=1, kept=1, seconds=1.0, seconds_per_epoch=1.0
        )

    monkeypatch.setattr(FitRunner, "work", work)
    return done


def run(out=None, settings=SETTINGS, data=None, console=None, **more):
    layers = more.pop("layers", LAYERS)
    given = problem() if data is None else data
    return compare(given, layers, TOPOLOGIES, settings=settings, out=out, console=console or quiet(), **more)


def test_every_layer_on_every_graph_on_the_same_parts_beside_baselines_and_controls(works):
    found = run()
    names = [record.fit.name for record in found.records]
    models = ["attention on edges", "attention on full", "gcn on edges", "gcn on full", "mlp on none"]
    controls = [f"{name}, labels permuted" for name in ("attention on edges", "gcn on edges", "mlp on none")]
    assert names == ["majority", "logistic regression", "SVC", *models, *controls] * 2
    for split in (0, 1):
        same = [record.fit for record in found.records if record.fit.split == split]
        assert len({(fit.split_hash, fit.data_hash, fit.seed, json.dumps(fit.settings)) for fit in same}) == 1
    assert len({record.fit.split_hash for record in found.records}) == 2
    assert len({record.fit.seed for record in found.records}) == 2
    assert {(record.train_size, record.test_size) for record in found.records} == {(32, 4)}


def test_sizes_agree_within_five_per_cent():
    planned = plan(problem(), LAYERS, TOPOLOGIES, SETTINGS)
    counts = {
        order.fit.name: sum(
            weight.numel() for weight in fitting.network(problem(), order.configuration, order.size, 0).parameters()
        )
        for order in planned.orders
        if order.fit.role == "model"
    }
    reference = counts["attention on edges"]
    assert all(abs(count - reference) <= 0.05 * reference for count in counts.values())


def test_controls_and_seeds_can_be_chosen(works):
    run(settings=replace(SETTINGS, controls=False, seeds=2))
    assert {fit.role for fit in works} == {"model", "baseline"}
    seeds = [(fit.split, fit.seed) for fit in works if fit.name == "gcn on edges"]
    assert seeds == [(0, 0), (0, 1), (1, 2), (1, 3)]
    assert [(fit.split, fit.seed) for fit in works if fit.name == "majority"] == [(0, 0), (1, 2)]


def test_given_parts_are_repeated_by_seeds(works):
    split = Split(np.arange(20), np.arange(20, 30), np.arange(30, 40))
    run(data=problem(splits=[split]))
    assert [(fit.split, fit.seed) for fit in works if fit.name == "gcn on edges"] == [(0, 0), (0, 1)]
    assert [(fit.split, fit.seed) for fit in works if fit.name == "majority"] == [(0, 0), (0, 1)]


def test_everything_is_in_files(works, tmp_path):
    shown = quiet()
    found = run(tmp_path / "out", console=shown)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "log.txt",
        "report.html",
        "results.csv",
        "results.jsonl",
        "running.lock",
        "verdict.txt",
    ]
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert len(table) == len(found.records) == len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 22
    assert table["score"].tolist() == pytest.approx([record.score for record in found.records])
    assert table[["run_split_rule", "run_repeats", "run_seed"]].iloc[0].tolist() == ["stratified", 2, 0]
    assert (tmp_path / "out" / "verdict.txt").read_text() == found.verdict() + "\n"
    assert "ttention on" in found.verdict()
    log = [line.split(" ", 1)[1] for line in (tmp_path / "out" / "log.txt").read_text().splitlines()]
    assert log == shown.file.getvalue().splitlines()
    assert any(line.startswith("Labels permuted in all parts: written down before any fit") for line in log[:5])
    assert "22 of 22" in log[-1]
    assert "<html" in (tmp_path / "out" / "report.html").read_text()


def test_the_report_names_molecules_and_classes_that_are_always_wrong(tmp_path, monkeypatch):
    def work(bench, order):
        rows = order.split.test.tolist()
        record = fitting.started(bench.problem, order, bench.settings)
        true = bench.problem.labels()[rows]
        predictions = {"row": rows, "true": true.tolist(), "predicted": [1.0] * len(rows)}
        return replace(record, status="ok", score=0.5, validation=0.5, predictions=predictions)

    monkeypatch.setattr(FitRunner, "work", work)
    smiles = [f"<b>{'C' * (k + 1)}</b>" for k in range(40)]
    # No baselines of SMILES, which these are not.
    monkeypatch.setattr("graphattn.comparison.plan.baselines", lambda problem: ["majority"])
    named = replace(problem(), smiles=smiles, classes=("<i>no", "yes"))
    found = run(tmp_path / "out", replace(SETTINGS, split="stratified"), named)
    assert (found.row_names, found.classes) == (smiles, ("<i>no", "yes"))
    page = (tmp_path / "out" / "report.html").read_text()
    labels = named.labels()
    wrong = [row for record in found.records for row in record.predictions["row"] if labels[row] == 0]
    assert wrong
    assert all(f">&lt;b&gt;{'C' * (row + 1)}&lt;/b&gt;</th>" in page for row in wrong)
    assert ">&lt;i&gt;no</td>" in page
    assert "<i>no" not in page


def test_what_is_finished_is_not_repeated_and_more_is_added(works, tmp_path):
    first = run(tmp_path)
    assert len(works) == 22
    shown = quiet()
    again = run(tmp_path, console=shown)
    assert len(works) == 22
    assert [record.score for record in again.records] == [record.score for record in first.records]
    assert "22 of 22 fits are known" in shown.file.getvalue()
    run(tmp_path, settings=replace(SETTINGS, repeats=3, rope=0.1))
    assert [fit.split for fit in works[22:]] == [2] * 11
    run(tmp_path, layers=[*LAYERS, "gin"])
    assert {fit.layer for fit in works[33:]} == {"gin"}
    before = len(works)
    for changed in (replace(SETTINGS, epochs=2), replace(SETTINGS, seed=1)):
        run(tmp_path, settings=changed)
        assert len(works) == (before := before + 22)
    run(tmp_path, data=problem(42))
    assert len(works) == before + 22


def test_a_damaged_file_is_named_and_the_rest_is_used(works, tmp_path):
    run(tmp_path)
    file = tmp_path / "results.jsonl"
    lines = file.read_text().splitlines()
    lines[4] = lines[4][:30]
    file.write_text("\n".join(lines) + "\n")
    shown = quiet()
    found = run(tmp_path, console=shown)
    assert len(works) == 23
    assert [each.number for each in found.damaged] == [5]
    text = shown.file.getvalue()
    assert f"line 5 of {file} is damaged and was set aside in {tmp_path / 'results.damaged.jsonl'}: no JSON" in text
    assert len(file.read_text().splitlines()) == 22


def test_ctrl_c_keeps_what_is_finished(works, tmp_path, monkeypatch):
    work = FitRunner.work

    def pressed(bench, order):
        if len(works) == 14:
            raise KeyboardInterrupt
        return work(bench, order)

    monkeypatch.setattr(FitRunner, "work", pressed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert len(pd.read_csv(tmp_path / "results.csv")) == 14
    left = "NOT FINISHED: 14 of 22 fits are done; the same call goes on with the others."
    assert left in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(FitRunner, "work", work)
    assert len(run(tmp_path).records) == len(works) == 22
    assert "NOT FINISHED" not in (tmp_path / "report.html").read_text()


def test_bad_input_leaves_no_folder(works, tmp_path):
    with pytest.raises(ValueError, match="expected topologies of"):
        compare(problem(), LAYERS, ["ring"], settings=SETTINGS, out=tmp_path / "out", console=quiet())
    assert not (tmp_path / "out").exists()


def test_failed_fits_are_told_and_not_repeated(tmp_path, works, monkeypatch):
    def fails(bench, order):
        works.append(order.fit)
        return replace(fitting.started(bench.problem, order, bench.settings), reason="it diverged")

    monkeypatch.setattr(FitRunner, "work", fails)
    found = run(tmp_path)
    assert len(found.failed) == 22
    assert pd.read_csv(tmp_path / "results.csv")["reason"].unique().tolist() == ["it diverged"]
    run(tmp_path)
    assert len(works) == 22


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": ["attention", "gtn"]}, "gtn"),
        ({"data": problem(4)}, "got 4 rows or groups in made"),
        ({"settings": replace(SETTINGS, split="scaffold")}, "expected molecules for the split 'scaffold'"),
        ({"data": "no such file.csv"}, "no such file"),
        ({"data": [Data(x=torch.ones(2, 1), edge_index=PAIR, y=torch.tensor([0]))] * 20}, "class"),
        ({"jobs": -1}, "expected jobs of 0 or more, got -1"),
    ],
)
def test_bad_input_is_said_in_words(change, words):
    with pytest.raises((ValueError, OSError), match=words):
        run(**change)


def test_what_tuning_needs_is_said_before_the_first_fit(works, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match="tuning needs Optuna"):
        run(settings=replace(SETTINGS, trials=2))
    assert works == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ValueError, match="expected a folder for results, got the file"):
        run(tmp_path / "out")


def test_two_runs_do_not_fill_one_folder(works, tmp_path):
    with (
        FileLock(tmp_path / "running.lock"),
        pytest.raises(ValueError, match="expected one comparison at a time in "),
    ):
        run(tmp_path)
    assert works == []
    assert run(tmp_path).records


FEW = {"settings": replace(SETTINGS, repeats=1, controls=False), "layers": ["gcn", "mlp"]}
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from graphattn.comparison.store import Store
add = Store.add
def killed(store, record):
    add(store, record)
    if len(store) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
Store.add = killed
from test_experiment import FEW, run
run(Path({out!r}), **FEW)
"""


def test_a_killed_run_goes_on_without_repeating_a_fit(tmp_path, monkeypatch):
    from pathlib import Path

    code = KILLED.format(folder=str(Path(__file__).parent), out=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = (tmp_path / "results.jsonl").read_text()
    assert before.count("\n") == 4
    fits, work = [], FitRunner.work
    monkeypatch.setattr(FitRunner, "work", lambda bench, order: fits.append(order.fit) or work(bench, order))
    resumed = run(tmp_path, **FEW)
    assert [fit.name for fit in fits] == ["gcn on full", "mlp on none"]
    assert (tmp_path / "results.jsonl").read_text().startswith(before)
    whole = run(**FEW)
    assert [record.status for record in whole.records] == ["ok"] * 6
    assert [record.score for record in resumed.records] == [record.score for record in whole.records]
