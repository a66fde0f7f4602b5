"""Attention in dense blocks, ``n m`` scores per head and graph, never a list of edges.

Letters: ``b`` graphs of a tile with ``n`` receivers and ``m`` senders, ``H`` heads, ``C`` channels per head, ``E`` edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.layout.tiles import Plan
from graphattn.backends.twice import differentiable
from graphattn.backends.watched import watched
from graphattn.dropout import dropout_scale
from graphattn.edge_terms.factored import one_at_least
from graphattn.message import Attend
from graphattn.score.base import dot, has_node_part, is_product, knows_matrices, matrix
from graphattn.slots import EdgeValue, Factored, FactoredValue, Inputs, Message, Score, State
from graphattn.topology import Blockwise, Tile, Topology
from graphattn.traced import is_broken, is_traced

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

_LANES = 16
# Zeros of pairs that are no edges times infinity are NaN. A list of so many edges is less than a GB; of more, NaN is let through.
_FEW = 2**22
_BLOCKS = "Full, Causal, Window, Prefix, Cross, Star"


@final
class Dense:
    """Fused ``scaled_dot_product_attention``; an explicit softmax for other scores, and where edges have a bias or a value.

    Graphs of similar size are padded together as costs least (:mod:`graphattn.backends.layout.shares`). A window is computed in
    bands where these are cheaper (:mod:`graphattn.backends.layout.bands`), unless its edges have terms.
    """

    name = "dense"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        message = layer.message_function
        if not isinstance(graph, Blockwise):
            yield f"needs a topology of blocks ({_BLOCKS}), got {type(graph).__name__}"
        if not isinstance(message, Attend):
            yield f"needs the message Attend, got {type(message).__name__}"
        elif not knows_matrices(message.score):
            yield f"needs a score that works on matrices, got {type(message.score).__name__}"
        elif message.edge_key is not None and not _adds_keys(message.score):
            yield f"needs a dot product to add the edge key to, got the score {type(message.score).__name__}"
        if not isinstance(layer.aggregation, SoftmaxSum):
            yield f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}"
        yield from watched(layer)
        # What a compiler traces has no values, and is compiled once for graphs of all sizes.
        if not is_traced() and not _hears_all(graph) and _is_broken(message, inputs) and graph.num_edges <= _FEW:
            yield "needs finite states where not every receiver hears all senders, got infinity or NaN"

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message = layer.message_function
        assert isinstance(graph, Blockwise)
        assert isinstance(message, Attend)
        query, key, value = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        score = message.score
        plain = all(term is None for term in (message.edge_bias, message.edge_key, message.edge_value))
        # Terms of edges are laid out by whole graphs.
        plan = graph.narrow_plan() if plain else graph.plan()
        tiles = plan.tiles
        laid = [lay_out(tile, query, key, value) for tile in tiles]
        if plain and inputs.seed is None and is_product(score):
            scale = score.factor(query.size(-1))
            return _collect(
                graph, plan, value, [_fused(tile, states, scale) for tile, states in zip(tiles, laid, strict=True)]
            )
        biases = _biases(message, graph, plan, inputs, laid)
        factors = [
            None if inputs.seed is None else _dropout_scale(inputs.seed, tile, query, layer.dropout) for tile in tiles
        ]
        weighed = [_weighed(score, *parts) for parts in zip(laid, biases, factors, strict=True)]
        rows, alphas = [rows for rows, _ in weighed], [alpha for _, alpha in weighed]
        if message.edge_value is None or not weighed:
            return _collect(graph, plan, value, rows)
        factored = _in_factors(message.edge_value, tiles, inputs.edge)
        if factored is not None:
            added = [each.heard(alpha) for each, alpha in zip(factored, alphas, strict=True)]
            return _collect(graph, plan, value, [row + more for row, more in zip(rows, added, strict=True)])
        number, listed = message.edge_value.on_edges(graph, inputs.edge)
        return _collect(graph, plan, value, rows) + _edge_values(graph, alphas, number, listed)


def _hears_all(graph: Topology) -> bool:
    return isinstance(graph, Blockwise) and graph.complete and graph.senders.equal and graph.receivers.equal


def _is_broken(message: Message, inputs: Inputs) -> bool:
    # A bias is added, and may be minus infinity; keys and values of edges are multiplied.
    multiplied = isinstance(message, Attend) and not (message.edge_key is None and message.edge_value is None)
    edge = [feature for feature in inputs.edge.values() if multiplied and feature.is_floating_point()]
    return is_broken(*inputs.senders.values(), *inputs.receivers.values(), *edge)


class TileStates(NamedTuple):
    """States of a tile's nodes: ``query [H, b, n, C]``, ``key`` and ``value [H, b, m, C]``."""

    query: Tensor
    key: Tensor
    value: Tensor


