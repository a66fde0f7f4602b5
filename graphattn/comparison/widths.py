"""Networks of equal size: widths and hidden channels for which parameter counts agree."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import torch

from graphattn.comparison.problem import Problem
from graphattn.models.by_name.features import Features
from graphattn.models.by_name.network import Size, named_network, parameters
from graphattn.models.by_name.topologies import Cell

WITHIN = 0.05
"""The share by which parameter counts may differ from the reference's."""
_MULTIPLE = 8


def matched(problem: Problem, cells: Sequence[Cell], reference: Size) -> dict[Cell, Size]:
    """For each cell the size at which its network has as many parameters as the first attention cell's, or the first cell's.

    That one has the size of the reference. Of the others depth, heads and dropout are the same; the width is a multiple of 8 and
    of the heads, the one at which the token-wise network keeps its shape (hidden channels by width) best, and its hidden
    channels close the gap, to within 5 %.

    Raises:
        ValueError: no cells; a cell that has no such size.

    >>> from torch_geometric.data import Data
    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.arange(3.0))
    >>> cells = [Cell("gcn", "edges"), Cell("attention", "full")]
    >>> problem = Problem("one", [graph], "regression", level="node")
    >>> sizes = matched(problem, cells, Size(width=64, hidden=128))
    >>> [(size.width, size.hidden) for size in sizes.values()]
    [(80, 158), (64, 128)]
    """
    if not cells:
        raise ValueError("expected cells to match, got none")
    first = next((cell for cell in cells if cell.layer == "attention"), cells[0])
    features = Features.of(problem.graphs)
    target = _count(features, problem, first, reference)
    others = {cell: _closest(features, problem, cell, reference, target) for cell in cells if cell != first}
    return {cell: reference if cell == first else others[cell] for cell in cells}


def _closest(features: Features, problem: Problem, cell: Cell, reference: Size, target: int) -> Size:
    step, shape = math.lcm(_MULTIPLE, reference.heads), reference.hidden / reference.width
    scaled = [
        replace(reference, width=width, hidden=max(1, round(shape * width)))
        for width in range(step, 4 * reference.width + step, step)
    ]
    first = bisect_left(scaled, target, key=lambda size: _count(features, problem, cell, size))
    tried = (
        _filled(features, problem, cell, size, target) for size in [reference, *scaled[max(first - 1, 0) : first + 1]]
    )
    fitting = [size for size in tried if size is not None]
    if not fitting:
        raise ValueError(
            f"expected a size of {cell.layer} on {cell.topology} with {target} parameters within {WITHIN:.0%}, got none for "
            f"{reference}: choose a larger one"
        )
    return min(fitting, key=lambda size: abs(math.log(size.hidden / size.width / shape)))


def _filled(features: Features, problem: Problem, cell: Cell, size: Size, target: int) -> Size | None:
    """The size of this width whose hidden channels bring it to the target; none if none do."""
    # Each hidden channel has two maps and a bias in each block.
    each = size.depth * (2 * size.width + 1)
    without = _count(features, problem, cell, size) - each * size.hidden
    filled = replace(size, hidden=max(1, round((target - without) / each)))
    return filled if abs(without + each * filled.hidden - target) <= WITHIN * target else None


def _count(features: Features, problem: Problem, cell: Cell, size: Size) -> int:
    with torch.device("meta"):
        model = named_network(cell, replace(size, depth=1), features, problem.outputs, problem.level)
    return parameters(model) + (size.depth - 1) * parameters(model.trunk.blocks)
