import pytest
import torch
from torch.testing import assert_close

from graphattn.blocks import Readout
from graphattn.topology import Star

F64 = torch.float64


def test_a_readout_hears_each_graph_alone_and_gives_empty_graphs_a_row():
    readout = Readout(8, heads=2, hubs=3).double()
    x = torch.randn(7, 8, dtype=F64)
    together = readout(x, Star([4, 0, 3, 0], hubs=3))
    assert together.shape == (4, 24)
    assert_close(together[0], readout(x[:4], Star([4], hubs=3))[0])
    assert_close(together[2], readout(x[4:], Star([3], hubs=3))[0])
    empty = readout.layer.update_function.linear.bias.repeat(3)
    assert_close(together[[1, 3]], torch.stack([empty, empty]))
    shuffled = readout(x[[2, 0, 3, 1, 4, 6, 5]], Star([4, 0, 3, 0], hubs=3))
    assert_close(shuffled, together, rtol=1e-9, atol=1e-9)


def test_a_readout_learns_its_hubs_and_wants_as_many():
    readout = Readout(8, hubs=2)
    hub = readout.hub.clone()
    readout.reset_parameters()
    assert not torch.equal(hub, readout.hub)
    with pytest.raises(ValueError, match="expected a Star of 2 hubs per graph, got 1"):
        readout(torch.randn(3, 8), Star([3]))
