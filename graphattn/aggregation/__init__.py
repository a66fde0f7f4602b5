"""Aggregation: how a node listens to all that its senders say. A node with no sender hears zero."""

from graphattn.aggregation.log_sum_exp import LogSumExp
from graphattn.aggregation.multi import (
    Average,
    Multi,
    Scaler,
    amplification,
    attenuation,
    identity,
    inverse_linear,
    linear,
)
from graphattn.aggregation.normalized import NormalizedSum
from graphattn.aggregation.plain import Max, Mean, Min, Sum
from graphattn.aggregation.relation import RelationMean
from graphattn.aggregation.softmax import SoftmaxSum
from graphattn.aggregation.spread import Std, Variance

__all__ = [
    "Average",
    "LogSumExp",
    "Max",
    "Mean",
    "Min",
    "Multi",
    "NormalizedSum",
    "RelationMean",
    "Scaler",
    "SoftmaxSum",
    "Std",
    "Sum",
    "Variance",
    "amplification",
    "attenuation",
    "identity",
    "inverse_linear",
    "linear",
]
