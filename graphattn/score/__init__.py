"""Score: similarity of a receiver and a sender.

A score compares a query with a key, ``[E, H, C], [E, H, C] -> [E, H]``. It may know more: see :mod:`graphattn.score.base`.
Temperatures, soft caps and kernels are made of a score by :class:`Then`. Positive kernels (``EluKernel``, ``Favor``,
``Exponential``, an even ``Polynomial``) go with the aggregation ``NormalizedSum``, all other scores with ``SoftmaxSum``.
"""

from graphattn.score.additive import Additive
from graphattn.score.base import MatrixScore, NodeScore, ProductScore
from graphattn.score.bilinear import Bilinear
from graphattn.score.cosine import Cosine
from graphattn.score.dot import Dot
from graphattn.score.elu_kernel import EluKernel
from graphattn.score.exponential import Exponential
from graphattn.score.favor import Favor
from graphattn.score.gain import Gain
from graphattn.score.polynomial import Polynomial
from graphattn.score.rbf import RBF
from graphattn.score.scaled_dot import ScaledDot
from graphattn.score.soft_cap import SoftCap
from graphattn.score.split_additive import SplitAdditive
from graphattn.score.temperature import LearnedTemperature, Temperature
from graphattn.score.then import Then

__all__ = [
    "RBF",
    "Additive",
    "Bilinear",
    "Cosine",
    "Dot",
    "EluKernel",
    "Exponential",
    "Favor",
    "Gain",
    "LearnedTemperature",
    "MatrixScore",
    "NodeScore",
    "Polynomial",
    "ProductScore",
    "ScaledDot",
    "SoftCap",
    "SplitAdditive",
    "Temperature",
    "Then",
]
