import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import OneHotDegree

from graphattn.encoding import DegreeEmbedding, degree
from graphattn.topology import Edges, Full

NOTHING = torch.empty(2, 0, dtype=torch.long)


def test_it_is_pygs_one_hot_degree_of_an_undirected_graph():
    edge_index = torch.tensor([[0, 1, 0, 2, 0, 3, 1, 2], [1, 0, 2, 0, 3, 0, 2, 1]])
    theirs = OneHotDegree(max_degree=4)(Data(edge_index=edge_index, num_nodes=5)).x
    assert torch.equal(degree(edge_index, 5, most=4), theirs)


def test_senders_are_counted_and_many_are_alike():
    directed = torch.tensor([[0, 1, 2, 3, 3], [4, 4, 4, 4, 2]])
    assert degree(directed, 5, most=3).argmax(1).tolist() == [0, 0, 1, 0, 3]


def test_one_node_and_none():
    assert degree(NOTHING, 1, most=2).tolist() == [[1, 0, 0]]
    assert degree(NOTHING, 0, most=2).shape == (0, 3)


def test_the_embedding_takes_the_row_of_the_degree():
    embed = DegreeEmbedding(most=2, channels=4)
    graph = Edges(torch.tensor([[0, 1, 2, 0], [3, 3, 3, 1]]), 5)
    assert torch.equal(embed(graph), embed.table[torch.tensor([0, 1, 0, 2, 0])])
    assert torch.equal(embed(Full([1, 4, 0])), embed.table[torch.tensor([1, 2, 2, 2, 2])])
    before = embed.table.clone()
    embed.reset_parameters()
    assert not torch.equal(embed.table, before)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="a largest degree of at least 1, got most=0"):
        degree(NOTHING, 1, most=0)
    with pytest.raises(ValueError, match="names nodes 0 to 3, but there are 3 nodes"):
        degree(torch.tensor([[0], [3]]), 3, most=2)
