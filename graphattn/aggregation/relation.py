"""One mean for each relation."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.aggregation.plain import count, total
from graphattn.slots import Groups


@final
class RelationMean(nn.Module):
    r"""The sum over relations of the mean of each relation's messages: the aggregation of RGCN (Schlichtkrull et al. 2018).

    .. math:: h_i = \sum_r \frac{1}{|N_r(i)|} \sum_{j \in N_r(i)} m_{ij}

    Args:
        relations: number of relations.

    Shapes: ``[E, H, C] -> [N, H, C]``.

    Raises:
        ValueError: a message that does not tell the types of edges (:class:`~graphattn.message.Relation` does).

    >>> receivers = Groups(torch.tensor([0, 0, 0]), None, size=2, edge_type=torch.tensor([0, 0, 1]))
    >>> RelationMean(relations=2).reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([7., 0.])
    """

    scored = False

    def __init__(self, relations: int) -> None:
        super().__init__()
        self.relations = relations

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        if groups.edge_type is None:
            raise ValueError(
                "expected a message that tells the types of edges for RelationMean, got none: use Relation"
            )
        group = groups.index * self.relations + groups.edge_type
        number = count(group, groups.size * self.relations).index_select(0, group)
        return total(message / number.to(message.dtype)[:, None, None], groups)

    def extra_repr(self) -> str:
        return f"relations={self.relations}"
