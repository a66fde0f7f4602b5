import math

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Data

from graphattn.data.tasks import Task
from graphattn.training.molecules.objective import Objective, predictions, score

NAN = float("nan")
BINARY = Task("binary", ("y",), ("no", "yes"))
MULTICLASS = Task("multiclass", ("y",), ("a", "b", "c"))
MULTILABEL = Task("multilabel", ("p", "q"), ("0", "1"))
REGRESSION = Task("regression", ("p", "q"), ())


def test_binary_loss_weights_classes_by_inverse_frequency():
    y = torch.tensor([[1.0], [1.0], [1.0], [0.0]])
    objective = Objective(BINARY, y, balance=1.0)
    assert objective.weight.flatten().tolist() == pytest.approx([2.0, 2 / 3])
    logits = torch.tensor([[0.3], [-1.0], [2.0], [0.5]])
    plain = F.binary_cross_entropy_with_logits(logits, y, reduction="none").flatten()
    expected = (plain * torch.tensor([2 / 3, 2 / 3, 2 / 3, 2.0])).mean()
    assert objective.of(logits, y).item() == pytest.approx(expected.item())


def test_balance_zero_weights_all_alike():
    y = torch.tensor([[1.0], [1.0], [0.0]])
    logits = torch.randn(3, 1)
    assert torch.allclose(Objective(BINARY, y, 0.0).of(logits, y), F.binary_cross_entropy_with_logits(logits, y))


def test_multiclass_loss_is_weighted_cross_entropy():
    y = torch.tensor([[0.0], [0.0], [1.0], [2.0]])
    objective = Objective(MULTICLASS, y, 1.0)
    assert objective.weight.tolist() == pytest.approx([2 / 3, 4 / 3, 4 / 3])
    logits = torch.randn(4, 3)
    expected = F.cross_entropy(logits, y[:, 0].long(), weight=objective.weight, reduction="none").mean()
    assert torch.allclose(objective.of(logits, y), expected)


def test_a_class_without_training_molecules_leaves_the_loss_finite():
    y = torch.tensor([[0.0], [1.0]])
    assert Objective(MULTICLASS, y, 1.0).of(torch.zeros(2, 3), y).item() == pytest.approx(math.log(3))


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL, REGRESSION])
def test_rows_count_by_their_weight(task):
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, NAN]])[:, : len(task.names)]
    logits, objective = torch.randn(3, task.outputs), Objective(task, y, 1.0)
    twice = objective.of(logits[[0, 0, 1]], y[[0, 0, 1]])
    assert torch.allclose(objective.of(logits, y, torch.tensor([2.0, 1.0, 0.0])), twice)
    assert torch.allclose(objective(logits, Data(y=y, weight=torch.ones(3))), objective(logits, Data(y=y)))
    assert objective.of(logits, y, torch.zeros(3)) == 0


def test_missing_labels_add_nothing_to_the_loss():
    y = torch.tensor([[1.0, NAN], [0.0, 1.0], [NAN, 0.0]])
    logits = torch.randn(3, 2, requires_grad=True)
    loss = Objective(MULTILABEL, y, 0.0).of(logits, y)
    known = ~y.isnan()
    assert torch.allclose(loss, F.binary_cross_entropy_with_logits(logits[known], y[known]))
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[~known].tolist() == [0.0, 0.0]


def test_regression_learns_standardised_values_and_predicts_in_the_targets_unit():
    y = torch.tensor([[1.0, 10.0], [3.0, NAN], [5.0, 30.0]])
    objective = Objective(REGRESSION, y, 1.0)
    assert objective.mean.tolist() == [3.0, 20.0]
    assert objective.deviation.tolist() == pytest.approx([math.sqrt(8 / 3), 10.0])
    perfect = torch.nan_to_num((y - objective.mean) / objective.deviation)
    assert objective.of(perfect, y).item() == pytest.approx(0.0, abs=1e-12)
    assert objective.of(perfect + 2, y).item() == pytest.approx(4.0)
    values = predictions(REGRESSION, perfect, objective.mean, objective.deviation)
    assert torch.allclose(values[~y.isnan()], y[~y.isnan()])


def test_constant_target_keeps_the_loss_finite():
    y = torch.full((3, 1), 7.0)
    objective = Objective(Task("regression", ("p",), ()), y, 1.0)
    assert objective.of(torch.zeros(3, 1), y).item() == 0.0


def test_probabilities():
    logits = torch.tensor([[0.0, 1.0, -1.0]])
    none = torch.zeros(1)
    assert torch.allclose(predictions(MULTICLASS, logits, none, none), logits.softmax(1))
    assert torch.allclose(predictions(BINARY, logits[:, 1:2], none, none), logits[:, 1:2].sigmoid())


def test_score_is_the_mean_over_targets_that_have_both_classes():
    prediction = torch.tensor([[0.9, 0.5], [0.2, 0.5], [0.4, 0.5], [0.3, 0.5]])
    y = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, NAN], [NAN, 1.0]])
    assert score(MULTILABEL, prediction, y) == 1.0
    assert math.isnan(score(BINARY, prediction[:, :1], torch.ones(4, 1)))


def test_score_of_classes_and_of_values():
    probability = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    assert score(MULTICLASS, probability, torch.tensor([[0.0], [1.0], [2.0]])) == 1.0
    values = torch.tensor([[1.0], [2.0], [3.0]])
    assert score(Task("regression", ("p",), ()), values, values) == 1.0
