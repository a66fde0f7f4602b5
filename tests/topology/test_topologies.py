import copy
import pickle

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.utils import add_remaining_self_loops, to_torch_coo_tensor

from graphattn.backends import use_backend
from graphattn.topology import (
    Blockwise,
    Causal,
    Cross,
    Edges,
    Full,
    Grid,
    Line,
    Prefix,
    Star,
    Window,
    collate,
    graph_of,
    read_sizes,
    with_hubs,
)
from graphattn.zoo import SelfAttention

SIZES = st.lists(st.integers(0, 7), max_size=5)
FEW = st.integers(1, 3)
PADDING = st.one_of(st.integers(0, 3), st.just("same"))


def window(sizes, radius, dilation, causal):
    return Window(sizes, radius=radius, dilation=dilation, causal=causal)


def grid(shape, kernel, stride, dilation, padding, wrap):
    return Grid(*shape, kernel, 1 if padding == "same" else stride, dilation, padding, wrap, images=2)


@st.composite
def prefixes(draw):
    sizes = draw(SIZES)
    each = st.lists(st.integers(0, 9), min_size=len(sizes), max_size=len(sizes))
    return Prefix(sizes, prefix=draw(st.one_of(st.integers(0, 9), each)))


@st.composite
def crosses(draw):
    graphs = draw(st.integers(0, 4))
    sizes = st.lists(st.integers(0, 5), min_size=graphs, max_size=graphs)
    return Cross(draw(sizes), draw(sizes))


@st.composite
def edges(draw):
    senders, receivers = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    pairs = draw(
        st.lists(st.tuples(st.integers(0, senders - 1), st.integers(0, receivers - 1)), max_size=12, unique=True)
    )
    return Edges(torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, (senders, receivers))


BLOCKWISE = st.one_of(
    SIZES.map(Full),
    SIZES.map(Causal),
    st.builds(window, SIZES, st.integers(0, 8), FEW, st.booleans()),
    prefixes(),
    crosses(),
    st.builds(lambda sizes, hubs: Star(sizes, hubs=hubs), SIZES, FEW),
)
BLOCKWISE = st.one_of(BLOCKWISE, BLOCKWISE.map(lambda graph: graph.reverse()))
# A kernel wider than a circle hears a node twice; those below hear it once.
LATTICES = st.one_of(
    st.builds(lambda s, k, d, p: Line(s, k, 1, d, p), SIZES, FEW, FEW, PADDING),
    st.builds(lambda s, k, t: Line(s, k, t, 1, 1), SIZES, FEW, FEW),
    st.builds(grid, st.tuples(st.integers(0, 4), st.integers(0, 4)), FEW, FEW, FEW, PADDING, st.just(False)),
    st.builds(grid, st.tuples(st.integers(3, 4), st.integers(3, 4)), FEW, FEW, st.just(1), PADDING, st.just(True)),
)
SIMPLE = st.one_of(BLOCKWISE, LATTICES, edges())
HUBBED = st.builds(with_hubs, SIMPLE.filter(lambda graph: graph.senders is graph.receivers), FEW)
TOPOLOGIES = st.one_of(SIMPLE, HUBBED)


def listed(graph):
    """How often each receiver hears each sender, from the list of edges."""
    sender, receiver = graph.edge_index()
    times = torch.zeros(graph.num_receivers, graph.num_senders, dtype=torch.long)
    return times.index_put((receiver, sender), torch.ones_like(sender), accumulate=True)


@given(TOPOLOGIES)
def test_list_mask_predicate_counts_and_degrees_agree(graph):
    sender, receiver = graph.edge_index()
    times = listed(graph)
    assert torch.equal(graph.mask(), times.bool())
    assert times.max() <= 1 if times.numel() else True
    assert graph.num_edges == sender.numel() == int(times.sum())
    assert graph.degrees().tolist() == times.sum(1).tolist()
    assert bool(graph.keep(receiver, sender).all())
    assert repr(graph.num_edges) in repr(graph)


@given(TOPOLOGIES)
def test_graphs_of_a_batch_never_touch(graph):
    sender, receiver = graph.edge_index()
    assert torch.equal(graph_of(graph.senders.ptr, sender), graph_of(graph.receivers.ptr, receiver))


