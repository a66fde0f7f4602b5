"""How much memory a step takes beyond what was there before it."""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_SELF = Path("/proc/self")


class Peak(NamedTuple):
    """MiB: ``extra`` is what a step took at its worst beyond what was there, ``whole`` is what the process then had."""

    extra: float
    whole: float


def peak(step: Callable[[], Any]) -> Peak | None:
    """The largest resident memory of this process during a call, all libraries and threads counted; None where unknown.

    The kernel's own high-water mark is set back first, and memory that was freed but kept is handed back, so that it cannot
    hide what the step takes. Known on Linux alone.

    >>> found = peak(lambda: torch.ones(1 << 24))
    >>> found is None or 60 < found.extra < 80
    True
    """
    if not _forget_peak():
        return None
    before = _status("VmRSS")
    step()
    highest = _status("VmHWM")
    return Peak(max(highest - before, 0.0), highest)


def tensors(step: Callable[[], Any]) -> float:
    """MiB of tensors that a call makes and that live at once at its worst, on any device; equal in every run.

    What an operator takes inside itself and gives back is not seen, nor are buffers of other libraries.

    >>> tensors(lambda: torch.ones(1 << 18) + torch.ones(1 << 18).mul_(2).view(-1))
    3.0
    """
    with _Living() as living:
        step()
    return living.most / 2**20


@final
class _Living(TorchDispatchMode):
    """Bytes of the storages that operators made and somebody holds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known = weakref.WeakSet[UntypedStorage]()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.known.update(_storages((args, kwargs)))
        found = func(*args, **(kwargs or {}))
        for storage in _storages(found):
            if storage not in self.known:
                self.known.add(storage)
                self._count(storage.nbytes())
                weakref.finalize(storage, self._count, -storage.nbytes())
        return found

    def _count(self, size: int) -> None:
        self.now += size
        self.most = max(self.most, self.now)


def _storages(given: Any) -> Iterator[UntypedStorage]:
    return (each.untyped_storage() for each in tree_leaves(given) if isinstance(each, Tensor))


def highest() -> float | None:
    """Most memory of this process so far, or since :func:`peak` was called last, in MiB; None where unknown."""
    return _status("VmHWM") if (_SELF / "status").exists() else None


def _forget_peak() -> bool:
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if _SELF.exists() else None
    if trim is not None:
        trim(0)
    try:
        (_SELF / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _status(field: str) -> float:
    for line in (_SELF / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise OSError(f"expected {field} in {_SELF / 'status'}, got none")
