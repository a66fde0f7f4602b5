"""Tensors and numbers as kernels take them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def flat(*tensors: Tensor) -> list[np.ndarray]:
    """Tensors as arrays without dimensions, their memory where they are contiguous."""
    return [tensor.detach().contiguous().view(-1).numpy() for tensor in tensors]


def real(number: float, dtype: torch.dtype) -> np.generic:
    """A number as kernels of that dtype take it."""
    return np.float32(number) if dtype == torch.float32 else np.float64(number)


def dropout_of(seed: Tensor | None, rate: float, dtype: torch.dtype) -> tuple[np.uint32, np.uint64, np.generic]:
    """Dropout as kernels take it: the seed, from which word on a message is kept, and its scale."""
    if seed is None:
        return np.uint32(0), np.uint64(0), real(1, dtype)
    return np.uint32(int(seed)), np.uint64(round(rate * 2**32)), real(1 / (1 - rate) if rate < 1 else 0, dtype)
