import pickle

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric import EdgeIndex
from torch_geometric.utils import add_remaining_self_loops, to_torch_coo_tensor

from graphattn.topology import Edges, Full, Star, graph_of

SIZES = st.lists(st.integers(0, 7), max_size=5)


@st.composite
def edges(draw):
    senders, receivers = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    pairs = draw(
        st.lists(st.tuples(st.integers(0, senders - 1), st.integers(0, receivers - 1)), max_size=12, unique=True)
    )
    return Edges(torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, (senders, receivers))


TOPOLOGIES = st.one_of(
    SIZES.map(Full), st.builds(lambda sizes, hubs: Star(sizes, hubs=hubs), SIZES, st.integers(1, 3)), edges()
)


@given(TOPOLOGIES)
def test_list_mask_predicate_counts_and_degrees_agree(graph):
    sender, receiver = graph.edge_index()
    mask = torch.zeros(graph.num_receivers, graph.num_senders, dtype=torch.bool)
    mask[receiver, sender] = True
    assert torch.equal(graph.mask(), mask)
    assert graph.num_edges == sender.numel() == int(mask.sum())
    assert graph.degrees().tolist() == mask.sum(1).tolist()
    assert bool(graph.keep(receiver, sender).all())
    assert repr(graph.num_edges) in repr(graph)


@given(SIZES, st.integers(1, 3))
def test_graphs_of_a_batch_never_touch_and_edges_are_receiver_major(sizes, hubs):
    for graph in (Full(sizes), Star(sizes, hubs=hubs)):
        sender, receiver = graph.edge_index()
        assert torch.equal(graph_of(graph.senders.ptr, sender), graph_of(graph.receivers.ptr, receiver))
        key = receiver * max(graph.num_senders, 1) + sender
        assert torch.equal(key, key.sort().values)
        assert torch.equal(graph.edge_number(receiver, sender), torch.arange(graph.num_edges))
        assert torch.equal(graph.receiver_of(torch.arange(graph.num_edges)), receiver)


@given(SIZES, st.integers(1, 3))
def test_tiles_hold_every_pair_once_and_know_the_way_back(sizes, hubs):
    for graph in (Full(sizes), Star(sizes, hubs=hubs)):
        plan = graph.plan()
        edge = torch.cat([torch.empty(0, dtype=torch.long), *(tile.edge.flatten() for tile in plan.tiles)])
        receiver = torch.cat([*(tile.receiver.flatten() for tile in plan.tiles), torch.tensor([-1])])
        assert edge[graph.pair_of(torch.arange(graph.num_edges))].tolist() == list(range(graph.num_edges))
        heard = graph.degrees() > 0
        assert receiver[plan.row][heard].tolist() == torch.arange(graph.num_receivers)[heard].tolist()
        assert receiver[plan.row][~heard].eq(-1).all()
        assert graph.plan() is plan


def test_little_of_a_tile_is_padding():
    graph = Full([5, 130, 22, 23, 24, 7, 61])
    assert sum(tile.edge.numel() for tile in graph.plan().tiles) < 1.2 * graph.num_edges
    assert graph.plan().tiles[0].whole is False
    assert Full([4, 4]).plan().tiles[0].whole is True


@given(TOPOLOGIES)
def test_pickled_and_moved_topologies_are_the_same(graph):
    for other in (pickle.loads(pickle.dumps(graph)), graph.to("cpu")):
        assert torch.equal(other.edge_index(), graph.edge_index())
        assert (other.num_senders, other.num_receivers) == (graph.num_senders, graph.num_receivers)
        assert repr(other) == repr(graph)
        assert (other.senders is other.receivers) == (graph.senders is graph.receivers)


def test_a_star_of_no_graphs_and_a_trailing_empty_graph():
    assert Star([]).num_receivers == 0
    star = Star([2, 0], hubs=2)
    assert (star.num_receivers, star.degrees().tolist()) == (4, [2, 2, 0, 0])


def test_networkx_has_arcs_from_sender_to_receiver():
    graph = Edges(torch.tensor([[0, 0, 2], [1, 1, 0]])).to_networkx()
    assert sorted(graph.edges()) == [(0, 1), (0, 1), (2, 0)]
    assert networkx.number_of_nodes(graph) == 3
    star = Star([1, 1]).to_networkx()
    assert sorted(star.edges()) == [(("sender", 0), ("receiver", 0)), (("sender", 1), ("receiver", 1))]


# torch announces that sparse tensors are in beta and that it skips their checks.
@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_sparse_matrices_are_receiver_by_sender(layout):
    edge_index = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 3]])
    adjacency = to_torch_coo_tensor(edge_index, size=(4, 4)).t().coalesce()
    dense = Edges(edge_index, 4).mask()
    assert torch.equal(adjacency.to_dense() != 0, dense)
    matrix = adjacency if layout == torch.sparse_coo else adjacency.to_dense().to_sparse(layout=layout)
    assert torch.equal(Edges(matrix).mask(), dense)


@pytest.mark.filterwarnings("ignore:Sparse")
def test_a_rectangular_matrix_is_bipartite():
    graph = Edges(torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]).to_sparse_csr())
    assert (graph.num_receivers, graph.num_senders, graph.num_edges) == (2, 3, 3)


def test_an_edge_index_of_pyg_and_of_int32():
    plain = torch.tensor([[0, 1], [1, 2]])
    for given_edges in (EdgeIndex(plain, sparse_size=(3, 3)), plain.int()):
        graph = Edges(given_edges)
        assert type(graph.edge_index()) is torch.Tensor
        assert torch.equal(graph.edge_index(), plain)


def test_self_loops_are_those_of_pyg_and_full_has_them():
    edge_index = torch.tensor([[0, 1, 1], [0, 1, 2]])
    ours = Edges(edge_index, 4).with_self_loops().edge_index()
    theirs = add_remaining_self_loops(edge_index, num_nodes=4)[0]
    assert sorted(ours.T.tolist()) == sorted(theirs.T.tolist())
    full = Full([2])
    assert full.with_self_loops() is full


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Edges(torch.zeros(3, 2, dtype=torch.long)), r"edge_index of shape \[2, E\], got torch.int64 of shape \[3, 2\]"),
        (lambda: Edges(torch.zeros(2, 2)), r"got torch.float32 of shape \[2, 2\]"),
        (lambda: Edges(torch.tensor([[0], [-3]])), r"expected node numbers of 0 or more, got -3"),
        (lambda: Edges(torch.tensor([[5], [0]]), 3), r"expected sender numbers below 3, got 5"),
        (lambda: Edges(torch.tensor([[0], [4]]), (9, 3)), r"expected receiver numbers below 3, got 4"),
        (lambda: Edges(torch.tensor([[0], [1]]), (2, 3)).with_self_loops(), r"got 2 senders and 3 receivers"),
        (lambda: Star([2], hubs=0), r"expected at least one hub per graph, got hubs=0"),
        (lambda: Star([2]).with_self_loops(), r"the same nodes for self-loops, got a Star of nodes and hubs"),
        (lambda: Full([2, 2]).edge_number(torch.tensor([0, 1]), torch.tensor([1, 3])), r"got receiver 1 and sender 3"),
    ],
)  # fmt: skip
def test_wrong_topologies_are_refused_with_their_values(build, message):
    with pytest.raises(ValueError, match=message):
        build()
