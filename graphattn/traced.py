"""What a compiler sees instead of values: symbols for numbers, and conditions that are looked at when a program runs."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor


def is_traced() -> bool:
    """Whether a compiler, an export or ``torch.jit.trace`` looks on, so that no value may be read."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


def is_broken(*tensors: Tensor) -> bool:
    """Whether infinity, NaN or a sum that overflows is seen in tensors on the CPU. Elsewhere nobody waits for the answer: False.

    >>> is_broken(torch.ones(2)), is_broken(torch.ones(2), torch.tensor([1.0, -torch.inf]))
    (False, True)
    """
    if is_traced() or torch._C._are_functorch_transforms_active():
        return False
    return not all(math.isfinite(cast(float, x.detach().sum().tolist())) for x in tensors if x.device.type == "cpu")


def smaller(one: int, other: int) -> int:
    """The smaller number. Unlike ``min`` it does not ask how large a symbol is, which would compile each side for itself.

    >>> smaller(3, 5)
    3
    """
    return cast(int, torch.sym_min(one, other))


def larger(one: int, other: int) -> int:
    """The larger number, likewise.

    >>> larger(3, 5)
    5
    """
    return cast(int, torch.sym_max(one, other))


def must_hold(condition: Tensor, sentence: str) -> None:
    """End a program with a RuntimeError of that sentence where a condition does not hold; values cannot be named in it.

    >>> must_hold(torch.tensor(True), "expected node numbers of 0 or more")
    """
    torch._assert_async(condition, sentence)  # pyright: ignore[reportPrivateImportUsage]
