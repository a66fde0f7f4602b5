import pytest
import torch
from torch.testing import assert_close

from graphattn.update import GatedRoot

HEARD = torch.randn(3, 2, 4)


def test_the_gate_of_the_paper():
    update, x = GatedRoot(6, 8), torch.randn(3, 6)
    root, flat = update.linear(x), HEARD.reshape(3, 8)
    beta = (torch.cat([flat, root, flat - root], 1) @ update.gate.weight.T).sigmoid()
    assert_close(update(x, HEARD), beta * root + (1 - beta) * flat)


@pytest.mark.parametrize(("gate", "expected"), [(1e4, 5.0), (-1e4, 1.0), (0.0, 3.0)])
def test_an_open_gate_keeps_the_node_and_a_shut_one_what_it_heard(gate, expected):
    update = GatedRoot(1, 1, bias=False)
    torch.nn.init.ones_(update.linear.weight)
    update.gate.weight.data = torch.tensor([[0.0, gate, 0.0]])
    assert update(torch.tensor([[5.0]]), torch.tensor([[[1.0]]])).item() == expected


def test_parameters_are_drawn_anew():
    update = GatedRoot(6, 8)
    before = [parameter.clone() for parameter in update.parameters()]
    update.reset_parameters()
    assert not any(torch.equal(old, new) for old, new in zip(before, update.parameters(), strict=True))


def test_a_gate_needs_a_state():
    with pytest.raises(ValueError, match="expected receivers with a state to keep, got x_i=None"):
        GatedRoot(6, 8)(None, HEARD)