@given(BLOCKWISE)
def test_edges_of_blocks_are_receiver_major_and_known_by_number(graph):
    sender, receiver = graph.edge_index()
    key = receiver * max(graph.num_senders, 1) + sender
    assert torch.equal(key, key.sort().values)
    assert torch.equal(graph.edge_number(receiver, sender), torch.arange(graph.num_edges))
    assert torch.equal(graph.receiver_of(torch.arange(graph.num_edges)), receiver)


@given(BLOCKWISE)
def test_tiles_hold_every_edge_once_and_know_the_way_back(graph):
    plan = graph.plan()
    sender, receiver = graph.edge_index()
    number = graph.pair_of(torch.arange(graph.num_edges))
    parts = [
        (tile.edge, tile.receiver[:, :, None].expand_as(tile.edge), tile.sender[:, None, :].expand_as(tile.edge))
        for tile in plan.tiles
    ]
    none = torch.empty(0, dtype=torch.long)
    edge, listening, speaking = (torch.cat([none, *(part[k].flatten() for part in parts)])[number] for k in range(3))
    assert edge.tolist() == list(range(graph.num_edges))
    assert torch.equal(listening, receiver)
    assert torch.equal(speaking, sender)
    rows = torch.cat([*(tile.receiver.flatten() for tile in plan.tiles), torch.tensor([-1])])
    laid = graph.degrees() > 0
    assert rows[plan.row][laid].tolist() == torch.arange(graph.num_receivers)[laid].tolist()
    assert rows[plan.row][~laid].eq(-1).all()
    assert graph.plan() is plan


@given(BLOCKWISE)
def test_a_tile_keeps_its_edges_and_nothing_else(graph):
    for tile in graph.plan().tiles:
        real = torch.ones_like(tile.edge, dtype=torch.bool)
        real &= True if tile.real_receiver is None else tile.real_receiver[:, :, None]
        real &= True if tile.real_sender is None else tile.real_sender[:, None, :]
        heard = graph.keep(tile.receiver[:, :, None], tile.sender[:, None, :]) & real
        assert not tile.edge[~heard].any()
        assert (tile.keep is None) == torch.equal(heard, real)
        if tile.keep is not None:
            assert torch.equal(tile.keep & real, heard)
            assert tile.keep.any(-1).all()
        if tile.causal:
            assert torch.equal(heard, real & torch.ones_like(real).tril())


def test_tiles_are_causal_or_complete_where_their_edges_are():
    assert [tile.causal for tile in Causal([4, 9, 300]).plan().tiles] == [True] * 2
    assert Window([4, 4], radius=3, causal=True).plan().tiles[0].causal
    assert Prefix([5], prefix=1).plan().tiles[0].causal
    assert Window([4, 4], radius=3).plan().tiles[0].keep is None
    assert not Prefix([5], prefix=2).plan().tiles[0].causal


def test_little_of_a_tile_is_padding():
    graph = Full([50, 1300, 220, 230, 240, 70, 610])
    assert sum(tile.edge.numel() for tile in graph.plan().tiles) < 1.2 * graph.num_edges
    assert graph.plan().tiles[0].whole is False
    assert Full([4, 4]).plan().tiles[0].whole is True


@given(TOPOLOGIES)
def test_pickled_and_moved_topologies_are_the_same(graph):
    for other in (pickle.loads(pickle.dumps(graph)), graph.to("cpu"), copy.deepcopy(graph)):
        assert torch.equal(other.edge_index(), graph.edge_index())
        assert torch.equal(other.mask(), graph.mask())
        assert (other.num_senders, other.num_receivers) == (graph.num_senders, graph.num_receivers)
        assert repr(other) == repr(graph)
        assert (other.senders is other.receivers) == (graph.senders is graph.receivers)


def test_a_moved_topology_takes_all_its_tensors_along():
    for graph in (Causal([3, 2]), Prefix([3], prefix=1), Grid(2, 2), with_hubs(Edges(torch.tensor([[0], [1]])))):
        graph.edge_index()
        moved = graph.to("meta")
        assert type(moved) is type(graph)
        assert set(devices(moved)) == {"meta"}
        assert set(devices(graph)) == {"cpu"}
    planned = Causal([3, 2])
    planned.plan()
    assert planned.to("meta").plan().row.is_meta


def devices(value):
    if isinstance(value, torch.Tensor):
        yield value.device.type
    for part in (
        value if isinstance(value, tuple | list) else vars(value).values() if hasattr(value, "__dict__") else ()
    ):
        if not isinstance(part, str | int):
            yield from devices(part)


