"""What a node is before the first layer hears it: a token's vector, or a map of its features."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch_geometric.data import Data

from graphattn.topology import Topology


@final
class TokenEmbedding(nn.Module):
    r"""A learned vector for each token, scaled (Vaswani et al. 2017, section 3.4), whose table also reads tokens out.

    .. math:: x_i = \sqrt{F}\; T_{t(i)} \qquad \text{logits}(x) = T x

    Args:
        vocabulary: how many tokens there are.
        channels: channels ``F`` of a node.

    Shapes: ``data.token [N] -> [N, F]``; in ``logits``, ``[N, F] -> [N, vocabulary]``.

    >>> TokenEmbedding(10, channels=8)(Data(token=torch.tensor([3, 1]))).shape
    torch.Size([2, 8])
    """

    def __init__(self, vocabulary: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.table = nn.Parameter(torch.empty(vocabulary, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        nn.init.normal_(self.table, std=self.channels**-0.5)

    def forward(self, data: Data) -> Tensor:
        return self.channels**0.5 * self.table.index_select(0, data["token"])

    def logits(self, x: Tensor) -> Tensor:
        """How likely each token is in the states ``x [N, F]``, by the same table (weight tying, Press & Wolf 2017)."""
        return linear(x, self.table)

    def extra_repr(self) -> str:
        return f"vocabulary={self.table.size(0)}, channels={self.channels}"


@final
class FeatureEmbedding(nn.Module):
    r"""A linear map of a node's features, such as the pixels of a patch: :math:`W x_i + b`.

    Args:
        features: channels of ``data.x``.
        channels: channels ``F`` of a node.

    Shapes: ``data.x [N, features] -> [N, F]``.

    >>> FeatureEmbedding(4, channels=8)(Data(x=torch.randn(3, 4))).shape
    torch.Size([3, 8])
    """

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.map = nn.Linear(features, channels)

    def forward(self, data: Data) -> Tensor:
        return self.map(data["x"])


Embedding = TokenEmbedding | FeatureEmbedding
"""Makes the states of nodes from a PyG batch; ``channels`` is how wide."""


def places(data: Data, graph: Topology) -> Tensor:
    """Where each node stands: ``data.place [N]``, or its number in its graph.

    >>> places(Data(num_nodes=3), Full([3]))
    tensor([0, 1, 2])
    """
    return data["place"] if "place" in data else graph.places()[0]
