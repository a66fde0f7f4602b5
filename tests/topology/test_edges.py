"""Lists of edges: batches of bipartite graphs, types, attention masks as graphs."""

import copy
import pickle
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.nn import GCNConv
from torch_geometric.transforms import ToSparseTensor
from torch_geometric.utils import add_remaining_self_loops

from graphattn.backends import use_backend
from graphattn.topology import Edges, Full
from graphattn.zoo import GCN, SelfAttention

ENDS = torch.tensor([[0, 2, 3], [0, 0, 2]])
PTR = (torch.tensor([0, 3, 3, 5]), torch.tensor([0, 1, 2, 3]))


def attention():
    """Torch's attention and ours with the same parameters, float64."""
    theirs = nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    ours = SelfAttention(8, heads=2).double()
    said, out = ours.message_function, ours.update_function.linear
    with torch.no_grad():
        parts = zip(
            (said.query, said.key, said.value),
            theirs.in_proj_weight.chunk(3),
            theirs.in_proj_bias.chunk(3),
            strict=True,
        )
        for linear, weight, bias in parts:
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
    out.load_state_dict(theirs.out_proj.state_dict())
    return theirs, ours


def test_a_batch_of_bipartite_graphs():
    graph = Edges(ENDS, ptr=PTR)
    assert (graph.num_senders, graph.num_receivers, graph.num_graphs) == (5, 3, 3)
    assert graph.places()[0].tolist() == [0, 1, 2, 0, 1]
    assert graph.reverse().receivers.ptr.tolist() == PTR[0].tolist()
    part = graph.subgraph((torch.tensor([2, 3]), torch.tensor([0, 2])))
    assert part.edge_index().tolist() == [[0, 1], [0, 1]]
    assert part.senders.ptr.tolist() == [0, 1, 1, 2]


def test_types_follow_their_edges():
    graph = Edges(torch.tensor([[0, 1, 2, 2], [1, 2, 2, 0]]), 3, edge_type=torch.tensor([4, 1, 0, 1]))
    assert graph.num_edge_types == 5
    assert graph.reverse().edge_type().tolist() == [4, 1, 0, 1]
    assert graph.subgraph(torch.tensor([0, 2])).edge_type().tolist() == [0, 1]
    assert graph.with_self_loops().edge_type().tolist() == [4, 1, 1, 5, 5, 0]


@pytest.mark.parametrize("shape", [(4, 4), (2, 5), (3, 4, 4), (3, 2, 5), (2, 0, 3), (0, 2, 2)])
def test_a_mask_is_the_mask_of_its_graph(shape):
    mask = torch.rand(shape) < 0.5
    graph = Edges.from_mask(mask)
    blocks = mask if mask.dim() == 3 else mask[None]
    assert torch.equal(
        graph.mask(), torch.block_diag(*blocks.int()).bool().view(graph.num_receivers, graph.num_senders)
    )
    assert graph.num_graphs == len(blocks)
    assert (graph.senders is graph.receivers) == (shape[-1] == shape[-2])


def test_an_attention_mask_means_what_it_means_to_torch():
    theirs, ours = attention()
    heard = (torch.rand(5, 5) < 0.5) | torch.eye(5, dtype=torch.bool)
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    truth = theirs(x, x, x, attn_mask=~heard)[0]
    result = ours(x.flatten(0, 1), Edges.from_mask(heard.expand(3, 5, 5)))
    assert_close(result.view_as(truth), truth, rtol=1e-9, atol=1e-9)


def test_a_key_padding_mask_means_what_it_means_to_torch_and_full_needs_none():
    theirs, ours = attention()
    sizes, x = [5, 2, 3], torch.randn(3, 5, 8, dtype=torch.float64)
    padding = torch.arange(5) >= torch.tensor(sizes)[:, None]
    truth = theirs(x, x, x, key_padding_mask=padding)[0]
    result = ours(x.flatten(0, 1), Edges.from_padding(padding))
    assert_close(result.view_as(truth), truth, rtol=1e-9, atol=1e-9)
    assert_close(ours(x[~padding], Full(sizes)), truth[~padding], rtol=1e-9, atol=1e-9)


