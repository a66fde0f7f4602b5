"""Score: similarity of a receiver and a sender.

A score compares a query with a key, ``[E, H, C], [E, H, C] -> [E, H]``. It may know more: see :mod:`graphattn.score.base`.
"""

from graphattn.score.additive import Additive
from graphattn.score.base import MatrixScore, NodeScore, ProductScore
from graphattn.score.dot import Dot
from graphattn.score.scaled_dot import ScaledDot
from graphattn.score.split_additive import SplitAdditive

__all__ = ["Additive", "Dot", "MatrixScore", "NodeScore", "ProductScore", "ScaledDot", "SplitAdditive"]
