"""Attention on structured topologies by torch's ``flex_attention``: blocks without edges are never computed.

A batch of unequal graphs is one row of nodes: nothing is padded, and edges are read from each receiver's run of senders.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import dense
from graphattn.backends.triton.usable import why_not_here
from graphattn.backends.twice import differentiable
from graphattn.backends.watched import watched
from graphattn.lasting import lasting
from graphattn.message import Attend
from graphattn.score.base import is_product
from graphattn.slots import Inputs
from graphattn.topology import Blockwise, Causal, Cross, Full, Star, Topology

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

    from graphattn.layer import GraphLayer

BLOCK = 128
"""Nodes of a block, of receivers and of senders."""
_LEAST = 16
_masks: WeakKeyDictionary[Blockwise, BlockMask] = WeakKeyDictionary()


@final
class Flex:
    """Fused attention with a mask of blocks, on CUDA; ``dense`` serves graphs of equal size that need no mask or a causal one."""

    name = "flex"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        # The device first: no size is read elsewhere, as each would be compiled for itself.
        yield from _why_not_here(inputs.senders.get("value"))
        message = layer.message_function
        if not isinstance(graph, Blockwise):
            yield f"needs a topology of runs of senders (Blockwise), got {type(graph).__name__}"
        elif not graph.num_receivers or not graph.num_senders:
            yield "needs at least one sender and one receiver, got an empty graph"
        elif isinstance(graph, (Full, Cross, Star, Causal)) and graph.receivers.equal and graph.senders.equal:
            yield "needs graphs of unequal size: equal ones are one call of scaled_dot_product_attention"
        if isinstance(message, Attend):
            yield from _why_not_this_message(message, inputs)
        else:
            yield f"needs the message Attend, got {type(message).__name__}"
        if not isinstance(layer.aggregation, SoftmaxSum):
            yield f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}"
        if inputs.seed is not None:
            yield "needs messages of which none is dropped"
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message = layer.message_function
        assert isinstance(graph, Blockwise)
        assert isinstance(message, Attend)
        assert is_product(message.score)
        query, key, value = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        return attention(query, key, value, graph, message.score.factor(query.size(-1)))


def attention(query: Tensor, key: Tensor, value: Tensor, graph: Blockwise, scale: float) -> Tensor:
    r"""Attention over the nodes of all graphs in one row.

    .. math:: o_i = \sum_{j \in N(i)} \text{softmax}_j(c\, q_i \cdot k_j)\, v_j

    Shapes: ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]`` -> ``[N_i, H, D]``.
    """
    from torch.nn.attention.flex_attention import flex_attention

    rows: Any = [state.transpose(0, 1)[None] for state in (query, key, value)]
    # On the CPU torch has no fused kernel to compile, and no gradients.
    compiled = query.is_cuda and not torch.compiler.is_compiling()
    attend: Any = _compiled() if compiled else flex_attention
    out = attend(*rows, block_mask=mask_of(graph), scale=scale)[0].transpose(0, 1)
    return differentiable(out, partial(gradients, graph, scale), query, key, value)


def gradients(
    graph: Blockwise, scale: float, grad: Tensor, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of queries, keys and values in plain operators, tile by tile, which can be differentiated again."""
    states = (query, key, value)
    found = [torch.zeros_like(state) for state in states]
    for tile in graph.narrow_plan().tiles:
        laid = dense.lay_out(tile, *states)
        laid_grad = dense.lay_out(tile, grad, key, value).query
        real = tile.real_receiver
        laid_grad = laid_grad if real is None else laid_grad * real.unsqueeze(-1)
        parts = dense.gradients(tile, scale, laid_grad, *laid)
        for k, (node, part) in enumerate(zip((tile.receiver, tile.sender, tile.sender), parts, strict=True)):
            found[k] = found[k].index_add(0, node.flatten(), part.permute(1, 2, 0, 3).flatten(0, 1))
    return tuple(found)


def mask_of(graph: Blockwise) -> BlockMask:
    """Pairs of blocks with edges, made once for a graph."""
    # What a compiler traces must not outlive the trace.
    if torch.compiler.is_compiling():
        return make_mask(graph)
    if graph not in _masks:
        with lasting(graph.receivers.ptr):
            _masks[graph] = make_mask(graph)
    return _masks[graph]


def make_mask(graph: Blockwise, block: int = BLOCK) -> BlockMask:
    """The mask of blocks, from each receiver's run of senders; never a number for each pair of nodes.

    >>> make_mask(Full([128, 256])).kv_num_blocks.tolist(), make_mask(Full([128, 256])).full_kv_num_blocks.tolist()
    ([[[0, 0, 0]]], [[[1, 2, 2]]])
    """
    from torch.nn.attention.flex_attention import BlockMask

    run = graph.heard()
    first, many, step = run.first, run.many, run.step

    def heard(batch: Tensor, head: Tensor, receiver: Tensor, sender: Tensor) -> Tensor:
        ahead = sender - first[receiver]
        return (ahead >= 0) & (ahead < many[receiver] * step) & (ahead % step == 0)

    last = first + (many - 1) * step
    beyond = graph.num_senders
    since = _by_block(torch.where(many > 0, first, beyond), block, beyond)
    until = _by_block(torch.where(many > 0, last, -1), block, -1)
    start = torch.arange(0, graph.num_senders, block, device=first.device)
    touched = (since.amin(1, keepdim=True) < start + block) & (until.amax(1, keepdim=True) >= start)
    # Where a block, none of it beyond the end, is complete.
    whole = (since.amax(1, keepdim=True) <= start) & (until.amin(1, keepdim=True) >= start + block - 1) & (step == 1)
    lengths = (graph.num_receivers, graph.num_senders)
    blocks = (*_listed(touched & ~whole), *_listed(whole))
    return BlockMask.from_kv_blocks(*blocks, BLOCK_SIZE=block, mask_mod=heard, seq_lengths=lengths)


def _by_block(number: Tensor, block: int, beyond: int) -> Tensor:
    """Numbers of receivers by block, ``[N] -> [blocks, block]``, with ``beyond`` behind the last."""
    return torch.nn.functional.pad(number, (0, -number.size(0) % block), value=beyond).unflatten(0, (-1, block))


def _listed(some: Tensor) -> tuple[Tensor, Tensor]:
    """How many columns of each row are true, ``[1, 1, rows]``, and the columns with those that are first."""
    order = some.int().argsort(dim=1, descending=True, stable=True)
    return some.sum(1).int()[None, None], order.int()[None, None]


@cache
def _compiled() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True)


def _why_not_here(state: Tensor | None) -> list[str]:
    if state is not None and state.device.type != "cuda":
        return [f"needs tensors on a CUDA device, got {state.device}"]
    if state is not None and state.dtype == torch.float64:
        return [f"needs float16, bfloat16 or float32, got {state.dtype}"]
    return why_not_here(state)


def _why_not_this_message(message: Attend, inputs: Inputs) -> list[str]:
    if not is_product(message.score):
        return [f"needs a score that is a multiple of the dot product, got {type(message.score).__name__}"]
    terms = {name: getattr(message, name) for name in ("edge_bias", "edge_key", "edge_value")}
    reasons = [
        f"needs nodes that speak alone, got the {name} {type(term).__name__}"
        for name, term in terms.items()
        if term is not None
    ]
    least = min(inputs.receivers["query"].size(-1), inputs.senders["value"].size(-1))
    if least < _LEAST:
        reasons.append(f"needs at least {_LEAST} channels in a head, got {least}")
    return reasons
