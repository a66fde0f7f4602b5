"""Whether kernels in Triton can be used here."""

from __future__ import annotations

from importlib.util import find_spec
from os import environ

import torch
from torch import Tensor

# Read once, as Triton does; a compiler meets two constants.
_HAS_TRITON = find_spec("triton") is not None
_INTERPRETED = environ.get("TRITON_INTERPRET") == "1"
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def why_not_here(state: Tensor | None) -> list[str]:
    """Why kernels in Triton do not take a tensor: where it is, or what it holds."""
    if state is None:
        return []
    if state.device.type != "cuda" and not interpreted():
        return [f"needs tensors on a CUDA device, got {state.device}"]
    if not _HAS_TRITON:
        return ["needs the package triton, which is not installed"]
    if state.dtype not in _FLOATS:
        return [f"needs float16, bfloat16, float32 or float64, got {state.dtype}"]
    return []


def interpreted() -> bool:
    """Whether Triton runs its kernels on the CPU, one program after the other: slow, for tests."""
    return _INTERPRETED
