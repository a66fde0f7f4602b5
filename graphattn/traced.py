"""What a compiler sees instead of values: symbols for numbers, and conditions that are looked at when a program runs."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def is_traced() -> bool:
    """Whether a compiler, an export or ``torch.jit.trace`` looks on, so that no value may be read."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


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