class _Bias(NamedTuple):
    """What is added to a tile's scores, ``[H, b, n, m]``, and whether a receiver may be left with no sender at all."""

    term: Tensor | None
    silent: bool


def lay_out(tile: Tile, query: Tensor, key: Tensor, value: Tensor) -> TileStates:
    """The states of a tile's nodes, from those of all nodes ``[N, H, C]``."""

    def laid(state: Tensor, node: Tensor) -> Tensor:
        rows = state if tile.whole else state.index_select(0, node.flatten())
        if tile.whole and torch.compiler.is_compiling():
            # A number of rows that is not known: else gradients of a graph alone, which has them all, are a program of their own.
            rows = rows.narrow(0, 0, node.numel())
        return rows.view(tile.receiver.size(0), node.size(1), *state.shape[1:]).permute(2, 0, 1, 3)

    return TileStates(laid(query, tile.receiver), laid(key, tile.sender), laid(value, tile.sender))


def _fused(tile: Tile, states: TileStates, scale: float) -> Tensor:
    # Graphs before heads: the kernel then writes the heads of a node side by side, as the layer goes on with them.
    query, key, value = (state.transpose(0, 1) for state in states)
    # A causal tile needs no mask for its padding: it comes last, so that it is masked for every real receiver.
    mask = None if tile.causal or (mask := _mask(tile)) is None else mask.view(query.size(0), 1, *mask.shape[1:])
    rows = scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=tile.causal, scale=scale)
    rows = differentiable(rows.transpose(0, 1), partial(gradients, tile, scale), *states)
    # On CPUs torch takes a row of fewer scores than a vector register holds for silent, where all of them are NaN.
    if query.device.type == "cpu" and (torch.compiler.is_compiling() or key.size(-2) < _LANES):
        # In the order of memory, which inductor takes a result's for where it does not know how many graphs there are.
        broken = states.query.permute(1, 2, 0, 3).isnan().any(-1, keepdim=True)
        return torch.where(broken.permute(2, 0, 1, 3), torch.nan, rows)
    return rows


