"""Aggregation: how a node listens to all that its senders say. A node with no sender hears zero."""

from graphattn.aggregation.normalized import NormalizedSum
from graphattn.aggregation.plain import Max, Mean, Sum
from graphattn.aggregation.softmax import SoftmaxSum

__all__ = ["Max", "Mean", "NormalizedSum", "SoftmaxSum", "Sum"]
