"""What is made once and kept: for a tensor, as long as it stays as it is."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.utils.weak import WeakTensorKeyDictionary
from torch_geometric import EdgeIndex

Made = TypeVar("Made")

# Of each tensor its mark, and what was made of it, by key.
_SEEN: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
_KEYS = 16
# Up to so many bytes a checksum by zlib takes as long as asking for the kernel.
_FEW = 4096


@contextmanager
def lasting(source: Tensor) -> Iterator[None]:
    """Make tensors of ``source`` that outlive the call, whoever makes it.

    What inference mode makes cannot take part in training later, and what a transformation of ``torch.func`` makes belongs to it,
    unless ``source`` does so already.
    """
    inside = not torch._C._are_functorch_transforms_active() or is_functorch_wrapped_tensor(source)
    with torch.inference_mode(False), nullcontext() if inside else temporarily_clear_interpreter_stack():
        yield


def remembered(tensor: Tensor, key: Hashable, make: Callable[[], Made]) -> Made:
    """What ``make()`` makes of a tensor of integers, once for each key as long as the tensor lives and :func:`mark` is the same.

    What is made must not hold the tensor itself, which would never be freed then.

    >>> edge_index, made = torch.tensor([[0], [1]]), []
    >>> for number in (1, 1, 2):
    ...     edge_index.numpy()[0] = number  # torch does not see it
    ...     _ = remembered(edge_index, "example", lambda: made.append(f"at {number}"))
    >>> made
    ['at 1', 'at 2']
    """
    now = None if torch.compiler.is_compiling() else mark(tensor)
    if now is None:
        return make()
    seen, made = _SEEN.get(tensor) or (None, {})
    if seen != now or len(made) >= _KEYS:
        made = {}
        _SEEN[tensor] = (now, made)
    if key not in made:
        with lasting(tensor):
            made[key] = make()
    return made[key]


def mark(tensor: Tensor) -> Hashable:
    """What is another whenever a tensor of integers is: its version, place in memory, shape, and its :func:`content`.

    None where nothing can be told: of tensors of other classes and in transforms of ``torch.func``.

    >>> ends = torch.tensor([[0, 1], [2, 3]])
    >>> before = mark(ends)
    >>> ends.data[0] = torch.tensor([1, 0])
    >>> mark(ends) == before
    False
    """
    if tensor.layout != torch.strided:
        return tuple(mark(part) for part in _ends_of(tensor))
    plain = tensor.as_tensor() if isinstance(tensor, EdgeIndex) else tensor
    if type(plain) not in (Tensor, nn.Parameter) or is_functorch_wrapped_tensor(plain):
        return None
    known = content(plain)
    version = None if plain.is_inference() else plain._version
    return None if known is None else (version, plain.data_ptr(), plain.shape, plain.stride(), known)


def content(tensor: Tensor) -> int | None:
    """A checksum of integers that depends on where each stands, and sees what versions do not: writes through NumPy or ``.data``.

    On CUDA it is the version, as a checksum would wait for the device: such writes are not seen there.

    >>> content(torch.tensor([0, 1])) == content(torch.tensor([1, 0])), content(torch.tensor([0, 1])) == content(torch.arange(2))
    (False, True)
    """
    if not tensor.is_cpu or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return None if tensor.is_inference() else tensor._version
    if torch._C._are_functorch_transforms_active():
        with temporarily_clear_interpreter_stack():
            return _checksum(tensor.numpy())
    return _checksum(tensor.numpy())


def _ends_of(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The tensors of integers in a sparse matrix, which is remembered for where its entries stand."""
    if matrix.layout == torch.sparse_coo:
        return matrix._indices()[0], matrix._indices()[1]
    if matrix.layout == torch.sparse_csc:
        return matrix.ccol_indices(), matrix.row_indices()
    return matrix.crow_indices(), matrix.col_indices()


def _checksum(array: np.ndarray) -> int:
    # Of a transposed tensor the order in memory does as well, and needs no copy.
    numbers = array.ravel("K")
    if numbers.nbytes <= _FEW or numbers.itemsize not in (4, 8):
        return zlib.crc32(numbers.data)
    from graphattn.backends.numba.usable import why_not_usable

    if why_not_usable():
        return zlib.crc32(numbers.data)
    from graphattn.backends.numba.checksum import checksum

    return int(checksum(numbers.view(f"u{numbers.itemsize}")))
