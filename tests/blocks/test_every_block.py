"""What holds for every block: batched equals alone, renumbered equals renumbered, edge cases work, seeds are followed."""

import copy
import pickle
from itertools import accumulate, pairwise
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric.nn import GraphNorm

from graphattn.blocks import (
    GPS,
    Block,
    DecoderBlock,
    EncoderBlock,
    Graphormer,
    Mixer,
    Perceiver,
    Stack,
    SwiGLU,
    pre_norm,
    sandwich_norm,
    with_drop_path,
    with_layer_scale,
)
from graphattn.topology import Causal, Cross, Edges, Full, Star
from graphattn.zoo import GCN, SelfAttention

F64 = torch.float64


class Case(NamedTuple):
    """A block and all that it takes besides `x`, for graphs of some sizes whose nodes are renumbered by `order`."""

    make: object
    given: object
    rows: int | None = None  # of the result for each graph, where they are not its nodes
    moves: bool = True  # renumbered nodes give renumbered results


def ring(sizes, order):
    """A ring in each graph, with a loop at each node."""
    starts = [end - size for end, size in zip(accumulate(sizes), sizes, strict=True)]
    pairs = [(s + i, s + (i + 1) % n) for s, n in zip(starts, sizes, strict=True) for i in range(n)]
    pairs += [(node, node) for node in range(sum(sizes))]
    old = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    return Edges(order.argsort()[old], sum(sizes))


def around_the_ring(sizes, order):
    """How far a receiver is behind a sender on its ring, for all pairs."""
    graph = Full(sizes)
    sender, receiver = graph.edge_index()
    place = graph.places()[0][order]
    size = graph.degrees()[receiver]
    return {"distance": (place[receiver] - place[sender]).remainder(size).clamp(max=4)}


def memory(sizes):
    """Each graph brings one node more than it has, with states that depend on their place alone."""
    rows = [torch.arange(size + 1.0)[:, None] * torch.arange(1, 9) for size in sizes]
    return torch.cat([torch.zeros(0, 8), *rows]).sin()


def deep(sharing):
    layers = [SelfAttention(8, 2), GCN(8, 8)]
    placement = with_drop_path(with_layer_scale(sandwich_norm, 0.5), sharing)
    return Block(layers, 8, SwiGLU(8, 16), norm=GraphNorm, placement=placement)


CASES = {
    "Block": Case(lambda p: deep(p), lambda sizes, order: ([Full(sizes), ring(sizes, order)],)),
    "EncoderBlock": Case(lambda p: EncoderBlock(8, 2, dropout=p), lambda sizes, order: (Full(sizes),)),
    "Causal": Case(
        lambda p: EncoderBlock(8, 2, dropout=p, norm=nn.RMSNorm, placement=pre_norm),
        lambda sizes, order: (Causal(sizes),),
        moves=False,
    ),
    "Stack": Case(
        lambda p: Stack([EncoderBlock(8, 2, dropout=p) for _ in range(2)], nn.LayerNorm(8)),
        lambda sizes, order: (Full(sizes),),
    ),
    "DecoderBlock": Case(
        lambda p: DecoderBlock(8, 2, dropout=p),
        lambda sizes, order: (memory(sizes), Full(sizes), Cross([size + 1 for size in sizes], sizes)),
    ),
    "GPS": Case(
        lambda p: GPS(GCN(8, 8), SelfAttention(8, 2), 8, dropout=p),
        lambda sizes, order: (ring(sizes, order), Full(sizes)),
    ),
    "Graphormer": Case(
        lambda p: Graphormer(8, 2, farthest=4, dropout=p),
        lambda sizes, order: (Full(sizes), around_the_ring(sizes, order)),
    ),
    "Mixer": Case(
        lambda p: Mixer(8, places=9, hubs=6, dropout=p),
        lambda sizes, order: (Star(sizes, hubs=6), Star(sizes, hubs=6).reverse()),
        moves=False,
    ),
    "Perceiver": Case(
        lambda p: Perceiver(8, hubs=3, heads=2, dropout=p),
        lambda sizes, order: (Star(sizes, hubs=3), Full([3] * len(sizes))),
        rows=3,
    ),
}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def given(case, sizes, dtype=F64, order=None):
    made = case.given(sizes, torch.arange(sum(sizes)) if order is None else order)
    return [part.to(dtype) if isinstance(part, torch.Tensor) else part for part in made]


