"""Local message passing beside global attention."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.blocks.feed_forward import feed_forward
from graphattn.blocks.placement import Norm, batch_norm, post_norm
from graphattn.blocks.residual import Residual
from graphattn.layer import GraphLayer
from graphattn.reset import reset
from graphattn.slots import State
from graphattn.topology import Topology


@final
class GPS(nn.Module):
    r"""A GPS layer (Rampasek et al. 2022): a local layer and global attention side by side, then a network.

    .. math::
        h = \text{norm}(x + \text{local}(x, G)) + \text{norm}(x + \text{attention}(x, \text{Full})) \qquad
        x' = \text{norm}(h + \text{mlp}(h))

    It equals PyG's ``GPSConv`` of the same parts. A graph in a batch gives what it gives alone (with batch norm: in ``eval``, as
    training takes means over the batch).

    Args:
        local: the layer on the edges, from ``F`` to ``F`` channels.
        attention: the layer on the full graph, from ``F`` to ``F`` channels.
        channels: channels ``F`` of a node.
        mlp: token-wise network; the paper's, with ReLU and width ``2 F``, if not given.
        dropout: share of channels dropped in training, in the mlp and behind each of the three parts.
        norm: makes the three norms, from their channels.

    Shapes: ``x [N, F] -> [N, F]``.

    >>> block = GPS(GCN(8, 8), SelfAttention(8, heads=2), channels=8)
    >>> edges = Edges(torch.tensor([[0, 1, 3], [1, 2, 4]]), 5)
    >>> block(torch.randn(5, 8), edges, Full([3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        local: GraphLayer,
        attention: GraphLayer,
        channels: int,
        mlp: nn.Module | None = None,
        dropout: float = 0.0,
        norm: Norm = batch_norm,
    ) -> None:
        super().__init__()
        self.local = local
        self.attention = attention
        self.mlp = mlp if mlp is not None else feed_forward(channels, 2 * channels, dropout, nn.ReLU())
        self.around_local = Residual(channels, norm, post_norm, dropout)
        self.around_attention = Residual(channels, norm, post_norm, dropout)
        self.around_mlp = Residual(channels, norm, post_norm, dropout)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(
        self,
        x: Tensor,
        edges: Topology,
        full: Topology,
        edge_attr: Tensor | State | None = None,
        pair: State | None = None,
    ) -> Tensor:
        """``edge_attr`` has features of the edges, ``pair`` those of pairs of nodes for the attention, where layers take them."""
        sizes = full.receivers
        near = self.around_local(x, lambda x: self.local(x, edges, edge_attr), sizes)
        far = self.around_attention(x, lambda x: self.attention(x, full, pair), sizes)
        return self.around_mlp(near + far, self.mlp, sizes)
