from functools import partial

import pytest
import torch
from torch.testing import assert_close
from torch_geometric.data import Batch, Data

from graphattn.data.molecules.smiles import FARTHEST, parse_smiles, to_data
from graphattn.edge_terms import ShortestPathBias
from graphattn.encoding import AddEncodings, shortest_path
from graphattn.topology import Full
from graphattn.zoo import SelfAttention

F64 = torch.float64


def test_each_length_has_its_row_and_no_path_the_last():
    bias = ShortestPathBias(2, heads=1)
    with torch.no_grad():
        bias.table.copy_(torch.tensor([[10.0], [11.0], [12.0], [13.0]]))
    path_and_one = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    length = shortest_path(path_and_one, 5, farthest=2)
    assert bias.on_edges(Full([5]), {"distance": length}).view(5, 5).tolist() == [
        [10, 11, 12, 12, 13],
        [11, 10, 11, 12, 13],
        [12, 11, 10, 11, 13],
        [12, 12, 11, 10, 13],
        [13, 13, 13, 13, 10],
    ]


def test_a_batch_of_directed_graphs_reads_the_lengths_of_each():
    add = AddEncodings({"distance": partial(shortest_path, farthest=4)})
    graphs = [
        Data(x=torch.randn(3, 8, dtype=F64), edge_index=torch.tensor([[0, 1], [1, 2]])),
        Data(x=torch.randn(1, 8, dtype=F64), edge_index=torch.empty(2, 0, dtype=torch.long)),
        Data(x=torch.randn(4, 8, dtype=F64), edge_index=torch.tensor([[3, 0], [0, 2]])),
    ]
    batch = Batch.from_data_list([add(graph) for graph in graphs])
    layer = SelfAttention(8, heads=2, edge_bias=ShortestPathBias(4, heads=2)).double()
    together = layer(batch.x, Full(batch), {"distance": batch.distance})
    alone = [layer(graph.x, Full(graph), {"distance": graph.distance}) for graph in batch.to_data_list()]
    assert_close(together, torch.cat(alone), rtol=1e-9, atol=1e-9)


def test_molecules_bring_their_distances():
    molecules = Batch.from_data_list([to_data(parse_smiles(smiles)) for smiles in ("CCO.[Na+]", "C", "c1ccccc1")])
    layer = SelfAttention(8, edge_bias=ShortestPathBias(FARTHEST, heads=1))
    assert layer(torch.randn(11, 8), Full(molecules), {"distance": molecules.distance}).shape == (11, 8)


def test_missing_lengths_are_named():
    with pytest.raises(ValueError, match="an edge feature named 'hops', got none"):
        SelfAttention(8, edge_bias=ShortestPathBias(4, heads=1, name="hops"))(torch.randn(3, 8), Full([3]))
