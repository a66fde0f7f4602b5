"""Attention layers."""

from __future__ import annotations

from graphattn.aggregation import SoftmaxSum
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.slots import EdgeTerm, EdgeValue
from graphattn.update import Project


def SelfAttention(  # noqa: N802  named as the field names the layer
    channels: int,
    heads: int = 1,
    bias: bool = True,
    edge_bias: EdgeTerm | None = None,
    edge_value: EdgeValue | None = None,
) -> GraphLayer:
    r"""Multi-head self-attention (Vaswani et al. 2017): on ``Full`` a transformer's, on ``Edges`` a sparse one.

    .. math::
        x_i' = W_O \,\|_h \sum_{j \in N(i)}
        \text{softmax}_j\!\left(\frac{q_i^h \cdot k_j^h}{\sqrt{C}} + b_{ji}^h\right)(v_j^h + u_{ji}^h)

    Args:
        channels: channels of a node, in and out, divided among the heads.
        heads: number of heads ``H``; ``C = channels / heads``.
        bias: whether the four linear maps have a bias.
        edge_bias, edge_value: ``b`` and ``u``, what the edge adds (:mod:`graphattn.edge_terms`).

    Raises:
        ValueError: ``channels`` that the heads do not divide.

    >>> SelfAttention(8, heads=2)(torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 8])
    """
    if channels % heads:
        raise ValueError(f"expected channels that the heads divide, got channels={channels} and heads={heads}")
    message = Attend(channels, Heads(heads, channels // heads), bias=bias, edge_bias=edge_bias, edge_value=edge_value)
    return GraphLayer(message, SoftmaxSum(), Project(channels, channels, bias), name="SelfAttention")
