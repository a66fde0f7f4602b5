"""Attention as transformers write it."""

from __future__ import annotations

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.counts import must_be_counts
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import EluKernel
from graphattn.slots import EdgeTerm, EdgeValue, Rotate, Score
from graphattn.update import Project
from graphattn.zoo.channels import must_be_one_number


def SelfAttention(  # noqa: N802  named as the field names the layer
    channels: int,
    heads: int | Heads = 1,
    bias: bool = True,
    edge_bias: EdgeTerm | None = None,
    edge_value: EdgeValue | None = None,
    score: Score | None = None,
    rotate: Rotate | None = None,
    dropout: float = 0.0,
) -> GraphLayer:
    r"""Multi-head self-attention (Vaswani et al. 2017): on ``Full`` a transformer's, on ``Edges`` a sparse one.

    .. math::
        x_i' = W_O \,\|_h \sum_{j \in N(i)}
        \text{softmax}_j\!\left(\frac{q_i^h \cdot k_j^h}{\sqrt{C}} + b_{ji}^h\right)(v_j^h + u_{ji}^h)

    Args:
        channels: channels of a node, in and out, divided among the heads.
        heads: number of heads ``H``, of ``C = channels / heads``; or :class:`~graphattn.message.Heads`, for grouped queries or
            other widths.
        bias: whether the four linear maps have a bias.
        edge_bias, edge_value: ``b`` and ``u``, what the edge adds (:mod:`graphattn.edge_terms`).
        score: similarity of query and key instead of the scaled dot product (:mod:`graphattn.score`).
        rotate: turns queries and keys by position (:mod:`graphattn.encoding`).
        dropout: share of the messages not heard in training.

    Raises:
        ValueError: ``channels`` that the heads do not divide.

    >>> SelfAttention(8, heads=2)(torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 8])
    """
    must_be_one_number(channels, "SelfAttention")
    shape = _shape(heads, channels, "SelfAttention")
    message = Attend(channels, shape, score, bias=bias, edge_bias=edge_bias, edge_value=edge_value, rotate=rotate)
    update = Project(shape.number * (shape.value_channels or shape.channels), channels, bias)
    return GraphLayer(message, SoftmaxSum(), update, name="SelfAttention", dropout=dropout)


def CrossAttention(  # noqa: N802
    senders: int,
    receivers: int,
    heads: int | Heads = 1,
    bias: bool = True,
    edge_bias: EdgeTerm | None = None,
    score: Score | None = None,
    rotate: Rotate | None = None,
    dropout: float = 0.0,
) -> GraphLayer:
    r"""Multi-head attention from one set of nodes to another (Vaswani et al. 2017), called with ``x=(senders, receivers)``.

    .. math::
        x_i' = W_O \,\|_h \sum_{j \in N(i)}
        \text{softmax}_j\!\left(\frac{W_q^h x_i \cdot W_k^h y_j}{\sqrt{C}} + b_{ji}^h\right) W_v^h y_j

    It is ``torch.nn.MultiheadAttention(receivers, heads, kdim=senders, vdim=senders)``; what are masks there is the graph here:
    who is padded or masked has no edge.

    Args:
        senders, receivers: channels of the nodes that speak and of those that listen; a node keeps its channels.
        heads: number of heads ``H``, of ``C = receivers / heads``; or :class:`~graphattn.message.Heads`.
        bias: whether the four linear maps have a bias.
        edge_bias: ``b``, what the edge adds (:mod:`graphattn.edge_terms`).
        score: similarity of query and key instead of the scaled dot product (:mod:`graphattn.score`).
        rotate: turns queries and keys by position (:mod:`graphattn.encoding`).
        dropout: share of the messages not heard in training.

    Raises:
        ValueError: ``receivers`` that the heads do not divide.

    >>> words, image = torch.randn(3, 8), torch.randn(2, 6)
    >>> CrossAttention(8, 6, heads=2)((words, image), torch.tensor([[0, 1, 2], [0, 1, 1]])).shape
    torch.Size([2, 6])
    """
    must_be_counts("CrossAttention", senders=senders, receivers=receivers)
    shape = _shape(heads, receivers, "CrossAttention")
    message = Attend((senders, receivers), shape, score, bias=bias, edge_bias=edge_bias, rotate=rotate)
    update = Project(shape.number * (shape.value_channels or shape.channels), receivers, bias)
    return GraphLayer(message, SoftmaxSum(), update, name="CrossAttention", dropout=dropout)


def LinearAttention(  # noqa: N802
    channels: int,
    heads: int | Heads = 1,
    bias: bool = True,
    kernel: Score | None = None,
    rotate: Rotate | None = None,
    dropout: float = 0.0,
) -> GraphLayer:
    r"""Attention of a positive kernel (Katharopoulos et al. 2020), in linear time on whole graphs.

    .. math::
        x_i' = W_O \,\|_h \frac{\sum_{j \in N(i)} (\phi(q_i^h) \cdot \phi(k_j^h))\, v_j^h}
        {\sum_{j \in N(i)} \phi(q_i^h) \cdot \phi(k_j^h)}

    Args:
        channels: channels of a node, in and out, divided among the heads.
        heads: number of heads ``H``, of ``C = channels / heads``; or :class:`~graphattn.message.Heads`.
        bias: whether the four linear maps have a bias.
        kernel: a positive score; :class:`~graphattn.score.EluKernel` if not given, :class:`~graphattn.score.Favor` makes it a
            Performer (Choromanski et al. 2021).
        rotate: turns queries and keys by position (:mod:`graphattn.encoding`).
        dropout: share of the messages not heard in training.

    Raises:
        ValueError: ``channels`` that the heads do not divide.

    >>> from graphattn.score import Favor
    >>> performer = LinearAttention(8, heads=2, kernel=Favor(channels=4, features=64))
    >>> performer(torch.randn(3, 8), Full([3])).shape
    torch.Size([3, 8])
    """
    must_be_one_number(channels, "LinearAttention")
    shape = _shape(heads, channels, "LinearAttention")
    message = Attend(channels, shape, EluKernel() if kernel is None else kernel, bias=bias, rotate=rotate)
    update = Project(shape.number * (shape.value_channels or shape.channels), channels, bias)
    return GraphLayer(message, NormalizedSum(), update, name="LinearAttention", dropout=dropout)


def _shape(heads: int | Heads, channels: int, layer: str) -> Heads:
    if isinstance(heads, Heads):
        return heads
    must_be_counts(layer, heads=heads)
    if channels % heads:
        raise ValueError(f"expected channels that the heads divide, got channels={channels} and heads={heads}")
    return Heads(heads, channels // heads)
