"""Numbers of channels, heads, kinds, nodes and places as a caller gives them: integers, or refused in words."""

from __future__ import annotations

from operator import index
from typing import Any

import torch


def read_integer(value: Any, name: str) -> int:
    """Itself as an ``int``; a symbol of a compiler stays one, and a bool is no integer.

    Raises:
        TypeError: what is no integer, by name and value.

    >>> read_integer(1.5, "radius")
    Traceback (most recent call last):
    TypeError: expected an integer in radius, got 1.5
    """
    try:
        if not isinstance(value, bool):
            return value if isinstance(value, (int, torch.SymInt)) else index(value)  # pyright: ignore[reportReturnType]
    except TypeError:
        pass
    raise TypeError(f"expected an integer in {name}, got {value!r}")


def must_be_counts(layer: str, **given: object) -> None:
    """Refuse what does not count the parts of a layer, by name: integers of 1 or more, or None where not given.

    Raises:
        TypeError: no integer.
        ValueError: 0 or less.

    >>> must_be_counts("GCN", out_channels=0)
    Traceback (most recent call last):
    ValueError: expected 1 or more in out_channels of GCN, got 0
    """
    for name, value in given.items():
        if value is not None and read_integer(value, f"{name} of {layer}") < 1:
            raise ValueError(f"expected 1 or more in {name} of {layer}, got {value}")