def drawn(case, dtype=F64):
    """A block in `eval`, its norms and scales neither zero nor one."""
    block = case.make(0.0)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block.to(dtype).eval()


@EVERY
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [3, 3], [1], [2, 0, 5, 0], [0], [0, 0], []], ids=str)
def test_batched_equals_alone(case, sizes):
    block, x = drawn(case), torch.randn(sum(sizes), 8, dtype=F64)
    together = block(x, *given(case, sizes))
    ends = [0, *accumulate(sizes)]
    alone = [block(x[start:end], *given(case, [end - start])) for start, end in pairwise(ends)]
    counts = sizes if case.rows is None else [case.rows] * len(sizes)
    assert together.shape == (sum(counts), 8)
    assert_close(together, torch.cat([*alone, x[:0]]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", [case for case in CASES.values() if case.moves])
def test_renumbered_nodes_give_renumbered_results(case):
    block, x, order = drawn(case), torch.randn(7, 8, dtype=F64), torch.randperm(7)
    result, moved = block(x, *given(case, [7])), block(x[order], *given(case, [7], order=order))
    assert_close(moved, result if case.rows else result[order], rtol=1e-9, atol=1e-9)


@EVERY
def test_blocks_are_copied_pickled_and_reset(case):
    block, x, graphs = drawn(case), torch.randn(5, 8, dtype=F64), given(case, [4, 1])
    truth = block(x, *graphs)
    for other in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        assert torch.equal(other(x, *graphs), truth)
    fresh = case.make(0.0).double().eval()
    fresh.load_state_dict(block.state_dict())
    assert torch.equal(fresh(x, *graphs), truth)
    before = {name: parameter.clone() for name, parameter in block.named_parameters()}
    block.reset_parameters()
    assert [name for name, parameter in block.named_parameters() if torch.equal(parameter, before[name])] == []


@EVERY
def test_blocks_compile_into_one_graph(case):
    block, x, graphs = case.make(0.4), torch.randn(7, 8), given(case, [4, 3], torch.float32)
    torch._dynamo.reset()
    compiled = torch.compile(block, fullgraph=True, backend="eager")
    torch.manual_seed(1)
    truth = block(x, *graphs)
    torch.manual_seed(1)
    assert_close(compiled(x, *graphs), truth)


@EVERY
@pytest.mark.filterwarnings(
    "ignore:There is a performance drop"
)  # torch's own: its fused CPU attention has no batching rule
def test_blocks_map_over_static_graphs(case):
    block, x, graphs = drawn(case), torch.randn(3, 7, 8, dtype=F64), given(case, [4, 3])
    mapped = torch.func.vmap(lambda x: block(x, *graphs))(x)
    assert_close(mapped, torch.stack([block(each, *graphs) for each in x]), rtol=1e-9, atol=1e-9)


@EVERY
def test_dropout_follows_the_seed_and_is_off_outside_training(case):
    block, x, graphs = case.make(0.4), torch.randn(10, 8), given(case, [6, 4], torch.float32)
    draws = []
    for seed in (1, 1, 2, 3, 4, 5):
        torch.manual_seed(seed)
        draws.append(block(x, *graphs))
    assert torch.equal(draws[0], draws[1])
    assert not all(torch.equal(draws[0], other) for other in draws[2:])
    block.eval()
    assert torch.equal(block(x, *graphs), block(x, *graphs))


@EVERY
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_large_values_and_every_float_stay_finite(case, dtype):
    block, x = case.make(0.0).to(dtype), (torch.randn(7, 8) * 1e4).to(dtype).requires_grad_()
    out = block(x, *given(case, [4, 1, 2], dtype))
    out.float().square().mean().backward()
    assert out.dtype == dtype
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()


@EVERY
def test_every_parameter_is_used(case):
    block = drawn(case).train()
    block(torch.randn(7, 8, dtype=F64), *given(case, [4, 3])).sin().sum().backward()
    silent = [name for name, parameter in block.named_parameters() if parameter.grad is None]
    assert silent == []