def test_key_padding_of_other_nodes_than_those_that_hear():
    theirs, ours = attention()
    x_j, x_i = torch.randn(2, 4, 8, dtype=torch.float64), torch.randn(2, 3, 8, dtype=torch.float64)
    padding = torch.tensor([[False, False, True, True], [False, True, False, False]])
    truth = theirs(x_i, x_j, x_j, key_padding_mask=padding)[0]
    graph = Edges.from_padding(padding, receivers=3)
    result = ours((x_j.flatten(0, 1), x_i.flatten(0, 1)), graph)
    assert_close(result.view_as(truth), truth, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Edges(ENDS, (5, 3), ptr=PTR[0]),
            r"\(senders, receivers\) in ptr for 5 senders and 3 receivers, got one",
        ),
        (lambda: Edges(ENDS, 5, ptr=PTR), r"one ptr for 5 nodes that are senders and receivers, got two"),
        (lambda: Edges(ENDS, (5, 4), ptr=PTR), r"expected ptr to end at 4 receivers, got 3"),
        (lambda: Edges(ENDS, (6, 3), ptr=PTR), r"expected ptr to end at 6 senders, got 5"),
        (
            lambda: Edges(ENDS, ptr=(PTR[0][[0, 1, 3]], PTR[1])),
            r"as many graphs of senders as of receivers, got 2 and 3",
        ),
        (lambda: Edges(ENDS, ptr=torch.tensor([0, 2, 4])), r"within one graph, got one from sender 2 to receiver 0"),
        (lambda: Edges(ENDS, edge_type=torch.tensor([1])), r"expected 3 types of edges, got \[1\]"),
        (lambda: Edges(ENDS, edge_type=torch.ones(3, 1).int()), r"expected 3 types of edges, got \[3, 1\]"),
        (lambda: Edges(ENDS, edge_type=torch.tensor([1, -2, 0])), r"expected types of edges of 0 or more, got -2"),
        (lambda: Edges(torch.empty(2, 0).long(), -1), r"expected num_nodes of 0 or more, got -1"),
        (lambda: Edges(torch.empty(2, 0).long(), (2, -3)), r"expected num_nodes of 0 or more, got \(2, -3\)"),
        (lambda: Edges(Data(x=torch.ones(3, 2))), r"a Data with an edge_index or adj_t, got Data\(x=\[3, 2\]\)"),
        (lambda: Edges.from_mask(torch.zeros(2, 2)), r"bool mask .* got torch.float32 of shape \[2, 2\]"),
        (lambda: Edges.from_mask(torch.ones(2, dtype=torch.bool)), r"got torch.bool of shape \[2\]"),
        (lambda: Edges.from_padding(torch.ones(2, dtype=torch.bool)), r"mask of shape \[B, m\], got \[2\]"),
    ],
)
def test_wrong_lists_are_refused_with_their_values(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def made_of(form):
    """A graph and the tensors that it was made from."""
    ends, types = torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 2]]), torch.tensor([0, 1, 2, 0, 1])
    ptr = torch.tensor([0, 3])
    given = {"int64": ends, "int32": ends.int(), "transposed": ends.t().contiguous().t(), "EdgeIndex": ends}[form]
    graph = Edges(EdgeIndex(given) if form == "EdgeIndex" else given, ptr=ptr, edge_type=types)
    return graph, [given, ptr, types]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("form", ["int64", "int32", "transposed", "EdgeIndex"])
def test_a_graph_owns_its_edges(form, grouped):
    graph, given = made_of(form)
    x, layer, truth = torch.randn(3, 8, requires_grad=True), SelfAttention(8, heads=2), made_of(form)[0]
    if grouped:
        graph.prepare()
    given += [graph.edge_index(), graph.edge_type(), graph.known_types()]
    for tensor in given:
        tensor.numpy()[...] = 10**6 if tensor.dtype == torch.long else 9
    assert torch.equal(graph.edge_index(), truth.edge_index())
    assert torch.equal(graph.edge_type(), truth.edge_type())
    assert torch.equal(graph.known_types(), truth.edge_type())
    assert graph.receivers.ptr.tolist() == [0, 3]
    assert torch.equal(graph.degrees(), truth.degrees())
    for force in ("csr", "edgewise"):
        with use_backend(force):
            out, same = layer(x, graph), layer(x, truth)
        assert_close(out, same)
        slopes = [torch.autograd.grad(each.sin().sum(), x)[0] for each in (out, same)]
        assert_close(*slopes)


@given(st.integers(0, 40), st.integers(1, 5), st.integers(1, 7), st.booleans())
def test_edges_keep_their_order_through_grouping(edges, senders, receivers, large):
    ends = torch.stack([torch.randint(senders, (edges,)), torch.randint(receivers, (edges,))])
    graph = Edges(ends, (2**31 + 5, receivers) if large else (senders, receivers))
    graph.by_receiver()
    assert torch.equal(graph.edge_index(), ends)
    assert graph.edge_index() is graph.edge_index()
    assert graph.num_edges == edges
    assert torch.equal(graph.degrees(), torch.bincount(ends[1], minlength=receivers))


def test_numbers_beyond_int32_are_not_wrapped():
    for number in (2**31, 2**32, 2**32 + 1, 2**40, -(2**32), -(2**32) + 1, -(2**31) - 1):
        with pytest.raises(ValueError, match=f"got {number} in edge_index"):
            Edges(torch.tensor([[0, 1], [1, number]]), 3)
    graph = Edges(torch.tensor([[2**31, 2**40], [1, 0]]), (2**40 + 1, 2))
    assert graph.by_receiver().other.tolist() == [2**40, 2**31]
    assert graph.edge_index()[0].tolist() == [2**31, 2**40]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_all_integers_of_torch_are_numbers_of_nodes(dtype):
    assert Edges(torch.tensor([[0, 1], [1, 2]], dtype=dtype)).edge_index().tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64, torch.float16, torch.float64])
