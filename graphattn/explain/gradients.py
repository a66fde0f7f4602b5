r"""Gradients of a prediction with respect to what nodes start as: their features, or the embedding of their categories.

Letters: ``M`` members, ``N`` nodes, ``F`` channels, ``S`` points on a path.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphattn.explain.inquiry import Contributions, Inquiry
from graphattn.explain.subject import Mask, Subject, copies_at_once, features_of, name_of_features


def saliency(subject: Subject, inquiry: Inquiry) -> Contributions:
    r"""The length of the gradient, :math:`\lVert \partial f / \partial x_i \rVert` (Simonyan et al. 2014): how sensitive the
    prediction is to each node. It has no sign.
    """
    found = []
    for member in subject.members:
        batch = subject.batch(subject.masked(inquiry.graph, [Mask()]))
        start = _start(member, batch).detach()
        found.append(_gradient(subject, inquiry, member, batch, start, 1).norm(dim=1))
    return Contributions(torch.stack(found).double())


@dataclass(frozen=True)
class IntegratedGradients:
    r"""Gradients along the straight path from hidden features (Sundararajan et al. 2017), by Gauss-Legendre quadrature:

    .. math:: c_i = (x_i - x'_i) \cdot \int_0^1 \frac{\partial f(x' + t (x - x'))}{\partial x_i} \, dt

    They add up to :math:`f(x) - f(x')`. What of a molecule is no feature of its atoms, such as descriptors, stays as it is.

    Args:
        points: of the quadrature.

    >>> from torch_geometric.data import Data
    >>> from torch_geometric.nn import global_add_pool
    >>> from graphattn.explain.attribution import attribute
    >>> class Squares(nn.Module):
    ...     def forward(self, data):
    ...         return global_add_pool(data.x.square(), data.batch)
    >>> attribute(Squares(), Data(x=torch.tensor([[1.0], [3.0]])), "integrated_gradients").nodes
    tensor([1.0000, 9.0000], dtype=torch.float64)
    """

    points: int = 32

    def __call__(self, subject: Subject, inquiry: Inquiry) -> Contributions:
        """Contributions to the answer of each member."""
        graph = inquiry.graph
        places, weights = (torch.from_numpy(each) for each in np.polynomial.legendre.leggauss(self.points))
        few = copies_at_once(len(features_of(graph)))
        steps = [((t + 1) / 2, weight / 2) for t, weight in zip(places.split(few), weights.split(few), strict=True)]
        ends = [subject.batch([each]) for each in (*subject.masked(graph, [Mask()]), subject.blank(graph))]
        found = []
        for member in subject.members:
            end, begin = (_start(member, each).detach() for each in ends)
            path, total = end - begin, torch.zeros(end.shape, dtype=torch.float64)
            for t, weight in steps:
                batch = subject.batch(subject.masked(graph, [Mask()] * len(t)))
                start = (begin + t.to(begin)[:, None, None] * path).flatten(0, 1)
                gradient = _gradient(subject, inquiry, member, batch, start, len(t)).double()
                total += (weight[:, None, None] * gradient.view(len(t), *path.shape)).sum(0)
            found.append((path.double() * total).sum(1))
        return Contributions(torch.stack(found))


def _start(member: nn.Module, batch: Any) -> Tensor:
    """What nodes start as, ``[N, F]``: features that are numbers, or what the network's embedding makes of categories.

    Raises:
        ValueError: categories, and a network without an ``embedding``.
    """
    features = features_of(batch)
    if features.is_floating_point():
        return features
    embedding = getattr(member, "embedding", None)
    if not isinstance(embedding, nn.Module):
        raise ValueError(
            "gradients need features that are numbers, or a network with a module called embedding; got "
            f"{str(features.dtype).removeprefix('torch.')} and {type(member).__name__}"
        )
    with torch.no_grad():
        return embedding(batch)


def _gradient(subject: Subject, inquiry: Inquiry, member: nn.Module, batch: Any, start: Tensor, graphs: int) -> Tensor:
    """Of the answers of a batch with respect to ``start``, ``[N, F]``."""
    with torch.enable_grad():
        start = start.requires_grad_()
        if features_of(batch).is_floating_point():
            batch = copy.copy(batch)
            batch[name_of_features(batch)] = start
            outputs = member(batch)
        else:
            handle = member.get_submodule("embedding").register_forward_hook(lambda *_: start)
            try:
                outputs = member(batch)
            finally:
                handle.remove()
        answers = subject.rows(outputs, batch, graphs, inquiry.node)[:, inquiry.column]
        (gradient,) = torch.autograd.grad(answers.sum(), start)
    return gradient
