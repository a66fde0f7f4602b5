"""What holds for every named layer: backends agree, batched equals alone, renumbered equals renumbered, edge cases work."""

import copy
import pickle

import pytest
import torch

from graphattn.testing import assert_backends_agree, assert_batched_equals_alone, assert_permutation_equivariant
from graphattn.topology import Edges, Full
from graphattn.zoo import TABLE

ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
F64 = torch.float64


def lists(sizes):
    """The same graphs as lists of edges: a ring in each graph, with a loop and a shortcut."""
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    pairs = [(s + i, s + (i + 1) % n) for s, n in zip(starts, sizes, strict=True) for i in range(n)]
    pairs += [(s + n - 1, s) for s, n in zip(starts, sizes, strict=True) if n > 2]
    pairs += [(s, s) for s, n in zip(starts, sizes, strict=True) if n > 1]
    return Edges(torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, sum(sizes))


@ROWS
@pytest.mark.parametrize("topology", [Full, lists])
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [3, 3], [0], [], [1], [2, 0, 5, 0]], ids=str)
def test_backends_agree(row, topology, sizes):
    layer = row.make().double()
    compared = assert_backends_agree(layer, torch.randn(sum(sizes), 8, dtype=F64), topology(sizes))
    assert "edgewise" in compared


@ROWS
@pytest.mark.parametrize("topology", [Full, lists])
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [0, 3, 0]], ids=str)
def test_batched_equals_alone(row, topology, sizes):
    assert_batched_equals_alone(row.make().double(), torch.randn(sum(sizes), 8, dtype=F64), sizes, topology)


@ROWS
def test_renumbered_nodes_give_renumbered_results(row):
    edge_index = lists([7]).edge_index()
    x = torch.randn(9, 8, dtype=F64)
    assert_permutation_equivariant(row.make().double(), x, edge_index, torch.randperm(9))
    everyone = row.make().double()
    assert_permutation_equivariant(lambda x, _: everyone(x, Full([9])), x, edge_index, torch.randperm(9))


@ROWS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_large_values_and_every_float_stay_finite(row, dtype):
    layer = row.make().to(dtype)
    for graph in (Full([5]), lists([5])):
        x = (torch.randn(5, 8) * 1e2).to(dtype).requires_grad_()
        out = layer(x, graph)
        out.sum().backward()
        assert out.dtype == dtype
        assert torch.isfinite(out).all()
        assert torch.isfinite(x.grad).all()


@ROWS
def test_an_isolated_node_hears_zero(row):
    layer = row.make()
    heard = []
    layer.register_aggregate_forward_hook(lambda *hook: heard.append(hook[-1]))
    layer(torch.randn(4, 8), torch.tensor([[0, 1], [1, 2]]))
    assert not heard[0][3].any()
    assert heard[0][2].any()


@ROWS
def test_a_plain_edge_index_is_read_anew_when_it_changes(row):
    layer, x, edge_index = row.make(), torch.randn(4, 8), torch.tensor([[0, 1, 3], [1, 2, 3]])
    before = layer(x, edge_index)
    assert torch.equal(before, layer(x, Edges(edge_index.clone(), 4)))
    edge_index[0, 0] = 2
    assert torch.equal(layer(x, edge_index), layer(x, Edges(edge_index.clone(), 4)))
    assert not torch.equal(before, layer(x, edge_index))
    more = torch.randn(6, 8)
    assert layer(more, edge_index).size(0) == 6


@ROWS
def test_layers_are_copied_pickled_and_reset(row):
    layer, x, graph = row.make(), torch.randn(5, 8), lists([5])
    truth = layer(x, graph)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x, graph), truth)
    fresh = row.make()
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x, graph), truth)
    layer.reset_parameters()
    assert not torch.equal(layer(x, graph), truth)


@ROWS
def test_layers_repeat_bit_by_bit(row):
    layer, x = row.make(), torch.randn(300, 8)
    for graph in (Full([100, 200]), lists([300])):
        assert torch.equal(layer(x, graph), layer(x, graph))


@ROWS
@pytest.mark.parametrize("topology", [Full, lists])
def test_layers_compile_into_one_graph(row, topology):
    layer, x, graph = row.make(), torch.randn(6, 8), topology([6])
    if isinstance(graph, Full):
        graph.plan()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, graph), layer(x, graph))
