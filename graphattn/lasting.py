"""Tensors that are made once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack


@contextmanager
def lasting(source: Tensor) -> Iterator[None]:
    """Make tensors of ``source`` that outlive the call, whoever makes it.

    What inference mode makes cannot take part in training later, and what a transformation of ``torch.func`` makes belongs to it,
    unless ``source`` does so already.
    """
    inside = not torch._C._are_functorch_transforms_active() or is_functorch_wrapped_tensor(source)
    with torch.inference_mode(False), nullcontext() if inside else temporarily_clear_interpreter_stack():
        yield
