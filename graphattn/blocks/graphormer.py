"""Attention that knows how far nodes are from each other."""

from __future__ import annotations

from torch import nn

from graphattn.blocks.feed_forward import feed_forward
from graphattn.blocks.transformer import Block
from graphattn.edge_terms import ShortestPathBias, SumOfTerms
from graphattn.slots import EdgeTerm
from graphattn.zoo import SelfAttention


def Graphormer(  # noqa: N802  named as the field names the block
    channels: int,
    heads: int = 1,
    farthest: int = 20,
    edge_bias: EdgeTerm | None = None,
    mlp: nn.Module | None = None,
    dropout: float = 0.0,
) -> Block:
    r"""A Graphormer layer (Ying et al. 2021): everyone hears everyone, and the score knows path and edge between them.

    .. math::
        s_{ij} = \frac{q_i \cdot k_j}{\sqrt{C}} + b_{\phi(j, i)} + c_{ji} \qquad
        h = x + \text{attention}(\text{norm}(x)) \qquad x' = h + \text{mlp}(\text{norm}(h))

    with a learned number ``b`` for each length of the shortest path, and ``c`` from edge features. Degrees join the states before
    the first block: ``x + incoming(edges) + outgoing(edges.reverse())``, with a :class:`~graphattn.encoding.DegreeEmbedding`
    each. The paper's ``c`` is a mean over the edges on the path, each position with its own weights: a ``LinearBias`` of their
    features, side by side and divided by their number.

    Args:
        channels: channels ``F`` of a node.
        heads: attention heads.
        farthest: the path length from which on all are alike, as given to :func:`~graphattn.encoding.shortest_path`.
        edge_bias: ``c``, such as :class:`~graphattn.edge_terms.LinearBias`; none if not given.
        mlp: token-wise network; the paper's, with GELU and width ``F``, if not given.
        dropout: share of channels dropped in training, in the mlp and behind attention and mlp.

    Shapes: ``x [N, F] -> [N, F]``, the edge feature ``distance [E]``.

    >>> from graphattn.encoding import shortest_path
    >>> path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    >>> edge = {"distance": shortest_path(path, num_nodes=3, farthest=20)}
    >>> Graphormer(8, heads=2)(torch.randn(3, 8), Full([3]), edge).shape
    torch.Size([3, 8])
    """
    path = ShortestPathBias(farthest, heads)
    bias = path if edge_bias is None else SumOfTerms(path, edge_bias)
    mlp = mlp if mlp is not None else feed_forward(channels, channels, dropout)
    return Block(SelfAttention(channels, heads, edge_bias=bias), channels, mlp, dropout)
