"""Score of a radial basis function."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor


@final
class RBF:
    r"""Logarithm of a Gaussian of the distance between query and key ("Transformer Dissection", Tsai et al. 2019).

    .. math:: s_{ij} = -\frac{\|q_i - k_j\|^2}{2 \sigma^2}

    Its softmax is the kernel regression of Nadaraya and Watson (1964): near senders are heard, far ones are not.

    Args:
        bandwidth: :math:`\sigma`.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    Raises:
        ValueError: a bandwidth that is not above 0.

    >>> RBF(bandwidth=2.0)(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[4.0, 6.0]]]))
    tensor([[-3.1250]])
    """

    on_matrices = True

    def __init__(self, bandwidth: float = 1.0) -> None:
        if bandwidth <= 0:
            raise ValueError(f"expected a bandwidth above 0, got {bandwidth}")
        self.bandwidth = bandwidth

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return -(query - key).square().sum(-1) / (2 * self.bandwidth**2)

    def matrix(self, query: Tensor, key: Tensor) -> Tensor:
        # Distances, not |q|^2 + |k|^2 - 2 q.k: that loses near neighbours far from zero.
        wide = torch.float64 if query.dtype == torch.float64 else torch.float32
        distance = torch.cdist(query.to(wide), key.to(wide), compute_mode="donot_use_mm_for_euclid_dist")
        return (-distance.square() / (2 * self.bandwidth**2)).to(query.dtype)

    def __repr__(self) -> str:
        return f"RBF(bandwidth={self.bandwidth})"