@given(TOPOLOGIES)
def test_the_reverse_has_every_edge_turned_round(graph):
    back = graph.reverse()
    assert torch.equal(listed(back), listed(graph).T)
    assert torch.equal(back.mask(), graph.mask().T)
    assert back.num_edges == graph.num_edges
    assert back.degrees().tolist() == listed(graph).sum(0).tolist()
    assert torch.equal(back.reverse().mask(), graph.mask())


def test_reverses_that_have_a_name():
    for graph in (Full([3]), Window([4], radius=1)):
        assert graph.reverse() is graph
    assert type(Star([3]).reverse()) is Cross
    causal = Causal([3])
    assert causal.reverse().reverse() is causal


@given(TOPOLOGIES, st.randoms(use_true_random=False))
def test_a_subgraph_has_the_edges_among_its_nodes(graph, random):
    same = graph.senders is graph.receivers
    senders = torch.tensor([random.random() < 0.6 for _ in range(graph.num_senders)], dtype=torch.bool)
    receivers = senders if same else torch.rand(graph.num_receivers) < 0.5
    for by in (lambda mask: mask, lambda mask: mask.nonzero().flatten()):
        part = graph.subgraph(by(senders) if same else (by(senders), by(receivers)))
        assert torch.equal(part.mask(), graph.mask()[receivers][:, senders])
        assert part.num_graphs == graph.num_graphs
        assert (part.senders is part.receivers) == same


@given(TOPOLOGIES.filter(lambda graph: graph.senders is graph.receivers))
def test_with_self_loops_every_node_hears_itself_once_and_nothing_else_changes(graph):
    looped = graph.with_self_loops()
    itself = torch.eye(graph.num_receivers, dtype=torch.long)
    assert torch.equal(listed(looped), listed(graph).maximum(itself))


@given(TOPOLOGIES)
def test_collated_topologies_stand_behind_each_other(graph):
    both = collate([graph, graph])
    assert type(both) is type(graph)
    assert torch.equal(both.mask(), torch.block_diag(graph.mask().int(), graph.mask().int()).bool())
    assert both.num_graphs == 2 * graph.num_graphs
    types = graph.edge_type()
    if types is not None:
        order = graph_of(both.receivers.ptr, both.edge_index()[1]) < graph.num_graphs
        assert torch.equal(both.edge_type()[order], types)


@given(TOPOLOGIES)
def test_a_list_of_the_edges_is_the_same_graph(graph):
    plain = graph.as_edges()
    assert torch.equal(plain.edge_index(), graph.edge_index())
    assert torch.equal(plain.mask(), graph.mask())
    assert torch.equal(plain.receivers.ptr, graph.receivers.ptr)
    assert (plain.senders is plain.receivers) == (graph.senders is graph.receivers)


def test_topologies_travel_in_pyg_batches():
    data = [Data(x=torch.zeros(n, 1), graph=Causal([n])) for n in (3, 1)]
    for batch in (Batch.from_data_list(data), next(iter(DataLoader(data, batch_size=2)))):
        assert repr(collate(batch.graph)) == repr(Causal([3, 1]))
        assert {graph.receivers.ptr.device.type for graph in batch.to("meta").graph} == {"meta"}


def test_counts_need_no_list(monkeypatch):
    monkeypatch.setattr(Blockwise, "edge_index", lambda self: pytest.fail("the edges were listed"))
    monkeypatch.setattr(Grid, "_make_list", lambda self: pytest.fail("the edges were listed"))
    n = 100_000
    assert Causal([n]).num_edges == n * (n + 1) // 2
    assert Causal([n]).reverse().num_edges == n * (n + 1) // 2
    assert Full([n]).num_edges == n * n
    assert Window([n], radius=1000).num_edges == n * 2001 - 1000 * 1001
    assert Prefix([n], prefix=10).num_edges == n * (n + 1) // 2 + 45
    assert with_hubs(Causal([n])).num_edges == n * (n + 1) // 2 + 2 * n + 1
    assert (Causal([n]) | Full([n])).num_edges == n * (3 * n + 1) // 2
    assert Grid(300, 300).num_edges == 898**2
    assert str(Causal([n])) == "Causal(graphs=1, receivers=100000, senders=100000, edges=5000050000)"


