"""The decoder layer of a transformer, on two graphs."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.blocks.feed_forward import feed_forward
from graphattn.blocks.placement import Norm, Placement, post_norm
from graphattn.blocks.residual import Residual
from graphattn.layer import GraphLayer
from graphattn.message import Heads
from graphattn.reset import reset
from graphattn.topology import Topology
from graphattn.zoo import CrossAttention, SelfAttention


@final
class DecoderBlock(nn.Module):
    r"""A transformer decoder layer (Vaswani et al. 2017), as ``nn.TransformerDecoderLayer``: two graphs, then a network.

    .. math::
        g = \text{norm}(x + \text{attention}(x)) \qquad
        h = \text{norm}(g + \text{attention}(\text{query}: g, \text{keys and values}: m)) \qquad
        x' = \text{norm}(h + W_2\, \text{ReLU}(W_1 h))

    Nodes hear each other on one graph, mostly ``Causal``, and a memory ``m`` on another, mostly ``Cross``. Masks are graphs:
    a padded batch is one of unequal sizes.

    Args:
        channels: channels ``F`` of a node, and of the memory.
        heads: attention heads, or :class:`~graphattn.message.Heads` for grouped queries.
        mlp: token-wise network; the paper's, with ReLU and width ``4 F``, if not given.
        dropout: share dropped in training: of attention weights, of hidden channels, and behind each of the three parts.
        bias: whether the linear maps have a bias.
        norm: makes the norms, from their channels.
        placement: where the norms stand; torch's ``norm_first=True`` is ``pre_norm``.
        self_attention: what nodes hear each other by, such as one with rotary positions; ``SelfAttention`` if not given.

    Shapes: ``x [N_i, F]``, ``memory [N_j, F] -> [N_i, F]``.

    >>> from graphattn.topology import Causal, Cross
    >>> block, x, memory = DecoderBlock(8, heads=2), torch.randn(5, 8), torch.randn(7, 8)
    >>> block(x, memory, Causal([3, 2]), Cross([4, 3], [3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        channels: int,
        heads: int | Heads = 1,
        mlp: nn.Module | None = None,
        dropout: float = 0.0,
        bias: bool = True,
        norm: Norm = nn.LayerNorm,
        placement: Placement = post_norm,
        self_attention: GraphLayer | None = None,
    ) -> None:
        super().__init__()
        self.self_attention = self_attention or SelfAttention(channels, heads, bias, dropout=dropout)
        self.cross_attention = CrossAttention(channels, channels, heads, bias, dropout=dropout)
        self.mlp = mlp if mlp is not None else feed_forward(channels, 4 * channels, dropout, nn.ReLU(), bias)
        self.around_self_attention = Residual(channels, norm, placement, dropout)
        self.around_cross_attention = Residual(channels, norm, placement, dropout)
        self.around_mlp = Residual(channels, norm, placement, dropout)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, x: Tensor, memory: Tensor, graph: Topology, cross: Topology) -> Tensor:
        """``graph`` is who hears whom among ``x``; ``cross`` who hears what of the memory."""
        sizes = cross.receivers
        x = self.around_self_attention(x, lambda x: self.self_attention(x, graph), sizes)
        x = self.around_cross_attention(x, lambda x: self.cross_attention((memory, x), cross), sizes)
        return self.around_mlp(x, self.mlp, sizes)
