"""Backends: several ways to compute one result. The dispatcher takes the first that can.

Names are resolved when they are first used: topologies import :mod:`graphattn.backends.layout`, before there is any layer.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphattn.backends.dispatch import BACKENDS, BackendExplanation, choose, explain_backend, use_backend

__all__ = ["BACKENDS", "BackendExplanation", "choose", "explain_backend", "use_backend"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'graphattn.backends' has no attribute {name!r}; it has {', '.join(__all__)}")
    from graphattn.backends import dispatch

    return getattr(dispatch, name)
