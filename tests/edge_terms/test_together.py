import pytest
import torch
from torch.testing import assert_close

from graphattn.edge_terms import ALiBi, LinearBias, RelativeBias, SumOfTerms
from graphattn.testing import assert_backends_agree
from graphattn.topology import Full
from graphattn.zoo import SelfAttention

F64 = torch.float64
GRAPH = Full([3, 5])
BOND = {"bond": torch.randn(GRAPH.num_edges, 6, dtype=F64)}


class Given:
    """A bias that is an edge feature as it is, and no module."""

    def on_edges(self, graph, edge):
        return edge["bias"]

    def on_tile(self, tile, edge):
        return edge["bias"][tile.edge].permute(3, 0, 1, 2)


def test_a_sum_adds():
    first, second = RelativeBias(2, heads=2), ALiBi(2)
    both = SumOfTerms(first, second)
    assert_close(both.on_edges(GRAPH, {}), first.on_edges(GRAPH, {}) + second.on_edges(GRAPH, {}))
    assert dict(both.named_parameters()).keys() == {"0.table"}


def test_a_term_that_knows_no_tile_makes_the_sum_know_none():
    both = SumOfTerms(ALiBi(2), LinearBias("bond", 6, heads=2)).double()
    assert both.on_tile(GRAPH.plan().tiles[0], BOND) is None
    layer = SelfAttention(8, heads=2, edge_bias=both).double()
    assert "dense" in assert_backends_agree(layer, torch.randn(8, 8, dtype=F64), GRAPH, BOND)


def test_a_term_that_is_no_module_can_be_added():
    edge = {"bias": torch.randn(GRAPH.num_edges, 2, dtype=F64)}
    layer = SelfAttention(8, heads=2, edge_bias=SumOfTerms(RelativeBias(2, heads=2), Given())).double()
    assert "dense" in assert_backends_agree(layer, torch.randn(8, 8, dtype=F64), GRAPH, edge)
    layer.reset_parameters()


def test_no_term_is_refused():
    with pytest.raises(ValueError, match="one term or more, got none"):
        SumOfTerms()
