"""What holds for every named layer: backends agree, batched equals alone, renumbered equals renumbered, edge cases work."""

import copy
import pickle

import pytest
import torch

from graphattn.testing import assert_backends_agree, assert_batched_equals_alone, assert_permutation_equivariant
from graphattn.topology import Edges, Full
from graphattn.zoo import TABLE

F64 = torch.float64


def lists(sizes):
    """The same graphs as lists of edges: a ring in each graph, with a loop and a shortcut."""
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    pairs = [(s + i, s + (i + 1) % n) for s, n in zip(starts, sizes, strict=True) for i in range(n)]
    pairs += [(s + n - 1, s) for s, n in zip(starts, sizes, strict=True) if n > 2]
    pairs += [(s, s) for s, n in zip(starts, sizes, strict=True) if n > 1]
    return Edges(torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, sum(sizes))


def wide(row):
    """The row's edge features in float64."""
    return lambda graph: {
        name: value.double() if value.is_floating_point() else value for name, value in row.edge(graph).items()
    }


BUILDERS = {"Full": Full, "Edges": lists}
ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
PAIRS = pytest.mark.parametrize(
    ("row", "topology"),
    [(row, BUILDERS[name]) for row in TABLE for name in row.topologies],
    ids=[f"{row.name}-{name}" for row in TABLE for name in row.topologies],
)
ON_EDGES = pytest.mark.parametrize("row", [row for row in TABLE if "Edges" in row.topologies], ids=lambda row: row.name)


@PAIRS
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [3, 3], [0], [], [1], [2, 0, 5, 0]], ids=str)
def test_backends_agree(row, topology, sizes):
    layer, graph = row.make().double(), topology(sizes)
    compared = assert_backends_agree(layer, torch.randn(sum(sizes), 8, dtype=F64), graph, wide(row)(graph))
    assert "edgewise" in compared


@PAIRS
def test_backends_drop_the_same_edges(row, topology):
    layer, graph = row.make().double().train(), topology([5, 9])
    layer.dropout = 0.4
    x, edge = torch.randn(14, 8, dtype=F64), wide(row)(graph)
    assert "edgewise" in assert_backends_agree(layer, x, graph, edge)
    assert not torch.equal(layer(x, graph, edge), layer.eval()(x, graph, edge))


@PAIRS
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [0, 3, 0]], ids=str)
def test_batched_equals_alone(row, topology, sizes):
    x = torch.randn(sum(sizes), 8, dtype=F64)
    assert_batched_equals_alone(row.make().double(), x, sizes, topology, wide(row))


@ON_EDGES
def test_renumbered_nodes_give_renumbered_results(row):
    graph = lists([7])
    layer, edge, x = row.make().double(), wide(row)(graph), torch.randn(9, 8, dtype=F64)
    assert_permutation_equivariant(lambda x, ends: layer(x, ends, edge), x, graph.edge_index(), torch.randperm(9))


@PAIRS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_large_values_and_every_float_stay_finite(row, topology, dtype):
    layer, graph = row.make().to(dtype), topology([5])
    x = (torch.randn(5, 8) * 1e2).to(dtype).requires_grad_()
    edge = {name: value.to(dtype) if value.is_floating_point() else value for name, value in row.edge(graph).items()}
    out = layer(x, graph, edge)
    out.sum().backward()
    assert out.dtype == dtype
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()


@ON_EDGES
def test_an_isolated_node_hears_zero(row):
    layer, graph = row.make(), Edges(torch.tensor([[0, 1], [1, 2]]), 4)
    heard = []
    layer.register_aggregate_forward_hook(lambda *hook: heard.append(hook[-1]))
    layer(torch.randn(4, 8), graph, row.edge(graph))
    assert not heard[0][3].any()
    assert heard[0][2].any()


@ON_EDGES
def test_a_plain_edge_index_is_read_anew_when_it_changes(row):
    layer, x, edge_index = row.make(), torch.randn(4, 8), torch.tensor([[0, 1, 3], [1, 2, 3]])
    edge = row.edge(Edges(edge_index, 4))
    before = layer(x, edge_index, edge)
    assert torch.equal(before, layer(x, Edges(edge_index.clone(), 4), edge))
    edge_index[0, 0] = 2
    assert torch.equal(layer(x, edge_index, edge), layer(x, Edges(edge_index.clone(), 4), edge))
    assert not torch.equal(before, layer(x, edge_index, edge))
    more = torch.randn(6, 8)
    assert layer(more, edge_index, edge).size(0) == 6


@PAIRS
def test_layers_are_copied_pickled_and_reset(row, topology):
    layer, x, graph = row.make(), torch.randn(5, 8), topology([5])
    edge = row.edge(graph)
    truth = layer(x, graph, edge)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x, graph, edge), truth)
    fresh = row.make()
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x, graph, edge), truth)
    layer.reset_parameters()
    assert not torch.equal(layer(x, graph, edge), truth)


@PAIRS
def test_layers_repeat_bit_by_bit(row, topology):
    layer, x, graph = row.make(), torch.randn(300, 8), topology([100, 200])
    edge = row.edge(graph)
    assert torch.equal(layer(x, graph, edge), layer(x, graph, edge))


@PAIRS
def test_layers_compile_into_one_graph(row, topology):
    layer, x, graph = row.make(), torch.randn(6, 8), topology([6])
    edge = row.edge(graph)
    if isinstance(graph, Full):
        graph.plan()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, graph, edge), layer(x, graph, edge))
