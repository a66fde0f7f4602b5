"""How kernels are started: block sizes and warps by rule from sizes alone, on the device of the tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
import triton.language as tl
from torch import Tensor

from graphattn.backends.triton.work import Bucket

TYPES = {
    torch.float16: tl.float16,
    torch.bfloat16: tl.bfloat16,
    torch.float32: tl.float32,
    torch.float64: tl.float64,
}
# Numbers of a tile: few enough for the registers of eight warps.
_TILE = 4096
_PER_WARP = 512
_WIDEST = 512


class DropoutConstants(NamedTuple):
    """Dropout as kernels take it: from which word on a message is kept (0: always), and its scale."""

    threshold: int
    scale: float


def power(number: int) -> int:
    """The least power of two that is not below.

    >>> [power(number) for number in (0, 1, 3, 8)]
    [1, 1, 4, 8]
    """
    return 1 << max(number - 1, 0).bit_length()


def warps(numbers: int) -> int:
    """How many warps share a tile.

    >>> [warps(numbers) for numbers in (128, 2048, 65536)]
    [1, 4, 8]
    """
    return min(max(power(numbers // _PER_WARP), 1), 8)


def steps(bucket: Bucket, numbers: int) -> int:
    """How many edges a program takes at once, with so many numbers for each."""
    return max(min(bucket.step, _TILE // power(numbers)), 1)


def columns(width: int, heads: int = 1) -> int:
    """How many columns a program takes of rows of that width, for each of the heads.

    >>> columns(100), columns(4000), columns(100, heads=8)
    (128, 512, 64)
    """
    return min(power(width), max(_WIDEST // power(heads), 1))


def wide(dtype: torch.dtype) -> torch.dtype:
    """What numbers of a dtype are added up in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def dropout_of(seed: Tensor | None, rate: float, dtype: torch.dtype) -> DropoutConstants:
    """Dropout as kernels take it; its scale in the precision of the layer, as on every backend."""
    if seed is None:
        return DropoutConstants(0, 1.0)
    scale = float(torch.ones((), dtype=dtype) / (1 - rate)) if rate < 1 else 0.0
    return DropoutConstants(round(rate * 2**32), scale)


def start(kernel: Any, grid: tuple[int, ...], given: Sequence[object], constants: Mapping[str, object]) -> None:
    """A program for each place of the grid, on the device of the first tensor: Triton takes the current one."""
    tensor = next(each for each in given if isinstance(each, Tensor))
    with torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext():
        kernel[grid](*given, **constants)


def kept(tensor: Tensor | None) -> Tensor | None:
    """A tensor as kernels read it, without gaps."""
    return None if tensor is None else tensor.detach().contiguous()
