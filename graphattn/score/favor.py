"""Positive random features, whose dot product estimates the exponential kernel of attention."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from graphattn.score.base import dot
from graphattn.topology import Topology, graph_of


@final
class Favor(nn.Module):
    r"""FAVOR+ of "Rethinking Attention with Performers" (Choromanski et al. 2021), to be listened to with a normalised sum.

    .. math::
        s_{ij} = \phi(q_i) \cdot \phi(k_j) \approx e^{q_i \cdot k_j / \sqrt{C}} \qquad
        \phi(x)_f = \frac{1}{\sqrt{m}} e^{w_f \cdot \hat x - \|\hat x\|^2 / 2} \qquad \hat x = x / C^{1/4}

    The directions :math:`w_f` are random, orthogonal in groups of ``C``, with lengths as of Gaussian vectors. The estimate is
    unbiased, and its error relative to the kernel has, by the paper's Lemma 2, a standard deviation of at most

    .. math:: \sqrt{(e^{\|\hat q_i + \hat k_j\|^2} - 1) / m}

    so that it needs features by the thousand where queries and keys are long. In a layer, the exponents are lowered by their
    maximum (over the features of a query; over all keys of a graph), which the normalised sum cancels: nothing overflows, and
    a graph hears the same alone and in a batch.

    Args:
        channels: channels ``C`` of query and key.
        features: number of random features ``m``.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    Raises:
        ValueError: fewer than one feature.

    >>> query, key = torch.randn(2, 1, 1, 4, dtype=torch.float64) / 2
    >>> estimate = Favor(channels=4, features=4096).double()(query, key)
    >>> (estimate / ((query * key).sum(-1) / 2).exp() - 1).abs().item() < 0.1
    True
    """

    linear_in_key = False
    directions: Tensor

    def __init__(self, channels: int, features: int = 256) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"expected at least one feature, got {features}")
        self.register_buffer("directions", torch.empty(features, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the directions anew: orthogonal within each group of ``C``, with lengths as of Gaussian vectors."""
        features, channels = self.directions.shape
        groups = torch.randn(-(-features // channels), channels, channels, dtype=torch.float64)
        basis, triangle = torch.linalg.qr(groups)
        # QR chooses the signs of its basis; only with those of the triangle are all directions equally likely.
        basis = basis * triangle.diagonal(dim1=1, dim2=2).sign().unsqueeze(1)
        units = basis.transpose(1, 2).flatten(0, 1)[:features]
        lengths = torch.randn(features, channels, dtype=torch.float64).norm(dim=1, keepdim=True)
        self.directions.copy_(units * lengths)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(self._exponents(query).exp(), self._exponents(key).exp()).to(query.dtype)

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        asked, offered = self._exponents(query), self._exponents(key)
        asked = asked - _or_zero(asked.detach().amax(-1, keepdim=True))
        offered = offered - _or_zero(_top_of_graph(offered.detach(), graph)).unsqueeze(-1)
        return asked.exp().to(query.dtype), offered.exp().to(key.dtype)

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(query, key)

    def factor(self, channels: int) -> float:
        """What the dot product of the features is multiplied with: 1."""
        return 1.0

    def extra_repr(self) -> str:
        features, channels = self.directions.shape
        return f"channels={channels}, features={features}"

    def _exponents(self, state: Tensor) -> Tensor:
        wide = torch.float64 if state.dtype == torch.float64 else torch.float32
        short = state.to(wide) / state.size(-1) ** 0.25
        features = self.directions.size(0)
        return short @ self.directions.to(wide).T - (short.square().sum(-1, keepdim=True) + math.log(features)) / 2


def _or_zero(top: Tensor) -> Tensor:
    """The largest exponents; 0 for minus infinity, whose features are zero: states longer than numbers can square."""
    return top.masked_fill(top == -torch.inf, 0)


def _top_of_graph(exponents: Tensor, graph: Topology) -> Tensor:
    """For each sender and head the largest of all exponents in its graph, ``[N_j, H, m] -> [N_j, H]``."""
    top = exponents.amax(-1)
    home = graph_of(graph.senders.ptr, torch.arange(top.size(0), device=top.device))
    tops = top.new_full((graph.num_graphs, top.size(1)), -torch.inf)
    return tops.scatter_reduce(0, home[:, None].expand_as(top), top, reduce="amax")[home]