def test_sizes_are_read_from_whatever_the_user_holds():
    ptr, batch = torch.tensor([0, 2, 2, 5]), torch.tensor([0, 0, 2, 2, 2])
    for kind in (
        Causal,
        lambda *a, **k: Window(*a, radius=1, **k),
        lambda *a, **k: Prefix(*a, prefix=1, **k),
        lambda *a, **k: Line(read_sizes(*a, **k)),
        lambda *a, **k: Cross(read_sizes(*a, **k), [1, 1, 1]),
    ):
        truth = kind([2, 0, 3]).mask()
        assert torch.equal(kind(ptr=ptr).mask(), truth)
        assert torch.equal(kind(batch=batch, num_graphs=3).mask(), truth)


@pytest.mark.parametrize("graph", [Causal([3, 5]), Line([3, 5])], ids=lambda graph: type(graph).__name__)
def test_what_is_made_in_inference_mode_serves_in_training(graph):
    layer, x = SelfAttention(8), torch.randn(8, 8)
    with torch.inference_mode():
        layer(x, graph)
    layer(x, graph).sum().backward()
    assert layer.message_function.value.weight.grad.any()


@pytest.mark.parametrize("name", ["dense", "edgewise"])
def test_a_language_model_does_not_hear_the_future(name):
    layer, x = SelfAttention(8), torch.randn(6, 8)
    changed = x.clone()
    changed[4] += 1
    with use_backend(name):
        moved = (layer(x, Causal([6])) != layer(changed, Causal([6]))).any(1)
    assert moved.tolist() == [False] * 4 + [True] * 2


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
    assert torch.equal(ours, theirs)
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
        (lambda: Causal([3]).edge_number(torch.tensor([2, 0]), torch.tensor([1, 1])), r"Causal.* got receiver 0 and sender 1"),
        (lambda: Window([2], radius=-1), r"got radius=-1 and dilation=1"),
        (lambda: Window([2], radius=1, dilation=0), r"got radius=1 and dilation=0"),
        (lambda: Prefix([2], prefix=-2), r"one for each of 1 graphs, got -2"),
        (lambda: Prefix([2], prefix=[1, 3]), r"one for each of 1 graphs, got \[1, 3\]"),
        (lambda: Cross([2], [1, 1]), r"as many graphs of senders as of receivers, got 1 and 2"),
        (lambda: Cross([2], [2]).with_self_loops(), r"the same nodes for self-loops, got a Cross of two sets"),
        (lambda: Full([3]).subgraph(torch.tensor([2, 1])), r"expected rising node numbers from 0 to 2, got \[2, 1\]"),
        (lambda: Full([3]).subgraph(torch.tensor([3])), r"from 0 to 2, got \[3\]"),
        (lambda: Full([3]).subgraph(torch.ones(2, dtype=torch.bool)), r"a mask of shape \[3\] for 3 nodes, got \[2\]"),
        (lambda: Full([3]).subgraph((torch.tensor([0]), torch.tensor([0]))), r"expected one tensor of nodes.*got a pair"),
        (lambda: Cross([3], [2]).subgraph(torch.tensor([0])), r"expected \(senders, receivers\).*got one tensor"),
        (lambda: collate([]), r"expected one topology or more, got none"),
        (lambda: collate([Full([2]), Causal([3])]), r"of one kind with the same options, got Full.* and Causal"),
        (lambda: collate([Window([2], radius=1), Window([2], radius=2)]), r"got Window\(radius=1.* and Window\(radius=2"),
    ],
)  # fmt: skip
def test_wrong_topologies_are_refused_with_their_values(build, message):
    with pytest.raises(ValueError, match=message):
        build()


class Holding(torch.nn.Module):
    """A model that holds its graph."""

    def __init__(self, graph):
        super().__init__()
        self.layer, self.graph = SelfAttention(8), graph

    def forward(self, x):
        return self.layer(x, self.graph)


@pytest.mark.parametrize("graph", [Causal([3, 2]), Causal([5]) | Line([5])], ids=lambda graph: type(graph).__name__)
def test_a_model_that_was_called_once_is_exported_with_its_graph(graph):
    model, x = Holding(graph), torch.randn(5, 8)
    truth = model(x)
    assert torch.equal(torch.export.export(model, (x,)).module()(x), truth)


def test_a_trace_leaves_nothing_behind_in_the_graph():
    model, x = Holding(Line([3, 2])), torch.randn(5, 8)
    exported = torch.export.export(model, (x,)).module()(x)
    assert type(model.graph.edge_index()) is torch.Tensor
    torch.testing.assert_close(exported, model(x))
