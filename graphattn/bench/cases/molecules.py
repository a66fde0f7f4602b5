"""A batch of molecules as full graphs, with a learned bias by bond type or distance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from graphattn.backends import use_backend
from graphattn.bench import graphs, peers
from graphattn.bench.cases.sparse import attended, attention, states
from graphattn.bench.comparison import (
    BOTH,
    FORWARD,
    OURS,
    TRAINING,
    Comparison,
    Result,
    both_passes,
    trained,
    with_backward,
)
from graphattn.edge_terms import LinearBias
from graphattn.models import MoleculeTransformer
from graphattn.topology import Full
from graphattn.zoo import SelfAttention

_HEADS, _CHANNELS = 8, 16
DENSE, GPS = "graphattn, dense backend", "PyG GPSConv's attention"


def alone(shrink: int = 1) -> Iterator[Comparison]:
    """Attention without linear maps, against PyG on edges and against padding."""
    batch, graph, padded, laid = _batch(shrink)
    bias = LinearBias("pair", batch.kinds, _HEADS)
    edge = {"pair": torch.eye(batch.kinds), "pair_kind": batch.pair_kind}
    query, key, value = leaves = states(graph.num_receivers, _HEADS, _CHANNELS)
    ours, edge_index = attended(attention(_HEADS, _CHANNELS, bias), graph, edge), graph.edge_index()
    table = bias.linear.weight

    def on_edges() -> Tensor:
        listed = table.t().index_select(0, batch.pair_kind)
        return peers.biased_propagation(query, key, value, edge_index, listed)

    sides: dict[str, Callable[[], Tensor]] = {
        OURS: lambda: ours(query, key, value),
        "PyG": on_edges,
        "padded SDPA": lambda: padded.attention(query, key, value, peers.bias_of_kinds(table, laid)),
    }
    sizes = f"{padded.graphs} molecules, {graph.num_receivers:,} atoms, {graph.num_edges:,} pairs, H8C16"
    yield from both_passes(sizes, sides, (*leaves, table))


def layer(shrink: int = 1) -> Iterator[Comparison]:
    """Attention with its linear maps, against that of GPSConv: ``to_dense_batch`` and ``nn.MultiheadAttention``."""
    batch, graph, padded, laid = _batch(shrink)
    width = _HEADS * _CHANNELS
    ours = SelfAttention(width, _HEADS, edge_bias=LinearBias("pair", batch.kinds, _HEADS))
    edge = {"pair": torch.eye(batch.kinds), "pair_kind": batch.pair_kind}
    x = torch.randn(graph.num_receivers, width, requires_grad=True)
    message, out = ours.get_submodule("message_function"), ours.update_function
    projections = [message.get_submodule(name) for name in ("query", "key", "value")]
    table = message.get_parameter("edge_bias.linear.weight")
    theirs = peers.multihead(projections, out.get_submodule("linear"), _HEADS)

    def gps() -> Tensor:
        dense, mask = padded.dense(x), peers.bias_of_kinds(table, laid).flatten(0, 1)
        return theirs(dense, dense, dense, attn_mask=mask, need_weights=False)[0][padded.real]

    def bare() -> Tensor:
        query, key, value = (maps(x).view(-1, _HEADS, _CHANNELS) for maps in projections)
        return out(None, padded.attention(query, key, value, peers.bias_of_kinds(table, laid)))

    sides = {OURS: lambda: ours(x, graph, edge), "padded SDPA": bare, GPS: gps}
    weights, biases = zip(*(maps.parameters() for maps in projections), strict=True)
    mine = [*weights, *biases, *out.parameters(), table, x]
    leaves = {OURS: mine, "padded SDPA": mine, GPS: [*theirs.parameters(), table, x]}
    sizes = f"{padded.graphs} molecules, {graph.num_receivers:,} atoms, {graph.num_edges:,} pairs, {width} channels"
    yield Comparison(FORWARD, sizes, {side: torch.no_grad()(step) for side, step in sides.items()})
    yield Comparison(BOTH, sizes, {side: with_backward(step, leaves[side]) for side, step in sides.items()})


def model(shrink: int = 1) -> Iterator[Comparison]:
    """A training step of the molecule model that ``graphattn train`` trains, against the same on padded blocks."""
    batch = graphs.molecules(max(256 // shrink, 4))
    network: nn.Module = MoleculeTransformer(outputs=1, dropout=0.0)
    step = trained(network, (batch.batch,), tuple(network.parameters()))

    def dense() -> Result:
        with use_backend("dense"):
            return step()

    sizes = f"{batch.ptr.numel() - 1} molecules, {int(batch.ptr[-1]):,} atoms"
    yield Comparison(TRAINING, sizes, {OURS: step, DENSE: dense})


def _batch(shrink: int) -> tuple[graphs.MoleculeBatch, Full, peers.Padded, Tensor]:
    """The molecules, their complete graphs, their layout with padding, and the kind of each pair there."""
    batch = graphs.molecules(max(256 // shrink, 4))
    graph, padded = Full(ptr=batch.ptr), peers.Padded(batch.ptr)
    return batch, graph, padded, padded.pairs(batch.pair_kind, graph.edge_index(), filling=batch.kinds)
