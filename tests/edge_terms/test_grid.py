import pytest
import torch
from torch.testing import assert_close

from graphattn.edge_terms import GridBias
from graphattn.topology import Edges, Full
from graphattn.zoo import SelfAttention


@pytest.mark.parametrize(("height", "width"), [(3, 4), (4, 3), (1, 5), (5, 1), (1, 1)])
def test_the_index_is_swins(height, width):
    # As Swin writes it: coordinates, their differences, shifted and flattened.
    at = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")).flatten(1)
    relative = (at[:, :, None] - at[:, None, :]).permute(1, 2, 0)
    relative[:, :, 0] += height - 1
    relative[:, :, 1] += width - 1
    relative[:, :, 0] *= 2 * width - 1
    index = relative.sum(-1)

    bias = GridBias(height, width, heads=2)
    assert int(index.max()) + 1 == bias.table.size(0)
    graph = Full([height * width])
    truth = bias.table[index.flatten()]
    assert_close(bias.on_edges(graph, {}), truth)
    assert_close(bias.on_tile(graph.plan().tiles[0], {}).flatten(1).T, truth)


@pytest.mark.parametrize("graph", [Full([13]), Edges(torch.tensor([[0], [12]])), Full([2, 13])], ids=repr)
def test_a_graph_larger_than_the_grid_is_refused(graph):
    layer = SelfAttention(4, edge_bias=GridBias(3, 4, heads=1))
    with pytest.raises(ValueError, match="at most 3 x 4 = 12 nodes in a graph, got 13"):
        layer(torch.randn(graph.num_senders, 4), graph)