def test_what_is_no_integer_is_no_number_of_a_node(dtype):
    with pytest.raises(ValueError, match=rf"expected an integer edge_index .*, got {dtype} of shape \[2, 2\]"):
        Edges(torch.ones(2, 2, dtype=dtype))


def test_a_copy_a_pickle_and_a_moved_graph_leave_the_list_behind():
    graph = Edges(torch.tensor([[0, 1], [1, 2]]), edge_type=torch.tensor([0, 1])).prepare()
    graph.known_types()
    for other in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph)), graph.to("cpu")):
        assert other._list is None
        assert other._known_types is None
        assert torch.equal(other.edge_index(), graph.edge_index())
        assert torch.equal(other.edge_type(), graph.edge_type())


def test_several_threads_group_one_graph():
    for _ in range(20):
        graph, start, found = Edges(torch.randint(50, (2, 6000))), threading.Barrier(4), []

        def group(graph=graph, start=start, found=found):
            start.wait()
            found.append((graph.num_edges, graph.by_sender(), graph.edge_index()))

        threads = [threading.Thread(target=group) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(torch.equal(each[1].other, found[0][1].other) and each[0] == 6000 for each in found)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Edges([[0], [1]]), r"expected an edge_index, a sparse matrix .*, got list"),
        (lambda: Edges(HeteroData()), r"got HeteroData"),
        (lambda: Edges(ENDS, 5.0), r"expected num_nodes as an integer or as \(senders, receivers\), got 5.0"),
        (lambda: Edges(ENDS, (5, 4, 3)), r"got \(5, 4, 3\)"),
        (lambda: Edges(ENDS, ptr=torch.tensor([0.0, 4.0])), r"expected integers in ptr, got torch.float32"),
        (lambda: Edges(ENDS, ptr=[0, 4]), r"expected integers in ptr, got list"),
        (lambda: Edges(ENDS, edge_type=torch.rand(3)), r"expected integers in edge_type, got torch.float32"),
        (lambda: Edges(ENDS, edge_type=torch.ones(3) > 0), r"expected integers in edge_type, got torch.bool"),
    ],
)
def test_what_is_no_list_of_edges_is_refused_with_its_kind(build, message):
    with pytest.raises(TypeError, match=message):
        build()


# torch warns that sparse layouts are in beta and unchecked.
@pytest.mark.filterwarnings("ignore:Sparse")
def test_edges_are_read_from_what_pyg_holds():
    one, two = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=4), Data(edge_index=ENDS[:, :1], num_nodes=1)
    graph = Edges(one)
    assert (graph.num_senders, graph.num_receivers, graph.num_graphs) == (4, 4, 1)
    batch = Batch.from_data_list([one, two, Data(edge_index=ENDS[:, :0], num_nodes=0)])
    graph = Edges(batch)
    assert graph.receivers.ptr.tolist() == [0, 4, 5, 5]
    assert graph.edge_index().tolist() == [[0, 1, 4], [1, 2, 4]]
    assert Edges(batch, ptr=torch.tensor([0, 5])).num_graphs == 1
    with pytest.raises(ValueError, match="expected sender numbers below 3, got 4"):
        Edges(batch, 3)
    assert Edges(ToSparseTensor(layout=torch.sparse_csr)(one.clone())).edge_index().tolist() == [[0, 1], [1, 2]]


@given(st.integers(0, 30), st.integers(1, 6))
def test_loops_are_added_as_pyg_adds_them(edges, nodes):
    ends = torch.randint(nodes, (2, edges))
    # Of several loops of a node PyG keeps any one's features: here they are alike.
    types = torch.where(ends[0] == ends[1], ends[0], torch.randint(nodes, (edges,)))
    graph = Edges(ends, nodes, edge_type=types).with_self_loops()
    fill = Edges(ends, nodes, edge_type=types).num_edge_types if edges else 1
    truth, filled = add_remaining_self_loops(ends, types, fill, nodes)
    assert torch.equal(graph.edge_index(), truth)
    assert torch.equal(graph.edge_type(), filled)
    assert torch.equal(Edges(ends, nodes).with_self_loops().edge_index(), truth)


def test_of_several_loops_of_a_node_one_stays_as_in_gcn():
    ends, x = torch.tensor([[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]), torch.randn(3, 8)
    theirs, ours = GCNConv(8, 4, bias=False), GCN(8, 4, bias=False)
    with torch.no_grad():
        ours.message_function.linear.weight.copy_(theirs.lin.weight)
    assert_close(ours(x, Edges(ends, 3).with_self_loops()), theirs(x, ends))
    typed = Edges(ends, 3, edge_type=torch.tensor([1, 2, 0, 4, 3])).with_self_loops()
    assert typed.edge_type().tolist() == [0, 4, 3, 5, 5]
