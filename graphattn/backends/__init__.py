"""Backends: several ways to compute one result. The dispatcher takes the first that can."""

from graphattn.backends.dispatch import BACKENDS, Explanation, choose, explain_backend, use_backend

__all__ = ["BACKENDS", "Explanation", "choose", "explain_backend", "use_backend"]
