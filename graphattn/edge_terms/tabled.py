"""Biases that are a row of a table for each edge, so that kernels look them up and no number is stored per edge and head."""

from __future__ import annotations

from typing import NamedTuple, Protocol, final, runtime_checkable

import torch
from torch import Tensor

from graphattn.slots import State


@final
class InTable(NamedTuple):
    """A row of ``table [T, H]`` for each edge by its ``kind [E]``; ``kind`` None where the rows are those of edges listed.

    ``number [K]`` tells which edges are listed: those have a ``kind [K]``, or a row each; the others have no bias. None for all.
    """

    table: Tensor
    kind: Tensor | None
    number: Tensor | None = None

    def rows(self) -> Tensor:
        """The bias of each edge, or of those that are listed, ``[E, H]`` or ``[K, H]``.

        >>> InTable(torch.tensor([[1.0], [2.0]]), torch.tensor([1, 1, 0])).rows().flatten()
        tensor([2., 2., 1.])
        """
        return self.table if self.kind is None else self.table.index_select(0, self.kind)


@runtime_checkable
class Tabled(Protocol):
    """An edge bias that can be had as a table; ``in_table`` gives None where ``on_edges`` is the shortest way."""

    def in_table(self, edge: State) -> InTable | None: ...


def joined(first: InTable, second: InTable) -> InTable:
    """The sum of two tables with kinds of all edges, as one table with a row for each pair of kinds.

    >>> one, two = torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0], [20.0], [30.0]])
    >>> both = joined(InTable(one, torch.tensor([0, 1, 1])), InTable(two, torch.tensor([2, 0, 1])))
    >>> both.rows().flatten()
    tensor([31., 12., 22.])
    """
    assert first.kind is not None
    assert second.kind is not None
    table = (first.table.unsqueeze(1) + second.table).flatten(0, 1)
    return InTable(table, torch.add(second.kind, first.kind, alpha=second.table.size(0)))
