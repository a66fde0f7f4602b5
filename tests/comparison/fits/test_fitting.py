"""One fit, on graphs whose mean decides."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score, roc_auc_score
from torch.testing import assert_close
from torch_geometric.data import Data

from graphattn.comparison.fits import fitting
from graphattn.comparison.fits.fitting import FitOrder, fit, predicted, worded
from graphattn.comparison.fits.networks import network, prepared
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.record import Fit
from graphattn.comparison.settings import Settings
from graphattn.data.splits import Split
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.topologies import Configuration
from graphattn.training.craft import squared_error

SETTINGS = Settings(epochs=4, patience=3, batch_size=16, learning_rate=0.02)
SIZE = Size(8, 8, depth=1, heads=2)
SPLIT = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60))
CELL = Configuration("attention", "edges")
PAIR = torch.tensor([[0, 1], [1, 0]])


def made(target="binary", level="graph"):
    generator = torch.Generator().manual_seed(0)
    graphs = []
    for k in range(60):
        x = torch.randn(2, 3, generator=generator) + 2 * (k % 2)
        y = x.mean().reshape(1) * 100 + 500 if target == "regression" else torch.tensor([k % 2])
        graphs.append(Data(x=x, edge_index=PAIR, y=y if level == "graph" else y.repeat(2)))
    classes = () if target == "regression" else ("no", "yes")
    return prepared(Problem("made", graphs, target, classes, level), [CELL])


def one_graph():
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    return prepared(Problem("nodes", [Data(x=x, edge_index=PAIR, y=y)], "binary", ("no", "yes"), "node"), [CELL])


def order(role="model", **more):
    return FitOrder(Fit("made", *CELL, split=0, seed=3, role=role), SPLIT, CELL, SIZE, **more)


@pytest.mark.parametrize("problem", [made(), made("regression"), made(level="node"), one_graph()])
def test_a_fit_learns_scores_and_measures(problem):
    record = fit(problem, order(), replace(SETTINGS, epochs=20))
    assert (record.status, record.reason) == ("ok", "")
    assert record.score > 0.7
    assert record.validation > 0.7
    rows = 2 if problem.level == "node" and len(problem.graphs) > 1 else 1
    assert (record.train_size, record.test_size) == (40 * rows, 10 * rows)
    assert record.parameters == sum(each.numel() for each in network(problem, CELL, SIZE, 0).parameters())
    assert 1 <= record.kept <= record.epochs <= 20
    assert min(record.flops, record.graphs_per_second, record.seconds_per_epoch, record.seconds, record.peak_mib) > 0
    assert {"entropy", "dirichlet"} <= set(record.learned)
    assert record.batch_size == 16
    assert record.chance == []
    assert {"torch", "commit"} <= set(record.versions)
    assert record.date


@pytest.mark.parametrize("problem", [made(), made("regression"), made(level="node"), one_graph()])
def test_curves_and_predictions_are_recorded(problem):
    record = fit(problem, order(), SETTINGS)
    assert len(record.curves["loss"]) == len(record.curves["val_loss"]) == record.epochs
    assert int(np.argmin(record.curves["val_loss"])) + 1 == record.kept
    rows = [int(row) for row in record.predictions["row"]]
    assert record.predictions["true"] == pytest.approx(problem.labels()[rows], rel=1e-5)
    assert rows == list(range(100, 120) if problem.level == "node" and not problem.transductive else range(50, 60))
    measure = r2_score if problem.target == "regression" else roc_auc_score
    assert measure(record.predictions["true"], record.predictions["predicted"]) == pytest.approx(record.score, abs=1e-4)


def test_memory_is_that_of_a_step_and_not_of_making_the_network(monkeypatch):
    def large(*given):
        torch.ones(1 << 21).sum()
        return network(*given)

    alone = fit(made(), order(), SETTINGS).peak_mib
    monkeypatch.setattr(fitting, "network", large)
    assert fit(made(), order(), SETTINGS).peak_mib == alone
    assert 0 < alone < 1


def test_a_fit_is_repeated_by_its_seed_and_leaves_the_callers_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    scores = []
    for threads in (1, 2):
        torch.manual_seed(1)
        torch.set_num_threads(threads)
        scores.append(fit(made("regression"), order(), SETTINGS).score)
        assert torch.get_num_threads() == threads
        assert torch.equal(torch.rand(1), expected)
    torch.set_num_threads(1)
    assert scores[0] == scores[1]
    other = replace(order(), fit=replace(order().fit, seed=4))
    assert fit(made("regression"), other, SETTINGS).score != scores[0]


def test_the_test_part_is_looked_at_once_and_changes_nothing(monkeypatch):
    looked = []
    before = fitting.predicted
    monkeypatch.setattr(
        fitting, "predicted", lambda model, graphs, *given: looked.append(len(graphs)) or before(model, graphs, *given)
    )
    problem, turned = made(), made()
    for row in SPLIT.test:
        turned.graphs[row].y = 1 - turned.graphs[row].y
    first, second = fit(problem, order(), SETTINGS), fit(turned, order(), SETTINGS)
    assert looked == [10, 10] * 2
    assert (first.validation, first.kept) == (second.validation, second.kept)
    assert second.score == pytest.approx(1 - first.score)


def test_scores_are_those_of_scikit_learn(monkeypatch):
    models = []
    monkeypatch.setattr(fitting, "network", lambda *given: models.append(network(*given)) or models[-1])
    for target, measure in (("binary", roc_auc_score), ("regression", r2_score)):
        problem = made(target)
        record = fit(problem, order(), SETTINGS)
        answers = predicted(models[-1], [problem.graphs[row] for row in SPLIT.test], problem, 7)
        labels = problem.labels()
        if target == "regression":
            answers = answers[:, 0] * labels[SPLIT.train].std() + labels[SPLIT.train].mean()
        else:
            answers = torch.from_numpy(answers).softmax(1)[:, 1].numpy()
        assert record.score == pytest.approx(measure(labels[SPLIT.test], answers))


def test_memory_that_runs_out_halves_the_batch(monkeypatch):
    tried = []
    real = fitting.training.fit

    def greedy(model, train, validation, recipe, *given, **more):
        tried.append(recipe.batch_size)
        if recipe.batch_size > 10:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return real(model, train, validation, recipe, *given, **more)

    monkeypatch.setattr(fitting.training, "fit", greedy)
    record = fit(made(), order(), replace(SETTINGS, batch_size=64))
    assert tried == [40, 20, 10]
    assert (record.status, record.batch_size) == ("ok", 10)
    assert record.reason == "memory ran out with batches of 64, so they were of 10"


def test_memory_for_not_even_one_graph_is_a_failed_fit(monkeypatch):
    def greedy(*given, **more):
        raise MemoryError

    monkeypatch.setattr(fitting.training, "fit", greedy)
    record = fit(made(), order(), replace(SETTINGS, batch_size=2))
    assert (record.status, record.batch_size, record.score) == ("failed", 1, None)
    assert record.reason == "memory ran out with batches of 2, so they were of 1; out of memory: MemoryError"


def test_a_fit_whose_process_was_killed_says_that_its_batches_are_smaller():
    record = fit(made(), order(batch_size=8), SETTINGS)
    assert record.batch_size == 8
    assert record.reason == "memory ran out with batches of 16, so they were of 8"


def test_divergence_is_a_failed_fit():
    problem = made()
    for row in SPLIT.train:
        problem.graphs[row].x = problem.graphs[row].x * torch.inf
    record = fit(problem, order(), SETTINGS)
    assert record.status == "failed"
    assert record.reason.startswith("training diverged: the loss became nan at learning_rate 0.02")


def test_predictions_that_are_no_numbers_are_a_failed_fit(monkeypatch):
    said = np.zeros((10, 2))
    said[3] = np.nan
    monkeypatch.setattr(fitting, "predicted", lambda *given: said)
    record = fit(made(), order(), SETTINGS)
    assert record.status == "failed"
    assert record.reason == "expected numbers from the model, got nan in 1 of 10 rows"


def test_a_layer_that_raises_is_a_failed_fit(monkeypatch):
    def broken(*given):
        raise KeyError("weight")

    monkeypatch.setattr(fitting, "network", broken)
    assert fit(made(), order(), SETTINGS).reason == "KeyError: 'weight'"


def test_what_cannot_be_measured_does_not_cost_the_score(monkeypatch):
    def broken(*given):
        raise RuntimeError("no such hook")

    monkeypatch.setattr(fitting, "learned", broken)
    record = fit(made(), order(), SETTINGS)
    assert record.status == "ok"
    assert record.flops > 0
    assert record.reason == "not measured: RuntimeError: no such hook"


def test_ctrl_c_in_training_is_ctrl_c(monkeypatch):
    import signal

    before = signal.getsignal(signal.SIGINT)

    def pressed(out, batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "_step", lambda *given: None)
    monkeypatch.setattr(fitting, "cross_entropy", lambda: pressed)
    with pytest.raises(KeyboardInterrupt):
        fit(made(), order(), SETTINGS)
    assert signal.getsignal(signal.SIGINT) == before


def test_permuted_labels_have_their_band_beforehand():
    record = fitting.started(made(), order("permuted"), SETTINGS)
    low, high = record.chance
    assert 0 <= low < 0.5 < high <= 1
    assert record.score is None


def test_tuning_is_the_same_inside_each_fit(tmp_path):
    pytest.importorskip("optuna", reason="needs pip install 'graphattn[compare]'")
    settings = replace(SETTINGS, trials=2, epochs=1)
    record = fit(made(), order(), settings, tmp_path / "tuning")
    assert record.status == "ok"
    assert set(record.chosen) == {"learning_rate", "weight_decay", "dropout"}
    (journal,) = (tmp_path / "tuning").iterdir()
    before = journal.read_bytes()
    again = fit(made(), order(), settings, tmp_path / "tuning")
    assert (again.score, again.chosen) == (record.score, record.chosen)
    assert len(journal.read_bytes()) <= len(before) + 400


def test_unknown_values_are_not_asked():
    out = torch.tensor([[1.0], [2.0]])
    assert float(squared_error(out, Data(y=torch.tensor([3.0, torch.nan])))) == 4.0


def test_reasons_are_one_line():
    assert worded(ValueError("a\n  b")) == "a b"
    assert worded(OSError(12, "Cannot allocate memory")) == "out of memory: [Errno 12] Cannot allocate memory"
    assert len(worded(KeyError("x" * 999))) < 350


def test_numbers_are_standardised_by_the_training_part_alone():
    problem, given = made(), order()
    model = fitting._Fit(problem, given, SETTINGS, 16, None)._network({})
    seen = torch.cat([problem.graphs[row].x for row in SPLIT.train]).double()
    assert_close(model.embedding.start.mean.double(), seen.mean(0), rtol=1e-5, atol=1e-5)
    assert_close(model.embedding.start.deviation.double(), seen.std(0, correction=0), rtol=1e-5, atol=1e-5)
