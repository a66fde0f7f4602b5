import pytest
import torch
from torch import nn
from torch.nn.functional import normalize
from torch.testing import assert_close

from graphattn.update import AddByPlace, AddSelf, Beside, ProjectBoth, Recur, Replace, UpdateThen

X, HEARD = torch.randn(4, 6), torch.randn(4, 2, 3)


def test_then_applies_a_function_to_another_update():
    assert_close(UpdateThen(Replace(), normalize)(X, HEARD).norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("learned", [False, True])
def test_the_node_is_added_as_often_as_eps_says(learned):
    update = AddSelf(0.5, learned)
    assert_close(update(X, HEARD), HEARD.flatten(1) + 1.5 * X)
    assert_close(update(None, HEARD), HEARD.flatten(1))
    assert len(list(update.parameters())) == learned
    assert f"eps=0.5, learned={learned}" in repr(update)
    update.eps.data.fill_(3)
    update.reset_parameters()
    assert update.eps.item() == 0.5


def test_both_are_projected():
    update = ProjectBoth(6, 5, 4)
    x = torch.randn(4, 5)
    assert_close(update(x, HEARD), update.heard(HEARD.flatten(1)) + update.root(x))
    assert_close(update(None, HEARD), update.heard(HEARD.flatten(1)))
    assert ProjectBoth(-1, -1, 4)(X, HEARD).shape == (4, 4)


def test_the_node_lies_beside_what_it_heard():
    beside = Beside(nn.Identity(), lambda x: x.unflatten(-1, (2, -1)))(X, HEARD)
    assert torch.equal(beside, torch.cat([X[:, :3], HEARD[:, 0], X[:, 3:], HEARD[:, 1]], dim=1))
    assert torch.equal(Beside(nn.Identity())(X, HEARD[:, :1]), torch.cat([X, HEARD[:, 0]], dim=1))


def test_the_node_remembers():
    cell = nn.GRUCell(6, 6)
    assert torch.equal(Recur(cell)(X, HEARD), cell(HEARD.flatten(1), X))


def test_each_place_has_a_bias():
    update = AddByPlace(2)
    update.bias.data = torch.tensor([1.0, 10.0])
    assert_close(update(None, HEARD) - HEARD.flatten(1), torch.tensor([1.0, 10, 1, 10])[:, None].expand(4, 6))
    assert update(None, HEARD[:0]).shape == (0, 6)
    with pytest.raises(ValueError, match="graphs of 3 receivers each, got 4 receivers"):
        AddByPlace(3)(None, HEARD)


@pytest.mark.parametrize(
    ("update", "need"), [(Beside(nn.Identity()), "lay beside"), (Recur(nn.GRUCell(6, 6)), "remember")]
)
def test_receivers_without_a_state_are_refused(update, need):
    with pytest.raises(ValueError, match=f"expected receivers with a state to {need}, got x_i=None"):
        update(None, HEARD)


@pytest.mark.parametrize(
    "update",
    [
        ProjectBoth(6, 6, 4),
        UpdateThen(AddSelf(), nn.Sequential(nn.Linear(6, 4), nn.ReLU())),
        Beside(nn.Linear(9, 4)),
        Recur(nn.GRUCell(6, 6)),
    ],
    ids=lambda update: type(update).__name__,
)
def test_parameters_are_drawn_anew(update):
    before = [parameter.clone() for parameter in update.parameters()]
    assert before
    update.reset_parameters()
    assert not any(torch.equal(*pair) for pair in zip(before, update.parameters(), strict=True))
