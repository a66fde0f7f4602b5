"""Whether kernels can be compiled here."""

from __future__ import annotations

import os
from functools import lru_cache

import torch

SWITCH = "GRAPHATTN_NUMBA"
"""The environment variable that turns kernels off when it is ``0``: results stay the same, by other backends."""


@torch.compiler.assume_constant_result
def why_not_usable() -> list[str]:
    """Reasons, in sentences, why no kernel can be compiled; none if Numba can be used.

    >>> why_not_usable()
    []
    """
    if os.environ.get(SWITCH) == "0":
        return [f"needs Numba, which the environment variable {SWITCH}=0 turns off"]
    problem = _import_problem()
    return [f"needs Numba, which cannot be imported: {problem}"] if problem else []


@lru_cache(maxsize=1)
def _import_problem() -> str:
    # Tried once: an import that fails is as slow as one that succeeds, and is not remembered by Python.
    try:
        import numba  # noqa: F401  pyright: ignore[reportUnusedImport]
    except (ImportError, OSError, AttributeError) as error:  # missing, a broken library, made for another NumPy
        return str(error)
    return ""
