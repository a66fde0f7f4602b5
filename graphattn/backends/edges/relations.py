r"""A weight for each relation, applied to what a receiver hears over it.

.. math:: \sum_r W_r \Big( c_{ri} \sum_{j \in N_r(i)} x_j \Big)

One relation after the other, with its own receivers alone; the sums are made again for gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor

from graphattn.aggregation import RelationMean, Sum
from graphattn.backends.layout.compressed import Compressed, compress, row_of
from graphattn.backends.operators.rules import differentiable
from graphattn.backends.operators.scaled_sum import add_up, scale
from graphattn.backends.tiles import why_no_sizes
from graphattn.lasting import remembered
from graphattn.message import Relation
from graphattn.message.relation import by_type
from graphattn.slots import Inputs
from graphattn.topology import Edges

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer


class Part(NamedTuple):
    """The edges of one relation: its receivers ``[P]`` and senders ``[Q]``, and one over what each receiver hears, ``[P]``.

    Grouped by receiver, edges name senders by their number in the graph; grouped by sender, receivers by their place in ``P``.
    """

    receivers: Tensor
    senders: Tensor
    share: Tensor
    by_receiver: Compressed
    by_sender: Compressed


def why_not_by_relation(layer: GraphLayer, message: Relation, inputs: Inputs) -> list[str]:
    """Why what is heard is no sum of a weight for each relation, applied once for each receiver."""
    reasons = why_no_sizes()
    if inputs.seed is not None:
        reasons.append("needs messages of which none is dropped")
    if torch.is_autocast_enabled("cpu"):
        reasons.append("needs messages of the precision of x, got autocast")
    aggregation, relations = layer.aggregation, message.weight.relations
    if isinstance(aggregation, RelationMean) and aggregation.relations != relations:
        reasons.append(f"needs a mean for each of {relations} relations, got {aggregation.relations}")
    elif not isinstance(aggregation, (Sum, RelationMean)):
        reasons.append(f"needs the aggregation Sum or RelationMean, got {type(aggregation).__name__}")
    return reasons


def heard_by_relation(layer: GraphLayer, message: Relation, graph: Edges, inputs: Inputs) -> Tensor:
    """What every receiver hears, ``[N_i, B, C / B]``."""
    kind = message.on_edges(graph, inputs.edge)["edge_type"]
    parts = parts_of(graph, kind, message.weight.relations)
    mean = isinstance(layer.aggregation, RelationMean)
    return _by_relation(inputs.senders["x"], message.weight(), graph.num_receivers, parts, mean)


def parts_of(graph: Edges, kind: Tensor, relations: int) -> list[Part]:
    """The parts of a graph by the types of its edges ``[E]``, made once for both.

    Raises:
        ValueError: types out of range.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> [part.receivers.tolist() for part in parts_of(graph, torch.tensor([0, 1, 1]), relations=3)]
    [[1], [0, 1], []]
    """

    def make() -> tuple[ref[Edges], list[Part]]:
        many, order, _ = by_type(kind, relations)
        ends = [0, *torch.tensor(many).cumsum(0).tolist()]
        return ref(graph), [_part(*graph.edge_index()[:, order[low:high]]) for low, high in pairwise(ends)]

    # The graph may hold its types, and what is remembered with them must not hold these.
    made_for, parts = remembered(kind, ("parts", id(graph), relations), make)
    return parts if made_for() is graph else make()[1]


def _part(sender: Tensor, receiver: Tensor) -> Part:
    receivers, place = receiver.unique(return_inverse=True)
    senders, _ = sender.unique(return_inverse=True)
    grouped = compress(place, sender, receivers.numel())
    among = torch.searchsorted(senders, sender)
    share = 1 / grouped.ptr.diff().to(torch.float64)
    return Part(receivers, senders, share, grouped, compress(among, place, senders.numel()))


def _sums(x: Tensor, weight: Tensor, receivers: int, parts: Sequence[Part], mean: bool) -> Tensor:
    out = x.new_zeros(receivers, weight.size(1), weight.size(3))
    for number, part in _present(parts):
        said = torch.einsum("pbf,bfc->pbc", _heard_from(x, part, mean), weight[number])
        out.index_add_(0, part.receivers, said)
    return out


def _present(parts: Sequence[Part]) -> Iterator[tuple[int, Part]]:
    return ((number, part) for number, part in enumerate(parts) if part.receivers.numel())


def _heard_from(x: Tensor, part: Part, mean: bool) -> Tensor:
    """Sums or means over the edges of a relation, ``[P, B, F / B]``."""
    mine = scale(part.share if mean else None, part.receivers.numel(), x)
    return add_up(x, mine, scale(None, x.size(0), x), part.by_receiver.ptr, part.by_receiver.other)


def _back(
    given: Sequence[Any], results: Sequence[Any], grads: Sequence[Tensor], wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    (x, weight, _, parts, mean), (grad,) = given, grads
    x_grad = torch.zeros_like(x, memory_format=torch.contiguous_format) if wanted[0] else None
    weight_grad = torch.zeros_like(weight, memory_format=torch.contiguous_format) if wanted[1] else None
    for number, part in _present(parts):
        asked = grad.index_select(0, part.receivers)
        if weight_grad is not None:
            weight_grad[number] = torch.einsum("pbf,pbc->bfc", _heard_from(x, part, mean), asked)
        if x_grad is not None:
            pull = torch.einsum("pbc,bfc->pbf", asked, weight[number]).contiguous()
            theirs = scale(part.share if mean else None, pull.size(0), x)
            mine, (ptr, receiver, _) = scale(None, part.senders.numel(), x), part.by_sender
            x_grad.index_add_(0, part.senders, add_up(pull, mine, theirs, ptr, receiver))
    return x_grad, weight_grad


def _edgewise(x: Tensor, weight: Tensor, receivers: int, parts: Sequence[Part], mean: bool) -> Tensor:
    out = x.new_zeros(receivers, weight.size(1), weight.size(3))
    for number, part in _present(parts):
        row = row_of(part.by_receiver.ptr, part.by_receiver.other.numel()).long()
        said = torch.einsum("ebf,bfc->ebc", x[part.by_receiver.other.long()], weight[number])
        said = said * part.share.to(x.dtype)[row, None, None] if mean else said
        out = out.index_add(0, part.receivers[row], said)
    return out


_by_relation = differentiable(_sums, _back, _edgewise, states=2, forgotten=(5,))
