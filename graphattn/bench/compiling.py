"""PyG under torch.compile, as a peer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch

BACKEND = "inductor"


def compiled(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step for the sizes that it is called with first; compiled when it is called."""
    return torch.compile(step, dynamic=False, backend=BACKEND)


def why_no_compiler() -> str:
    """Why torch.compile cannot be measured on this machine; empty where it can."""
    from torch._inductor import config

    names = config.cpp.cxx if isinstance(config.cpp.cxx, tuple | list) else (config.cpp.cxx,)
    wanted = [name for name in names if name]
    if any(shutil.which(name) for name in (*wanted, "g++", "clang++", "cl")):
        return ""
    return f"torch.compile needs a C++ compiler, and none of {', '.join(wanted)} is here"
