"""Networks and graphs of the configurations of a comparison, at sizes for which parameter counts agree."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import nn
from torch_geometric.data import Data

from graphattn.comparison.problems.base import Problem
from graphattn.models.by_name import whole
from graphattn.models.by_name.features import Features
from graphattn.models.by_name.network import Size, named_network, parameters
from graphattn.models.by_name.whole import Architecture, NamedModel
from graphattn.models.tissue.table import TissueInputs

WITHIN = 0.05
"""The share by which parameter counts may differ from the reference's."""
_MULTIPLE = 8


def prepared(problem: Problem, configurations: Iterable[Architecture], seed: int = 0) -> Problem:
    """The problem, with graphs that hold what these configurations read and nothing else; the given graphs are not changed.

    See :func:`graphattn.models.by_name.whole.prepared`; ``seed`` draws the permutations of shuffled edges.
    """
    configurations = list(configurations)
    graphs = [whole.prepared(data, configurations, (seed, number)) for number, data in enumerate(problem.graphs)]
    return replace(problem, graphs=graphs)


def network(
    problem: Problem,
    configuration: Architecture,
    size: Size,
    seed: int = 0,
    learned_from: Sequence[Data] | None = None,
) -> nn.Module:
    """The network of a configuration for a problem, its weights drawn from ``seed``; torch's generator is left as it was.

    Numbers are standardised by the graphs that it is ``learned_from``, by all of the problem if these are not given.

    >>> from graphattn.models.by_name.topologies import Configuration
    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.arange(3.0))
    >>> problem = Problem("one", [graph], "regression", level="node")
    >>> network(problem, Configuration("gcn", "edges"), Size(width=8, hidden=16))(graph).shape
    torch.Size([3, 1])
    """
    features = Features.of(problem.graphs)
    features = features if learned_from is None else features.standardised(learned_from)
    if isinstance(configuration, NamedModel):
        inputs = _inputs(features, problem.graphs if learned_from is None else learned_from)
        return whole.network(configuration, size, inputs, problem.outputs, problem.level, seed)
    return named_network(configuration, size, features, problem.outputs, problem.level, seed)


def _inputs(features: Features, graphs: Sequence[Data]) -> TissueInputs:
    """What a whole model knows of the graphs that it is learned from."""
    return TissueInputs.of(graphs)._replace(features=features._replace(places=0, extent=1.0))


def matched(problem: Problem, configurations: Sequence[Architecture], reference: Size) -> dict[Architecture, Size]:
    """Size of each configuration at which all networks have about as many parameters.

    The reference is the first configuration with attention, or else the first one; it has the given size. Of the others depth,
    heads and dropout are the same; the width is a multiple of 8 and of the heads, the one at which the token-wise network keeps
    its shape (hidden channels by width) best, and its hidden channels close the gap, to within 5 %. Whole models have the width
    that comes nearest.

    Raises:
        ValueError: no configurations; a configuration that has no such size.

    >>> from graphattn.models.by_name.topologies import Configuration
    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.arange(3.0))
    >>> configurations = [Configuration("gcn", "edges"), Configuration("attention", "full")]
    >>> problem = Problem("one", [graph], "regression", level="node")
    >>> sizes = matched(problem, configurations, Size(width=64, hidden=128))
    >>> [(size.width, size.hidden) for size in sizes.values()]
    [(80, 158), (64, 128)]
    """
    if not configurations:
        raise ValueError("expected configurations to match, got none")
    first = next(
        (configuration for configuration in configurations if configuration.layer == "attention"), configurations[0]
    )
    features = Features.of(problem.graphs)
    target = _count(features, problem, first, reference)
    others = {
        configuration: _closest(features, problem, configuration, reference, target)
        for configuration in configurations
        if configuration != first
    }
    return {
        configuration: reference if configuration == first else others[configuration]
        for configuration in configurations
    }


def _closest(features: Features, problem: Problem, configuration: Architecture, reference: Size, target: int) -> Size:
    step, shape = math.lcm(_MULTIPLE, reference.heads), reference.hidden / reference.width
    if isinstance(configuration, NamedModel):
        sizes = [replace(reference, width=width) for width in range(step, 4 * reference.width + step, step)]
        return min(sizes, key=lambda size: abs(math.log(_count(features, problem, configuration, size) / target)))
    scaled = [
        replace(reference, width=width, hidden=max(1, round(shape * width)))
        for width in range(step, 4 * reference.width + step, step)
    ]
    first = bisect_left(scaled, target, key=lambda size: _count(features, problem, configuration, size))
    tried = (
        _filled(features, problem, configuration, size, target)
        for size in [reference, *scaled[max(first - 1, 0) : first + 1]]
    )
    fitting = [size for size in tried if size is not None]
    if not fitting:
        raise ValueError(
            f"expected a size of {configuration.layer} on {configuration.topology} with {target} parameters "
            f"within {WITHIN:.0%}, got none for {reference}: choose a larger one"
        )
    return min(fitting, key=lambda size: abs(math.log(size.hidden / size.width / shape)))


def _filled(features: Features, problem: Problem, configuration: Architecture, size: Size, target: int) -> Size | None:
    """The size of this width whose hidden channels bring it to the target; none if none do."""
    # Each hidden channel has two maps and a bias in each block.
    each = size.depth * (2 * size.width + 1)
    without = _count(features, problem, configuration, size) - each * size.hidden
    filled = replace(size, hidden=max(1, round((target - without) / each)))
    return filled if abs(without + each * filled.hidden - target) <= WITHIN * target else None


def _count(features: Features, problem: Problem, configuration: Architecture, size: Size) -> int:
    if isinstance(configuration, NamedModel):
        return parameters(
            whole.network(configuration, size, _inputs(features, problem.graphs), problem.outputs, problem.level)
        )
    with torch.device("meta"):
        model = named_network(configuration, replace(size, depth=1), features, problem.outputs, problem.level)
    return parameters(model) + (size.depth - 1) * parameters(model.trunk.blocks)
