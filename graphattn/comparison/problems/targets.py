"""Targets of graphs: their ``y``, whether it is of graphs or of nodes, and whether it is a class or a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, get_args

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.comparison.problems.base import Level, Target


class ReadTargets(NamedTuple):
    """``y`` of graphs as a :class:`Problem` has it, by their position, and why others have none."""

    y: dict[int, Tensor]
    level: Level
    target: Target
    classes: tuple[str, ...]
    problems: dict[int, str]


def read_targets(graphs: Mapping[int, Data], column: int | None = None, task: Target | None = None) -> ReadTargets:
    """Targets of graphs, by their position.

    Args:
        graphs: with ``y``, one target (of several, ``column`` chooses one) or one for each node.
        column: which of several targets.
        task: what they are; if not given, whole numbers are classes, and so are 0.0 and 1.0 alone; other numbers are values.

    Raises:
        ValueError: several targets and no column, or one that is not there; classes that are no whole numbers; another task.

    >>> graphs = {k: Data(num_nodes=2, y=torch.tensor([k])) for k in (3, 7)} | {8: Data(num_nodes=2)}
    >>> found = read_targets(graphs)
    >>> found.y, found.target, found.classes, found.problems
    ({3: tensor([0]), 7: tensor([1])}, 'binary', ('3', '7'), {8: 'it has no y'})
    """
    if task not in (None, *get_args(Target)):
        raise ValueError(f"expected a task of {', '.join(get_args(Target))}, got {task!r}")
    found, problems = dict[int, Tensor](), dict[int, str]()
    for position, graph in graphs.items():
        try:
            found[position] = _read(graph)
        except ValueError as error:
            problems[position] = str(error)
    level: Level = "node" if _of_nodes(found, graphs) else "graph"
    for position, y in list(found.items()):
        rows = (graphs[position].num_nodes or 0) if level == "node" else 1
        if y.numel() == rows or (y.size(0) == rows and y.dim() == 2):
            found[position] = _column(y.reshape(rows, -1), column)
        elif level == "graph" and column is not None and y.dim() == 1:
            found[position] = _column(y[None], column)
        else:
            problems[position] = f"expected y [{rows}] as most graphs have it, got {list(found.pop(position).shape)}"
    problems |= _strange(found, level)
    known = {position: y for position, y in found.items() if position not in problems}
    y, target, classes = _encoded(known, task)
    return ReadTargets(y, level, target, classes, dict(sorted(problems.items())))


def _read(graph: Data) -> Tensor:
    y = graph.y
    if y is None:
        raise ValueError("it has no y")
    if not isinstance(y, Tensor | int | float):
        raise ValueError(f"expected y as a tensor, got {type(y).__name__}")
    y = torch.as_tensor(y)
    if y.is_complex() or not y.numel():
        raise ValueError(f"expected numbers in y, got {str(y.dtype).removeprefix('torch.')} {list(y.shape)}")
    y = y if y.is_floating_point() else y.long()
    return y.reshape(1) if y.dim() == 0 else y


def _of_nodes(found: Mapping[int, Tensor], graphs: Mapping[int, Data]) -> bool:
    """Whether most graphs of several nodes have as many read_targets as nodes."""
    several = {position: y for position, y in found.items() if (graphs[position].num_nodes or 0) > 1}
    return 2 * sum(y.size(0) == graphs[position].num_nodes for position, y in several.items()) > len(several)


def _column(y: Tensor, column: int | None) -> Tensor:
    if y.size(1) == 1 and not column:
        return y[:, 0]
    if column is None or not 0 <= column < y.size(1):
        raise ValueError(
            f"expected target=0 to target={y.size(1) - 1}, one of {y.size(1)} targets, got target={column}"
        )
    return y[:, column]


def _strange(found: Mapping[int, Tensor], level: Level) -> dict[int, str]:
    """Targets of another type than most, infinite ones and missing ones."""
    types = Counter(y.is_floating_point() for y in found.values())
    decimal = bool(types) and types.most_common(1)[0][0]
    problems = dict[int, str]()
    for position, y in found.items():
        known = y[~y.isnan()] if y.is_floating_point() else y[y != -100]
        if y.is_floating_point() != decimal:
            kind = str(y.dtype).removeprefix("torch.")
            problems[position] = (
                f"y is {kind} ({y.flatten()[0].item()}) where most are {'float' if decimal else 'int64'}"
            )
        elif not len(known):
            problems[position] = f"no y is known: {y.flatten()[0].item()}" if level == "node" else f"y is {y[0].item()}"
        elif known.isinf().any():
            problems[position] = f"y is {known[known.isinf()][0].item()}"
    return problems


def _encoded(y: Mapping[int, Tensor], task: Target | None) -> tuple[dict[int, Tensor], Target, tuple[str, ...]]:
    """Values as float32, or numbers of classes with -100 where there is no label; the kind of target; the names of classes."""
    if not y:
        return {}, task or "regression", ()
    joined = torch.cat(list(y.values()))
    decimal = joined.is_floating_point()
    known = joined[~joined.isnan() if decimal else joined != -100]
    values = known.unique()
    if task == "regression" or (task is None and decimal and not set(values.tolist()) <= {0.0, 1.0}):
        return (
            {position: each.float().masked_fill(_unasked(each), torch.nan) for position, each in y.items()},
            "regression",
            (),
        )
    if decimal and bool((values != values.round()).any()):
        raise ValueError(
            f"expected whole numbers as classes of a {task} task, got {values[values != values.round()][0]:g}"
        )
    numbers = {
        position: torch.searchsorted(values, each).masked_fill(_unasked(each), -100) for position, each in y.items()
    }
    kind = task or ("binary" if len(values) == 2 else "multiclass")
    return numbers, kind, tuple(str(int(value)) for value in values.tolist())


def _unasked(y: Tensor) -> Tensor:
    return y.isnan() if y.is_floating_point() else y == -100
