"""Relative tables: the equations of Shaw et al. 2018, written with loops."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.edge_terms import RelativeBias, RelativeValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.topology import Full
from graphattn.update import Replace

F64 = torch.float64


@pytest.mark.parametrize("tables", [1, 2])
def test_keys_and_values_are_those_of_shaw(tables):
    heads, channels, farthest, nodes = 2, 3, 2, 6
    key, value = (RelativeValue(farthest, heads, channels, tables) for _ in range(2))
    message = Attend(6, Heads(heads, channels), edge_key=key, edge_value=value)
    layer = GraphLayer(message, SoftmaxSum(), Replace()).double()
    x = torch.randn(nodes, 6, dtype=F64)
    query, keys, values = (
        linear(x).view(nodes, heads, channels) for linear in (message.query, message.key, message.value)
    )
    expected = torch.zeros(nodes, heads, channels, dtype=F64)
    for head in range(heads):
        for i in range(nodes):
            rows = [max(-farthest, min(farthest, j - i)) + farthest for j in range(nodes)]
            told = torch.stack([keys[j, head] + key.table[rows[j], head % tables] for j in range(nodes)])
            alpha = (told @ query[i, head] / channels**0.5).softmax(0)  # equation 4
            for j in range(nodes):  # equation 3
                expected[i, head] += alpha[j] * (values[j, head] + value.table[rows[j], head % tables])
    assert_close(layer(x, Full([nodes])), expected.flatten(1), rtol=1e-9, atol=1e-9)


def test_a_bias_is_the_row_of_the_clipped_distance():
    bias = RelativeBias(2, heads=1)
    with torch.no_grad():
        bias.table.copy_(torch.tensor([[10.0], [11.0], [12.0], [13.0], [14.0]]))
    # Receiver below, sender across: what comes from the left has a negative distance.
    assert bias(torch.arange(4)[:, None], torch.arange(4))[:, :, 0].tolist() == [
        [12, 13, 14, 14],
        [11, 12, 13, 14],
        [10, 11, 12, 13],
        [10, 10, 11, 12],
    ]


def test_distances_and_tables_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="a farthest distance of 0 or more, got -1"):
        RelativeBias(-1, heads=2)
    with pytest.raises(ValueError, match="a farthest distance of 0 or more, got -3"):
        RelativeValue(-3, 2, 4)
    with pytest.raises(ValueError, match="tables that divide the heads, got tables=3 and heads=4"):
        RelativeValue(2, 4, 4, tables=3)
