"""What a node is before the first layer: a token's vector, a map of its features, or the sum of vectors of its categories.

Letters: ``N`` nodes, ``K`` edges, ``T`` different rows of categories, ``F`` channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear
from torch_geometric.data import Data

from graphattn.slots import State
from graphattn.topology import Topology


@final
class TokenEmbedding(nn.Module):
    r"""A learned vector for each token, scaled (Vaswani et al. 2017, section 3.4), whose table also reads tokens out.

    .. math:: x_i = \sqrt{F}\; T_{t(i)} \qquad \text{logits}(x) = T x

    Args:
        vocabulary: how many tokens there are.
        channels: channels ``F`` of a node.

    Shapes: ``data.token [N] -> [N, F]``; in ``logits``, ``[N, F] -> [N, vocabulary]``.

    Raises:
        ValueError: a token beyond the vocabulary (:func:`below`).

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
        token = below(self.table.size(0), data["token"], "tokens")
        return self.channels**0.5 * self.table.index_select(0, token)

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


class Distinct(NamedTuple):
    """The different rows ``[T, F]`` among many, and which of them each one is, ``[K]``."""

    rows: Tensor
    kind: Tensor


@final
class CategoryEmbedding(nn.Module):
    r"""The sum of one learned vector per column of categories, :math:`\sum_c T_c[x_c]`.

    Args:
        sizes: how many categories each column has.
        channels: ``F``.

    Shapes: ``[N, columns] -> [N, F]``.

    >>> CategoryEmbedding((3, 2), channels=4)(torch.tensor([[2, 1], [0, 0]])).shape
    torch.Size([2, 4])
    """

    offset: Tensor

    def __init__(self, sizes: Sequence[int], channels: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.register_buffer("offset", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.table = nn.Parameter(torch.randn(sum(sizes), channels) / math.sqrt(len(sizes)))

    def forward(self, categories: Tensor) -> Tensor:
        return embedding_bag(categories + self.offset, self.table, mode="sum")

    def distinct(self, categories: Tensor) -> Distinct:
        """The same, each different row of ``categories [K, columns]`` added up once."""
        if math.prod(self.sizes) >= 2**62:  # rows cannot be numbered
            return each_distinct(self(categories))
        rows, kind = kinds(categories, self.sizes)
        return Distinct(self(rows), kind)


def each_distinct(rows: Tensor) -> Distinct:
    """``rows [K, F]``, taken to be all different."""
    return Distinct(rows, torch.arange(len(rows), device=rows.device))


def kinds(categories: Tensor, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The different rows of ``categories [K, columns]``, ``[T, columns]``, and which of them each row is, ``[K]``.

    >>> kinds(torch.tensor([[1, 0], [0, 2], [1, 0]]), sizes=(2, 3))
    (tensor([[0, 2],
            [1, 0]]), tensor([1, 0, 1]))
    """
    strides = torch.tensor([math.prod(sizes[column + 1 :]) for column in range(len(sizes))], device=categories.device)
    code, kind = (categories * strides).sum(1).unique(return_inverse=True)
    return code[:, None] // strides % torch.tensor(sizes, device=code.device), kind


def below(size: int, number: Tensor, what: str) -> Tensor:
    """The numbers ``[N]`` of rows of a table of that size, as they are.

    Raises:
        ValueError: a number beyond it; not looked for on CUDA and in a compiled graph, which would have to wait for it.

    >>> below(2, torch.tensor([1, 1, 0]), "tokens")
    tensor([1, 1, 0])
    """
    waits = number.is_cuda or torch.compiler.is_compiling()
    if not waits and number.numel() and not 0 <= int(number.min()) <= int(number.max()) < size:
        raise ValueError(f"expected {what} from 0 to {size - 1}, got {int(number.min())} to {int(number.max())}")
    return number


Embedding = TokenEmbedding | FeatureEmbedding
"""Makes the states of nodes from a PyG batch; ``channels`` is how wide."""


def places(data: Data, graph: Topology) -> Tensor:
    """Where each node stands: ``data.place [N]``, or its number in its graph.

    >>> places(Data(num_nodes=3), Full([3]))
    tensor([0, 1, 2])
    """
    return data["place"] if "place" in data else graph.places()[0]


def out_of_order(data: Data, graph: Topology) -> State:
    """What edge terms are told of places, the edge feature ``place [N]``; nothing where nodes stand in the order of their graph.

    >>> out_of_order(Data(place=torch.tensor([0, 1])), Full([2])), out_of_order(Data(place=torch.tensor([0, 2])), Full([2]))
    ({}, {'place': tensor([0, 2])})
    """
    # In order, a term is computed once for all graphs of a batch.
    place = places(data, graph)
    return {} if torch.equal(place, graph.places()[0]) else {"place": place}
