"""Attention in batches of whole graphs, whose edges are never listed, as an operator.

Letters: ``N_i`` receivers, ``N_j`` senders, ``B`` graphs, ``E`` edges, ``K`` listed edges, ``T`` kinds, ``H`` heads, ``C``
channels of query and key, ``D`` of the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.operators.rules import alike, differentiable, differentiated, language, operator, over_heads
from graphattn.dropout import dropout_scale
from graphattn.slots import Groups
from graphattn.topology import Causal, Cross, Full, Star
from graphattn.topology.sizes import from_ptr

WHOLE = (Full, Cross, Star, Causal)
"""Topologies with edges from all senders of a graph to each receiver, or from all up to it."""
Whole = Full | Cross | Star | Causal


class Attended(NamedTuple):
    """States ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]``, what edges add to scores, and dropout.

    ``bias [E, H]``; a row of ``table [T, H]`` for each edge by its ``kind [E]``; ``extra [K, H]`` for the edges ``listed [K]``
    by number. Products are multiplied by ``factor``. ``seed`` is that of the call, None where no message is dropped.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    bias: Tensor | None = None
    table: Tensor | None = None
    extra: Tensor | None = None
    kind: Tensor | None = None
    listed: Tensor | None = None
    seed: Tensor | None = None
    factor: float = 1.0
    dropout: float = 0.0


class Batch(NamedTuple):
    """Graphs of a batch: boundaries ``[B + 1]``, how many nodes the largest has, and whether they are causal.

    ``senders`` is None where they are the receivers: torch.compile refuses one tensor in two places.
    """

    receivers: Tensor
    senders: Tensor | None
    largest: int
    causal: bool

    def ends(self) -> tuple[Tensor, Tensor]:
        """The receiver and the sender of each edge, ``[E]``."""
        receivers = from_ptr(self.receivers)
        senders = receivers if self.senders is None else from_ptr(self.senders)
        graph = Causal(receivers) if self.causal else Cross(senders, receivers)
        sender, receiver = graph.edge_index()
        return receiver, sender


_GIVEN = (
    "Tensor query, Tensor key, Tensor value, Tensor? bias, Tensor? table, Tensor? extra, Tensor? kind, Tensor? listed, "
    "Tensor? seed, float factor, float dropout, Tensor receivers, Tensor? senders, SymInt largest, bool causal, str kernels"
)


def attention(attended: Attended, graph: Whole, kernels: str) -> tuple[Tensor, Tensor]:
    r"""Attention in a batch of whole graphs, and the weights of the listed edges.

    .. math::
        \alpha_{ij} = f_{ji}\, \text{softmax}_j(c\, q_i \cdot k_j + b_{ji} + T_{\phi(j, i)} + x_{ji}) \qquad
        o_i = \sum_{j \in N(i)} \alpha_{ij} v_j

    with the number ``c`` called ``factor`` and the dropout factors ``f`` of :func:`graphattn.dropout.dropout_scale`.

    Args:
        attended: the states, and what edges add to scores.
        graph: the edges.
        kernels: the language of the kernels, ``"numba"`` or ``"triton"``; those in Triton know no terms but the ``bias``.

    Shapes: -> ``o [N_i, H, D]``, ``alpha [K, H]``.

    >>> q, k, v = torch.randn(3, 3, 2, 4)
    >>> out, alpha = attention(Attended(q, k, v, listed=torch.tensor([4])), Full([2, 1]), "numba")
    >>> out.shape, alpha
    (torch.Size([3, 2, 4]), tensor([[1., 1.]]))
    """
    query, key, value = attended[:3]
    # The compiler wants every tensor once.
    key = key.view_as(key) if key is query else key
    value = value.view_as(value) if value is key or value is query else value
    # Copies: what a caller writes into the graph's boundaries before backward is not what was computed with.
    senders = None if graph.senders.ptr is graph.receivers.ptr else graph.senders.ptr.clone()
    largest = max(graph.receivers.max, graph.senders.max)
    batch = Batch(graph.receivers.ptr.clone(), senders, largest, isinstance(graph, Causal))
    given = (query, key, value, *attended[3:], *batch, kernels)
    out, alpha, *_ = _attention(*given) if differentiated(*attended[:6]) else attend(*given)
    return out, alpha


def reference(attended: Attended, batch: Batch) -> tuple[Tensor, Tensor]:
    """What :func:`attention` computes, edge by edge in torch's own operators."""
    query, key, value, bias, table, extra, kind, listed, seed, factor, dropout = attended
    receiver, sender = batch.ends()
    score = (query[receiver] * key[sender]).sum(-1) * factor
    score = score if bias is None else score + bias
    score = score if table is None else score + table[kind]
    score = score if extra is None or listed is None else score.index_add(0, listed, extra)
    alpha = SoftmaxSum().weigh(score, Groups(receiver, None, query.size(0), None))
    if seed is not None:
        number = torch.arange(sender.size(0), device=sender.device)
        alpha = alpha * dropout_scale(seed, receiver, sender, number, alpha.size(1), dropout, alpha.dtype)
    message = alpha.unsqueeze(-1) * value[sender]
    out = message.new_zeros(query.size(0), *message.shape[1:]).index_add(0, receiver, message)
    return out, alpha[:0] if listed is None else alpha[listed]


def room(attended: Attended, bias_wanted: bool) -> list[Tensor]:
    """Room for the gradients of states and terms; none for those that are not there or not wanted."""
    query, key, value, bias, table, extra = attended[:6]
    none = query.new_empty(0, query.size(1))
    terms = (bias if bias_wanted else None, table, extra)
    return alike(query, key, value, *(none if term is None else term for term in terms))


def _read(given: Sequence[Any]) -> tuple[Attended, Batch]:
    return Attended(*given[:11]), Batch(*given[11:15])


def _shapes(*given: Any) -> tuple[Tensor, ...]:
    attended, _ = _read(given)
    rows, heads = attended.query.shape[:2]
    some, kept = 0 if attended.listed is None else attended.listed.size(0), rows if given[-1] == "numba" else 0
    shapes = ((rows, heads, attended.value.size(2)), (some, heads), (kept, heads), (kept, heads))
    return tuple(attended.query.new_empty(shape) for shape in shapes)


attend = operator(
    f"whole({_GIVEN}) -> (Tensor, Tensor, Tensor, Tensor)",
    lambda *given: language(given[-1], "whole").attend(*_read(given)),
    _shapes,
    over_heads(6, 4),
)
"""Sums ``[N_i, H, D]``, weights of listed edges ``[K, H]``, and what kernels in Numba keep of scores, twice ``[N_i, H]``."""

attend_backward = operator(
    f"whole_backward(Tensor grad, Tensor alpha_grad, Tensor top, Tensor share, {_GIVEN}, bool bias_wanted)"
    f" -> ({', '.join(['Tensor'] * 6)})",
    lambda *given: language(given[-2], "whole").attend_backward(given[:2], given[2:4], *_read(given[4:]), given[-1]),
    lambda *given: tuple(room(_read(given[4:])[0], given[-1])),
    over_heads(10, 6),
)
"""Gradients of query, key, value, bias, table and extra, as in :func:`room`."""

_attention = differentiable(
    lambda *given: attend(*given),  # the compiler reads no operator out of a closure
    lambda given, results, grads, wanted: attend_backward(*grads, *results[2:], *given, wanted[3]),
    lambda *given: reference(*_read(given)),
    states=6,
    results=2,
)
