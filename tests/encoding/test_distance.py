"""Shortest paths, equal to networkx and RDKit."""

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from graphattn.data.molecules.smiles import FARTHEST, parse_smiles, to_data
from graphattn.encoding import anchor_distance, hub_distance, shortest_path
from graphattn.topology import Edges, Full

NOTHING = torch.empty(2, 0, dtype=torch.long)
GRAPHS = st.integers(1, 9).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=20))
)


@given(GRAPHS, st.integers(1, 5))
def test_paths_are_those_of_networkx_in_the_edge_order_of_full(graph, farthest):
    nodes, pairs = graph
    edge_index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    ours = shortest_path(edge_index, nodes, farthest)
    lengths = dict(networkx.all_pairs_shortest_path_length(networkx.DiGraph(Edges(edge_index, nodes).to_networkx())))
    for number, (sender, receiver) in enumerate(Full([nodes]).edge_index().T.tolist()):
        hops = lengths[sender].get(receiver)
        assert ours[number] == (farthest + 1 if hops is None else min(hops, farthest))


@pytest.mark.parametrize("smiles", ["CC(=O)Nc1ccc(O)cc1", "C", "C" * 30 + ".O", "[Na+].[Cl-]", "O->[Fe]"])
def test_paths_in_molecules_are_rdkits(smiles):
    data = to_data(parse_smiles(smiles))
    ours = shortest_path(data.edge_index, data.num_nodes, FARTHEST)
    assert ours.dtype == data.distance.dtype
    assert torch.equal(ours, data.distance)
    hops = torch.from_numpy(Chem.GetDistanceMatrix(Chem.MolFromSmiles(data.smiles))).flatten()
    assert torch.equal(ours[ours < FARTHEST].sort()[0], hops[hops < FARTHEST].sort()[0].long())


def test_one_node_and_none():
    assert shortest_path(NOTHING, 1, 5).tolist() == [0]
    assert shortest_path(NOTHING, 0, 5).shape == (0,)
    assert anchor_distance(NOTHING, 2, [1], 5).tolist() == [[6], [0]]
    assert anchor_distance(NOTHING, 2, [], 5).shape == (2, 0)
    assert hub_distance(NOTHING, 1, 2, 5).tolist() == [[0, 6]]
    assert hub_distance(NOTHING, 0, 2, 5).shape == (0, 2)


def test_anchors_are_columns_of_the_shortest_paths():
    edge_index = torch.randint(0, 8, (2, 15), generator=torch.Generator().manual_seed(1))
    every = shortest_path(edge_index, 8, 4).view(8, 8)  # [receiver, sender]
    assert torch.equal(anchor_distance(edge_index, 8, [5, 0], 4), every[:, [5, 0]])


def test_hubs_are_whom_most_hear():
    # 4 is heard by three, 1 and 3 by one each; the lower number comes first.
    edge_index = torch.tensor([[4, 4, 4, 3, 1], [0, 1, 2, 4, 3]])
    assert torch.equal(hub_distance(edge_index, 5, 3, 9), anchor_distance(edge_index, 5, [4, 1, 3], 9))


def test_renumbered_nodes_have_renumbered_hubs():
    star = torch.tensor([[0, 0, 0, 1, 1, 2], [1, 2, 3, 0, 4, 0]])
    permutation = torch.tensor([3, 0, 4, 1, 2])
    renumbered = hub_distance(permutation.argsort()[star], 5, 2, 9)
    assert torch.equal(renumbered, hub_distance(star, 5, 2, 9)[permutation])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shortest_path(NOTHING, 2, 0), "a farthest distance of at least 1, got 0"),
        (lambda: shortest_path(torch.zeros(3, 2).long(), 2, 5), r"edge_index is \[2, number of edges\]; got \[3, 2\]"),
        (lambda: anchor_distance(NOTHING, 2, [0, 2, -1], 5), r"anchors from 0 to 1, got \[2, -1\]"),
        (lambda: hub_distance(NOTHING, 2, 0, 5), "at least one hub, got 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