def gradients(tile: Tile, scale: float, grad: Tensor, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    r"""Gradients of a tile's queries, keys and values in plain operators, which can be differentiated again.

    .. math::
        \partial s_{ij} = \alpha_{ij} (g_i \cdot v_j - \sum_k \alpha_{ik}\, g_i \cdot v_k) \qquad
        \partial q_i = c \sum_j \partial s_{ij} k_j \qquad \partial k_j = c \sum_i \partial s_{ij} q_i \qquad
        \partial v_j = \sum_i \alpha_{ij} g_i

    Shapes: ``grad`` and ``query [H, b, n, C]``, ``key`` and ``value [H, b, m, C]``.
    """
    mask, grad = _mask(tile), grad.to(value.dtype)
    score = query @ key.mT * scale
    alpha = (score if mask is None else score.masked_fill(~mask, -torch.inf)).softmax(-1)
    grad_alpha = grad @ value.mT
    grad_score = alpha * (grad_alpha - (alpha * grad_alpha).sum(-1, keepdim=True)) * scale
    return grad_score @ key, grad_score.mT @ query, alpha.mT @ grad


def _mask(tile: Tile) -> Tensor | None:
    """Mask of the senders of each receiver of a tile, ``[b, n, m]`` or ``[b, 1, m]``; None where all."""
    if not tile.complete:
        return tile.keep
    return None if tile.real_sender is None else tile.real_sender[:, None, :]


def _biases(message: Attend, graph: Blockwise, plan: Plan, inputs: Inputs, laid: list[TileStates]) -> list[_Bias]:
    """For each tile the edges' bias and their keys' part of the score, and minus infinity where there is no edge."""
    biases: list[_Bias] = []
    listed: Tensor | None = None
    keys = _key_scores(message, graph, plan, inputs, laid)
    for tile, more in zip(plan.tiles, keys, strict=True):
        bias = None if message.edge_bias is None else message.edge_bias.on_tile(tile, inputs.edge)
        if bias is None and message.edge_bias is not None:
            listed = message.edge_bias.on_edges(graph, inputs.edge) if listed is None else listed
            bias = _on_pairs(tile, listed)
        silent = bias is not None and _may_be_minus_infinity(bias)
        bias = bias if more is None else more if bias is None else bias + more
        mask = _mask(tile)
        if mask is not None:
            zero = inputs.senders["key"].new_zeros(())
            bias = (zero if bias is None else bias).masked_fill(~mask, -torch.inf)
        biases.append(_Bias(bias, silent))
    return biases


def _on_pairs(tile: Tile, listed: Tensor) -> Tensor:
    """Numbers of the edges laid out in a tile, ``[E, H] -> [H, b, n, m]``."""
    rows = listed if tile.whole and tile.complete else one_at_least(listed).index_select(0, tile.edge.flatten())
    return rows.view(*tile.shape, -1).permute(3, 0, 1, 2)


def _adds_keys(score: Score) -> bool:
    return is_product(score) and (not has_node_part(score) or score.linear_in_key)


def _key_scores(
    message: Attend, graph: Blockwise, plan: Plan, inputs: Inputs, laid: list[TileStates]
) -> Sequence[Tensor | None]:
    """What the keys of edges add to the scores of each tile: the product of the query with them."""
    tiles, term, score = plan.tiles, message.edge_key, message.score
    if term is None or not tiles:
        return [None] * len(tiles)
    assert is_product(score)
    factored = _in_factors(term, tiles, inputs.edge)
    query = inputs.receivers["query"]
    scale = score.factor(query.size(-1))
    if factored is not None:
        return [each.scores(states.query * scale) for each, states in zip(factored, laid, strict=True)]
    number, term_value = term.on_edges(graph, inputs.edge)
    number = torch.arange(graph.num_edges, device=term_value.device) if number is None else number
    products = dot(query.index_select(0, graph.receiver_of(number)) * scale, term_value)
    listed = products.new_zeros(graph.num_edges, products.size(1)).index_add(0, number, products)
    return [_on_pairs(tile, listed) for tile in tiles]


def _in_factors(term: EdgeValue, tiles: list[Tile], edge: State) -> list[Factored] | None:
    """The edges' keys or values of every tile in two factors; None if they cannot be had so."""
    if not isinstance(term, FactoredValue):
        return None
    laid = [term.on_tile(tile, edge) for tile in tiles]
    parts = [part for part in laid if part is not None]
    return parts if len(parts) == len(tiles) else None


def _may_be_minus_infinity(bias: Tensor) -> bool:
    # Reading the values would stall a CUDA stream and break a compiled graph: there, assume the worst.
    return bias.is_cuda or torch.compiler.is_compiling() or bool(bias.detach().min() == -torch.inf)


def _dropout_scale(seed: Tensor, tile: Tile, like: Tensor, dropout: float) -> Tensor:
    """The dropout factors of a tile's edges, ``[H, b, n, m]``."""
    receiver, sender = tile.receiver[:, :, None], tile.sender[:, None, :]
    return dropout_scale(seed, receiver, sender, tile.edge, like.size(1), dropout, like.dtype).permute(3, 0, 1, 2)


def _weighed(similarity: Score, states: TileStates, bias: _Bias, factor: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows ``[H, b, n, C]`` and the weights ``[H, b, n, m]``, softmax taken at least in float32."""
    score = matrix(similarity, states.query, states.key)
    score = score if bias.term is None else score + bias.term
    wide = torch.float64 if score.dtype == torch.float64 else torch.float32
    if bias.silent:
        deaf = score.detach().amax(-1, keepdim=True) == -torch.inf
        alpha = score.masked_fill(deaf, 0).softmax(-1, dtype=wide).masked_fill(deaf, 0)
    else:
        alpha = score.softmax(-1, dtype=wide)
    alpha = alpha.to(score.dtype) if factor is None else (alpha * factor).to(score.dtype)
    return alpha @ states.value, alpha


def _collect(graph: Blockwise, plan: Plan, value: Tensor, rows: list[Tensor]) -> Tensor:
    """Rows of all tiles ``[H, b, n, C]`` as ``[N_i, H, C]``; receivers without senders get zeros."""
    flat = [tile_rows.permute(1, 2, 0, 3).flatten(0, 1) for tile_rows in rows]
    if len(flat) == 1 and plan.tiles[0].whole:
        return flat[0]
    # No rows of value: a batch without edges still belongs to the graph of gradients.
    return torch.cat([*flat, value[:0], value.new_zeros(1, *value.shape[1:])]).index_select(0, plan.row)


def _edge_values(graph: Blockwise, alphas: list[Tensor], number: Tensor | None, term_value: Tensor) -> Tensor:
    """Weighted sums of edge values, of the edges that have one, ``[K, H, C] -> [N_i, H, C]``."""
    flat = torch.cat([alpha.flatten(1) for alpha in alphas], dim=1)
    number = torch.arange(graph.num_edges, device=term_value.device) if number is None else number
    weighed = flat.index_select(1, graph.pair_of(number)).t().unsqueeze(-1) * term_value
    return term_value.new_zeros(graph.num_receivers, *term_value.shape[1:]).index_add(
        0, graph.receiver_of(number), weighed
    )
