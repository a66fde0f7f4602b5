"""Losses, ensembles and sizes of ``graphattn tissue train``."""

import csv
import io
import json

import numpy as np
import pytest
from scipy.special import logit

from graphattn.data import load_graphs, save_graphs, tissue
from graphattn.estimators import GraphClassifier, GraphRegressor
from graphattn.explain.tissue_scores import cell_scores
from graphattn.training import fitted_graphs
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.runs import Interrupted
from graphattn.training.tissue.answering import member_predictions, predictions
from graphattn.training.tissue.prediction import open_model, read_for
from graphattn.training.tissue.problems.survival import concordance_of
from tests.training.tissue.made import run, slides


def train(folder, out, *words):
    labels = ("--labels", folder / "labels.csv", "--target", "state")
    return run("train", folder, *labels, "--no-baselines", *words, "--out", out)


def opened(out, folder):
    model = open_model(out, False, print)
    return model, read_for(model, load_graphs(folder / "graphs"), "graphs", print).graphs


def test_ranking_gives_probabilities_that_its_scores_add_up_to(folder, tmp_path):
    found = train(folder, tmp_path / "m", "--loss", "ranking", "--epochs", 30, "--ensemble", 2)
    assert found.exit_code == 0, found.output
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    assert (described["loss"], described["outputs"], list(described["scales"])) == ("ranking", 1, ["score"])
    assert described["weights"] == ["model.safetensors", "model-2.safetensors"]
    model, graphs = opened(tmp_path / "m", folder)
    said = predictions(model.network, graphs)
    truth = np.array([k // 2 % 2 == 0 for k in range(24)])
    assert ((said[:, 0] > 0.5) == truth).mean() > 0.9
    each = member_predictions(model.network, graphs[:1])
    scores = cell_scores(model, graphs[0])
    assert scores.total == pytest.approx(logit(each[:, 0, 0]).mean(), abs=1e-5)
    assert scores.says == "mean score = mean over members of the log odds of well"
    assert cell_scores(model, graphs[0], "sick").total == pytest.approx(-scores.total)
    assert GraphClassifier.load(tmp_path / "m").predict_proba(graphs[:2])[:, 1] == pytest.approx(said[:2, 0])


@pytest.mark.parametrize("name", ["cross_entropy", "ranking"])
def test_an_ensemble_averages_probabilities_and_says_their_spread(name, folder, tmp_path):
    words = ("--loss", name, "--epochs", 3, "--ensemble", 2, "--model", "attention_mil", "--layers", 1, "--channels", 8)
    assert train(folder, tmp_path / "m", *words).exit_code == 0
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    assert described["size"] == {"width": 8, "hidden": 16, "depth": 1, "heads": 4, "dropout": 0.0}
    assert len(described["training"]) == len(described["curves"]) == 2
    assert "ensemble of 2 members, each attention_mil on edges" in (tmp_path / "m" / "README.md").read_text()
    model, graphs = opened(tmp_path / "m", folder)
    each = member_predictions(model.network, graphs)
    assert np.abs(each[0] - each[1]).max() > 1e-4
    np.testing.assert_allclose(predictions(model.network, graphs), each.mean(0))
    run("predict", tmp_path / "m", folder, "--out", tmp_path / "p.csv")
    row = next(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text())))
    assert float(row["spread_state"]) == pytest.approx(each[:, 0, 0].std(ddof=1), rel=1e-4)


