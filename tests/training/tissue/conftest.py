"""Saved slides with labels, and a model of them."""

import pytest

from graphattn.data import save_graphs, tissue
from graphattn.training.tissue import baselines
from tests.training.tissue.made import run, slides


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(baselines, "TREES", 10)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("slides")
    save_graphs([tissue.knn(graph, 4) for graph in slides()], made / "graphs")
    rows = [
        f"P{k // 2:02}_{k % 2}.tif,P{k // 2:02},{'sick' if k // 2 % 2 else 'well'},{k // 2 % 3},{k}" for k in range(24)
    ]
    (made / "labels.csv").write_text("image,patient,state,fold,size\n" + "\n".join(rows) + "\n")
    return made


@pytest.fixture(scope="session")
def model(folder):
    out = folder / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "TREES", 10)
        found = run(
            "train", folder, "--labels", folder / "labels.csv", "--target", "state", "--epochs", 30, "--out", out
        )
    assert found.exit_code == 0, found.output
    return out, found.output
