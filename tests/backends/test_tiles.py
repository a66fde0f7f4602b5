"""What edges say tile by tile: the same for tiles of any size, and memory of a tile alone."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import Max, Mean
from graphattn.backends import tiles
from graphattn.topology import Edges

F64 = torch.float64


@pytest.mark.parametrize("aggregation", [Max(), Mean()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_tiles_of_any_size(monkeypatch, aggregation, size):
    graph = Edges(torch.randint(0, 9, (2, 60)), 9)
    states = [torch.randn(9, 4, dtype=F64, requires_grad=True) for _ in range(2)]
    layers = [nn.Tanh(), nn.Linear(4, 3).double(), nn.Tanh()]
    outs = [tiles.heard_in_tiles(layers, aggregation, graph, *states)]
    monkeypatch.setattr(tiles, "_least", lambda senders: size)
    outs.append(tiles.heard_in_tiles(layers, aggregation, graph, *states))
    assert_close(*outs, rtol=1e-12, atol=1e-12)
    leaves = [*states, *layers[1].parameters()]
    for pair in zip(*(torch.autograd.grad(out.sin().sum(), leaves) for out in outs), strict=True):
        assert_close(*pair, rtol=1e-12, atol=1e-12)


def test_no_tile_is_kept(monkeypatch):
    monkeypatch.setattr(tiles, "_least", lambda senders: 500)
    kept, graph = [], Edges(torch.randint(0, 50, (2, 5_000)), 50)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        states = [torch.randn(50, 8, requires_grad=True) for _ in range(2)]
        tiles.heard_in_tiles([nn.Tanh(), nn.Linear(8, 8)], Mean(), graph, *states).sum()
    assert 0 < max(kept) <= 5_000  # numbers of nodes, not channels of edges