def test_an_interrupted_ensemble_goes_on_to_the_same_weights(folder, tmp_path, monkeypatch):
    words = ("--epochs", 2, "--ensemble", 2, "--model", "gland_graph")
    assert train(folder, tmp_path / "whole", *words).exit_code == 0
    fit, calls = fitted_graphs.fit, []

    def stopped(model, *given, **where):
        calls.append(where["folder"])
        if len(calls) == 2:
            raise Interrupted(model)
        return fit(model, *given, **where)

    monkeypatch.setattr(fitted_graphs, "fit", stopped)
    first = train(folder, tmp_path / "m", *words)
    assert "the same command with --resume goes on" in first.output
    assert FittedNetwork.load(tmp_path / "m")[1]["interrupted"]
    monkeypatch.setattr(fitted_graphs, "fit", fit)
    again = train(folder, tmp_path / "m", *words, "--resume")
    assert again.exit_code == 0, again.output
    for name in ("model.safetensors", "model-2.safetensors"):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Patients of whom those with many tumour cells have the event early."""
    made, draw = tmp_path_factory.mktemp("cohort"), np.random.default_rng(1)
    graphs = [tissue.knn(graph, 4) for graph in slides(30, 1)]
    save_graphs(graphs, made / "graphs")
    rows = []
    for k, graph in enumerate(graphs):
        time = draw.exponential(np.exp(2 - 4 * float(graph.cell_type.float().mean())))
        seen = draw.random() < 0.8
        rows.append(f"{graph.image},P{k},{time:.3f},{'dead' if seen else 'alive'}")
    rows[0], rows[1] = rows[0].rpartition(",")[0] + ",lost", "P01_0.tif,P1,-3,dead"
    (made / "labels.csv").write_text("image,patient,months,status\n" + "\n".join(rows) + "\n")
    return made


SURVIVAL = ("--loss", "cox", "--time", "months", "--event", "status")


def test_survival_is_learned_and_measured_by_concordance(cohort, tmp_path):
    labels = ("--labels", cohort / "labels.csv")
    words = (*labels, *SURVIVAL, "--split", "folds:3", "--epochs", 20)
    found = run("train", cohort, *words, "--out", tmp_path / "m")
    assert found.exit_code == 0, found.output
    assert "of 28 images with the event, times from" in found.output
    assert "its time, '-3', is no number of 0 or more" in found.output
    assert "image 'P00_0.tif': its event, 'lost', says neither" in found.output
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    values = {name: each["concordance"]["value"] for name, each in described["metrics"].items()}
    assert values["slide_graph"] > 0.6
    assert values["Cox regression on composition"] > 0.6
    assert described["survival"] == ["months", "status"]
    assert "a higher risk is an earlier event" in (tmp_path / "m" / "README.md").read_text()
    page = (tmp_path / "m" / "report.html").read_text()
    assert "from months and status: a higher risk is an earlier event" in page
    assert "concordance" in page
    assert run("predict", tmp_path / "m", cohort, "--out", tmp_path / "p.csv").exit_code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text())))
    shares = [float(graph.cell_type.float().mean()) for graph in load_graphs(cohort / "graphs")]
    assert np.corrcoef([float(row["predicted_risk"]) for row in rows], shares)[0, 1] > 0.6
    model, graphs = opened(tmp_path / "m", cohort)
    assert cell_scores(model, graphs[0]).total == pytest.approx(float(rows[0]["predicted_risk"]), rel=1e-4)
    scored = run("evaluate", tmp_path / "m", cohort, *labels)
    assert "concordance" in scored.output, scored.output
    assert "28 images of 28 patients, ALL SEEN IN TRAINING" in scored.output
    assert GraphRegressor.load(tmp_path / "m").predict(graphs[:1]).shape == (1,)


def test_concordance_is_the_share_of_pairs_in_order():
    y = np.array([[1.0, 1], [2, 1], [3, 0], [4, 1]])
    patients = list("abcd")
    assert concordance_of(np.array([[4.0], [3], [2], [1]]), y, patients, 0)["concordance"].tolist() == [1.0]
    found = concordance_of(np.array([[4.0], [1], [2], [3]]), y, patients, 5)["concordance"]
    assert found[0] == pytest.approx(3 / 5)  # of (1, 2), (1, 3), (1, 4), (2, 3), (2, 4)
    assert found.shape == (6,)
    assert np.isnan(concordance_of(np.zeros((2, 1)), np.array([[1.0, 0], [2, 0]]), ["a", "b"], 0)["concordance"][0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--loss", "hinge"), "expected a loss of cross_entropy, ranking, cox, got 'hinge'"),
        (("--channels", 6), "expected layers and members of 1 or more, and channels that 4 divides, got 2, 1 and 6"),
        (("--ensemble", 0), "got 2, 0 and 16"),
        (("--loss", "ranking", "--target", "size", "--mixed-patients"), "images of two classes; got a regression task"),
        (("--loss", "cox"), "survival needs all three: --loss cox, and the columns --time and --event"),
        (("--time", "size", "--event", "state"), "survival needs all three"),
        (("--loss", "cox", "--time", "size", "--event", "grade"), "has no column 'grade'"),
    ],
)
def test_what_is_no_loss_or_size_is_one_line(words, said, folder, tmp_path):
    found = train(folder, tmp_path / "m", "--epochs", 1, *words)
    assert found.exit_code == 1
    assert said in found.output
    assert not (tmp_path / "m").exists()


def test_survival_without_events_or_table_is_refused(cohort, tmp_path):
    alone = run("train", cohort, *SURVIVAL, "--out", tmp_path / "m")
    assert "expected a table, --labels, with the columns 'months' and 'status', got none" in alone.output
    (tmp_path / "l.csv").write_text("image,patient,months,status\nP02_0.tif,P2,3,0\nP03_0.tif,P3,x,1\n")
    none = run("train", cohort, "--labels", tmp_path / "l.csv", *SURVIVAL, "--out", tmp_path / "m")
    assert "expected images with a time and events that were seen, got 1 images and no event" in none.output
    (tmp_path / "l.csv").write_text("image,patient,months,status\nP02_0.tif,P2,3,a\nP03_0.tif,P3,4,b\n")
    words = run("train", cohort, "--labels", tmp_path / "l.csv", *SURVIVAL, "--out", tmp_path / "m")
    assert "or dead and alive in 'status', or the one of the event as --positive, got 'a' and 'b'" in words.output
