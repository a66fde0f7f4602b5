"""Attention layers over a static graph with a dimension of samples in front: torch.vmap gives each sample alone."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.score import Favor
from graphattn.topology import Causal, Edges, Full
from graphattn.zoo import GAT, CrossAttention, GATv2, GraphTransformer, LinearAttention, SelfAttention

F64 = torch.float64
EDGES = Edges(torch.tensor([[0, 1, 2, 2], [1, 1, 1, 0]]), 5)
ROWS = {
    "SelfAttention": lambda: SelfAttention(8, 2),
    "CrossAttention": lambda: CrossAttention(8, 8, 2),
    "GraphTransformer": lambda: GraphTransformer(8, 4, 2),
    "GAT": lambda: GAT(8, 4, 2),
    "GATv2": lambda: GATv2(8, 4, 2),
    "LinearAttention": lambda: LinearAttention(8, 2),
    "Performer": lambda: LinearAttention(8, 2, kernel=Favor(4, 8)),
}


# torch maps its fused causal kernel sample by sample: slower, not wrong.
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("graph", [EDGES, Full([3, 2]), Causal([3, 2])], ids=repr)
def test_samples_on_one_graph(name, graph):
    layer, x = ROWS[name]().double(), torch.randn(3, 5, 8, dtype=F64)
    together = torch.vmap(lambda x: layer(x, graph))(x)
    assert_close(together, torch.stack([layer(sample, graph) for sample in x]), rtol=1e-9, atol=1e-9)
