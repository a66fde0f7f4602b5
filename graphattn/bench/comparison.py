"""What is compared: a step of ours and the same step of each peer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

OURS = "graphattn"
COMPILED = "PyG, torch.compile"
FORWARD, BOTH, TRAINING = "forward", "forward and backward", "training step"

Result = Tensor | Sequence[Tensor]
Step = Callable[[], Result]


@dataclass(frozen=True)
class Comparison:
    """Sides that must give equal results; ``sides["graphattn"]`` is ours.

    Args:
        step: what every side does: a forward pass, that and a backward pass, a training step.
        sizes: of the graph and the states, in words.
        sides: a call of each side.
        left_out: peers that cannot take part, with the reason.
        once: whether one call is all there is time and memory for: no call before it, nothing to compare with.
    """

    step: str
    sizes: str
    sides: dict[str, Step]
    left_out: dict[str, str] = field(default_factory=dict)
    once: bool = False


class Case(NamedTuple):
    """Comparisons of one graph and layer, run in a process of its own.

    ``make(shrink)`` yields a comparison for each of ``steps``; sizes are divided by ``shrink``, 1 in earnest.
    """

    name: str
    steps: tuple[str, ...]
    make: Callable[[int], Iterator[Comparison]]


def both_passes(
    sizes: str, sides: dict[str, Callable[[], Tensor]], leaves: Sequence[Tensor], left_out: dict[str, str] | None = None
) -> Iterator[Comparison]:
    """Two comparisons of the same sides: the forward pass without a graph of gradients, then both passes."""
    left_out = left_out or {}
    yield Comparison(FORWARD, sizes, {side: torch.no_grad()(step) for side, step in sides.items()}, left_out)
    yield Comparison(BOTH, sizes, {side: with_backward(step, leaves) for side, step in sides.items()}, left_out)


def with_backward(step: Callable[[], Tensor], leaves: Sequence[Tensor]) -> Step:
    """The step and the gradients of all leaves, for one fixed gradient of its result."""
    given: list[Tensor] = []

    def both() -> Result:
        out = step()
        if not given:
            given.append(torch.randn(out.shape, generator=torch.Generator().manual_seed(1)))
        return torch.autograd.grad(out, leaves, given[0])

    return both


def trained(module: Callable[..., Tensor], inputs: tuple[object, ...], leaves: Sequence[Tensor]) -> Step:
    """A training step without the optimizer: forward pass, squares as the loss, backward pass to all leaves."""
    return lambda: torch.autograd.grad(module(*inputs).square().mean(), leaves)


def difference(ours: Result, theirs: Result) -> float:
    """The largest difference, as a share of the largest number in ours; infinite where one side is no number.

    >>> difference(torch.tensor([2.0, 4.0]), torch.tensor([2.0, 4.1]))
    0.025
    """
    mine, other = (torch.cat([part.detach().flatten() for part in _tensors(side)]) for side in (ours, theirs))
    if mine.shape != other.shape:
        raise ValueError(f"expected results of one size, got {mine.numel()} numbers and {other.numel()}")
    if not mine.numel():
        return 0.0
    apart = float((mine - other).abs().max() / mine.abs().max().clamp(min=1e-30))
    return apart if math.isfinite(apart) else math.inf


def _tensors(result: Result) -> Sequence[Tensor]:
    return [result] if isinstance(result, Tensor) else result
