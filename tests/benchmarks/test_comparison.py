"""What is run for docs/compare.md is what its words say, and a section has all rows."""

import dataclasses

import pytest
import typer
from matplotlib import image
from typer.testing import CliRunner

from benchmarks.comparison.__main__ import RUNS, application, compared
from benchmarks.comparison.report import section
from graphattn.comparison.record import Fit, FitRecord
from graphattn.comparison.store import Store
from graphattn.models.by_name.topologies import configurations


def records():
    scores = {("gcn", "edges"): 0.7, ("attention", "full"): 0.9}
    fits = [(configuration, split, score) for configuration, score in scores.items() for split in range(4)]
    return [
        FitRecord(
            Fit("motif", *configuration, split, 0, split_hash=str(split)),
            "ok",
            "ROC-AUC",
            score=score + split / 100,
            validation=score,
            train_size=80,
            test_size=10,
            seconds=900,
            learned={"dirichlet": [1.0, 0.5]} if configuration == ("gcn", "edges") else {},
            date="2026-01-02T03:04:05",
        )
        for configuration, split, score in fits
    ]


@pytest.mark.parametrize("name", RUNS)
def test_four_layers_stand_on_three_graphs(name):
    run = RUNS[name]
    chosen = configurations(run.layers, run.topologies)
    on_graphs = {configuration.layer for configuration in chosen if configuration.topology != "none"}
    assert len(on_graphs) >= 3
    assert {configuration.topology for configuration in chosen} == {*run.topologies, "none"}
    assert len(run.topologies) == 3
    assert run.settings.repeats == 10


def test_a_section_has_the_verdict_all_rows_and_what_it_took():
    found = section("motif", records(), rope=0.01)
    assert found.startswith("### motif\n\n")
    assert "| attention on full | 4 | 0.915 | " in found
    assert "| gcn on edges | 4 | 0.715 | " in found
    assert "| | Dirichlet energy of states |\n|---|---|\n" in found
    assert "| gcn on edges | 1.00 → 0.50 |" in found
    assert "| attention on full |  |" in found
    assert "8 fits, 2.00 hours of fits, each on one core, 2026-01-02." in found


def test_a_report_fits_nothing(tmp_path):
    store = Store(tmp_path / "motif" / "results.jsonl")
    for record in records():
        store.add(record)
    store.add(dataclasses.replace(records()[0], fit=Fit("motif", "gin", "edges", 0, 0), status="failed", score=None))
    said = CliRunner().invoke(application, ["report", "--out", str(tmp_path)])
    assert said.exit_code == 0
    assert "### motif" in said.output
    assert "| gin on edges | 0 (1 failed) | failed | | | | | | |" in said.output
    assert len(Store(tmp_path / "motif" / "results.jsonl").records) == 9


def test_an_unknown_name_says_which_there_are(tmp_path):
    with pytest.raises(typer.BadParameter, match=r"expected names among motif, .*bbb, got motive"):
        compared("motive", tmp_path)


def test_a_picture_has_a_panel_for_each_that_has_finished(tmp_path):
    store = Store(tmp_path / "motif" / "results.jsonl")
    for record in records():
        store.add(record)
    path = tmp_path / "all.png"
    assert CliRunner().invoke(application, ["picture", "--out", str(tmp_path), "--path", str(path)]).exit_code == 0
    assert image.imread(path).shape[2] == 4
