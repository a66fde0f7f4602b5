"""From names, files and PyG data to a :class:`~graphattn.comparison.problems.base.Problem`."""

from graphattn.comparison.problems.named import NAMES, problem

__all__ = ["NAMES", "problem"]
