"""The positive feature map of linear transformers."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from graphattn.score.base import dot
from graphattn.topology import Topology


@final
class EluKernel:
    r"""Positive kernel of "Transformers are RNNs" (Katharopoulos et al. 2020), to be listened to with a normalised sum.

    .. math:: s_{ij} = \phi(q_i) \cdot \phi(k_j) \qquad \phi(x) = \text{elu}(x) + 1

    Because it is a dot product of features, attention over a whole graph takes linear time.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> EluKernel()(torch.tensor([[[0.0, 1.0]]]), torch.tensor([[[2.0, 3.0]]]))
    tensor([[11.]])
    """

    linear_in_key = False

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(_feature(query), _feature(key))

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        del graph
        return _feature(query), _feature(key)

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(query, key)

    def factor(self, channels: int) -> float:
        """What the dot product of the features is multiplied with: 1."""
        return 1.0

    def __repr__(self) -> str:
        return "EluKernel()"


def _feature(state: Tensor) -> Tensor:
    # torch's elu is expm1: one more is zero below -17 in float32, where e^x is not.
    return torch.where(state > 0, state + 1, state.clamp(max=0).exp())
