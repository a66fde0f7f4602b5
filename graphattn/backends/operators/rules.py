"""What the operators of all backends share: their library, room for results, and how ``vmap`` maps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LIBRARY = "graphattn"

Operator = Callable[..., Any]
Rule = Callable[..., tuple[object, object]]
"""What ``torch.library.register_vmap`` takes: ``(info, in_dims, *arguments) -> (results, out_dims)``."""


def alike(*tensors: Tensor) -> list[Tensor]:
    """Room for a gradient of each, without gaps."""
    return [torch.empty_like(x, memory_format=torch.contiguous_format) for x in tensors]


def one_by_one(operator: Operator) -> Rule:
    """One call follows the other."""

    def rule(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
        calls = [
            operator(*(x if at is None else x.select(at, k) for x, at in zip(arguments, in_dims, strict=True)))
            for k in range(info.batch_size)
        ]
        if isinstance(calls[0], Tensor):
            return torch.stack(calls), 0
        return tuple(torch.stack(each) for each in zip(*calls, strict=True)), (0,) * len(calls[0])

    return rule


def over_heads(operator: Operator, nodes: int, outputs: int) -> Rule:
    """What is mapped becomes further heads of the first ``nodes`` arguments, ``[rows, H, ...]``, and ``outputs`` results."""

    def rule(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
        size = info.batch_size
        wide = [
            None
            if x is None
            else (x.unsqueeze(1).expand(-1, size, *x.shape[1:]) if at is None else x.movedim(at, 1)).flatten(1, 2)
            for x, at in zip(arguments[:nodes], in_dims[:nodes], strict=True)
        ]
        if any(at is not None for at in in_dims[nodes:]):
            raise ValueError("expected vmap over node states and edge terms only, got one over a graph or a seed")
        results = operator(*wide, *arguments[nodes:])
        if not isinstance(results, tuple):
            return results.unflatten(1, (size, -1)), 1
        split = tuple(result.unflatten(1, (size, -1)) for result in results[:outputs])
        return (*split, *results[outputs:]), (*(1,) * outputs, *(None,) * (len(results) - outputs))

    return rule


def over_heads_unless_featured(operator: Operator, nodes: int, outputs: int) -> Rule:
    """:func:`over_heads`; but one by one where the argument behind those of ``nodes``, features of edges, is there.

    Features have no heads.
    """
    together, apart = over_heads(operator, nodes, outputs), one_by_one(operator)

    def rule(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
        return (together if arguments[nodes] is None else apart)(info, in_dims, *arguments)

    return rule
