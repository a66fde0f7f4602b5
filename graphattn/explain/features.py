"""What each feature of nodes contributes to what a model says of a graph."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.topology import graph_of, read_sizes


def feature_shares(model: nn.Module, data: Data, baseline: Tensor, output: int = 0, steps: int = 32) -> Tensor:
    r"""Contributions of features to an output of each graph, by integrated gradients (Sundararajan et al. 2017).

    .. math:: c_f = \sum_{i \in V} (x_{if} - b_f) \int_0^1 \frac{\partial y(b + t (x - b))}{\partial x_{if}}\, dt \qquad
        \sum_f c_f = y(x) - y(b)

    Contributions add up to what the graph has more of the output than a graph of the same edges whose nodes are all ordinary, as
    exactly as the integral is taken.

    Args:
        model: gives ``[B, outputs]`` of a batch; put into ``eval()`` by the caller.
        data: a graph or a batch, with ``x [N, F]``.
        baseline: features of an ordinary node ``[F]``, such as the means of the training nodes.
        output: which column.
        steps: of the integral, by Gauss and Legendre.

    Shapes: ``[B, F]``.

    Raises:
        ValueError: a baseline of another number of features.

    >>> from graphattn.models import AttentionMIL, FeatureEmbedding
    >>> model = AttentionMIL(FeatureEmbedding(3, channels=8), outputs=2)
    >>> feature_shares(model, Data(x=torch.randn(5, 3)), baseline=torch.zeros(3)).shape
    torch.Size([1, 3])
    """
    x, sizes = data["x"], read_sizes(data)
    if baseline.shape != x.shape[1:]:
        raise ValueError(f"expected a baseline of {list(x.shape[1:])} features, got {list(baseline.shape)}")
    points, weights = np.polynomial.legendre.leggauss(steps)
    gradient, moved = torch.zeros_like(x), data.clone()
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        moved.x = (baseline + point * (x - baseline)).requires_grad_()
        (found,) = torch.autograd.grad(model(moved)[:, output].sum(), moved.x)
        gradient += weight * found
    graph = graph_of(sizes.ptr, torch.arange(len(x), device=x.device))
    return x.new_zeros(sizes.ptr.numel() - 1, x.size(1)).index_add(0, graph, (x - baseline) * gradient)
