"""The benchmark of tissue: tables from records, protocol on few glands, large slides and builders on small ones."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from benchmarks.tissue import __main__ as command
from benchmarks.tissue import baselines, builders, glands, large, report
from graphattn.training import Recipe


def record(model, fold, seed, accuracy, **more):
    both = {"accuracy_260": accuracy, "accuracy_390": accuracy + 0.01, "validation": accuracy}
    return {"model": model, "fold": fold, "seed": seed, **both, **more}


RECORDS = [
    record("gland_graph", fold, seed, 0.94 + 0.01 * fold + 0.002 * seed, epochs=5)
    for fold in range(4)
    for seed in (0, 1)
] + [record("attention_mil", fold, 0, 0.90 + 0.012 * fold, epochs=7) for fold in range(4)]
RECORDS += [record("forest on composition", fold, 0, 0.80 + 0.005 * fold) for fold in range(4)]
RECORDS += [record("logistic regression on composition", fold, 0, 0.93 + 0.008 * fold) for fold in range(4)]


def test_the_table_and_its_sentences_are_those_of_the_records(tmp_path):
    path = tmp_path / "glands.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    printed = report.table(path)
    assert "| gland_graph | 95.6 +- 1.3 |" in printed
    assert "| 95.6 | 5 | 4, 2 |" in printed
    assert (
        "Best by validation: gland_graph of the networks, logistic regression on composition of the baselines."
        in printed
    )
    assert "gland_graph against logistic regression on composition, 260 to train: +1.4 (" in printed
    assert "Bar 93.3 +- 1.0 with 260: reached by gland_graph with 95.6." in printed
    assert "gland_graph against attention_mil, 260 to train: +3.8 (" in printed
    assert report.table(tmp_path / "none.jsonl") == "no records"


def test_seeds_of_a_fold_are_no_new_data():
    found = report.by_fold(RECORDS)["gland_graph"]
    assert found[2]["accuracy_260"] == pytest.approx(0.961)
    assert (len(found), found[0]["seeds"]) == (4, 2)


def test_glands_are_read_clipped_and_fitted_by_the_protocol(tmp_path, monkeypatch):
    rng, sizes = np.random.default_rng(0), np.full(24, 8)
    y = np.arange(24) % 2
    values = {
        "x": (rng.normal(size=(192, 3)) + 5 * y.repeat(8)[:, None]).astype(np.float32),
        "pos": rng.random((192, 2), dtype=np.float32) * 100,
        "ptr": np.concatenate([[0], sizes.cumsum()]),
        "y": y,
        "split": (np.arange(24)[:, None] // 6 + np.arange(4)) % 4 % 3,
    }
    np.savez(tmp_path / "glands.npz", **values)
    read = glands.read(tmp_path / "glands.npz")
    assert [len(part) for part in read.split(0)] == [12, 6, 6]
    assert read.graphs[0].edge_index.size(1) == 8 * 5
    clipped = glands.clipped(read.graphs, read.split(0).train)
    rows = torch.cat([clipped[i].x for i in read.split(0).train])
    assert float(rows.abs().max()) <= 3
    assert rows.mean(0).abs().max() < 0.05
    monkeypatch.setattr(glands, "RECIPE", Recipe(epochs=4, batch_size=4, learning_rate=0.01, patience=3))
    found = glands.of_network("attention_mil", read, 0, 0)
    assert found["accuracy_260"] > 0.5
    assert 1 <= found["epochs"] <= found["tried"] <= 4
    found = baselines.of_baseline("composition", baselines._regression, (0.1, 1.0), read, 0, 0)
    assert found["accuracy_260"] == found["accuracy_390"] == 1
    np.savez(tmp_path / "other.npz", x=values["x"])
    with pytest.raises(ValueError, match=r"expected gg_pt1.npz, got .*other.npz without pos, ptr, split, y"):
        glands.read(tmp_path / "other.npz")


def test_large_slides_are_trained_whole_and_by_tiles():
    found = large.whole("attention_mil", 200, steps=2)
    assert len(found["loss"]) == 2
    found = large.tiled("gland_graph", 300, tile=100)
    assert (found["own"], found["tiles"]) == (300, 4)
    assert found["with_halo"] > 300


def test_builders_are_measured_and_what_does_not_run_says_why():
    found = builders.once("graphattn knn:8", 500)
    assert found["edges"] == 4000
    assert builders.once("dense knn (histocartography)", 50)["edges"] == 400
    assert builders.once("dense knn (histocartography)", 100_000) == {
        "reason": "an array of all pairs would take 75 GiB"
    }
    assert "requires" in builders.once("PyG knn_graph", 100)["reason"]


def test_the_command_prints_the_table_without_data(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "RECORDS", tmp_path)
    (tmp_path / "glands.jsonl").write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    printed = CliRunner().invoke(command.application, [])
    assert printed.exit_code == 0
    assert "| attention_mil | 91.8" in printed.output
