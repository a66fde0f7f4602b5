"""What to do about the signs of eigenvectors, which nothing determines."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.reset import reset
from graphattn.topology import Topology


def canonical_signs(vectors: Tensor) -> Tensor:
    """Each column of one graph's eigenvectors with the sign that makes the sum of its cubes positive.

    This does not depend on how nodes are numbered. Where the sum vanishes (a vector that a symmetry of the graph turns into
    its negative) no choice of sign is free of the numbering, and the first node whose entry is not zero gets a positive one.

    Shapes: ``[n, k] -> [n, k]``.

    >>> canonical_signs(torch.tensor([[0.5, -0.7], [0.5, 0.0], [-0.7, 0.7]]))
    tensor([[-0.5000,  0.7000],
            [-0.5000, -0.0000],
            [ 0.7000, -0.7000]])
    """
    tolerance = torch.finfo(vectors.dtype).eps ** 0.5
    skew, total = vectors.pow(3).sum(0), vectors.abs().pow(3).sum(0)
    present = vectors.abs() > tolerance
    # The first node with an entry, picked by a sum because an empty graph has none to index.
    first = present & (present.cumsum(0) == 1)
    entry = torch.where(first, vectors, 0).sum(0)
    side = torch.where(skew.abs() > tolerance * total, skew, entry)
    return torch.where(side < 0, -vectors, vectors)


@final
class RandomSigns(nn.Module):
    """Flips the signs of eigenvectors at random in training, each vector of each graph on its own (Dwivedi et al. 2023).

    A network that sees both signs of every vector learns not to mind them. In evaluation vectors stay as they are.

    Shapes: vectors ``[N, k]`` and the topology of their graphs -> ``[N, k]``.

    Raises:
        ValueError: another number of rows than the topology has nodes.

    >>> RandomSigns()(torch.ones(5, 2), Full([3, 2])).abs().sum()
    tensor(10.)
    """

    def forward(self, vectors: Tensor, graph: Topology) -> Tensor:
        if vectors.size(0) != graph.num_senders:
            raise ValueError(f"expected {graph.num_senders} rows of vectors for {graph}, got {vectors.size(0)}")
        if not self.training:
            return vectors
        sign = torch.randint(0, 2, (graph.num_graphs, vectors.size(1)), device=vectors.device) * 2 - 1
        count = graph.senders.ptr.diff()
        return vectors * sign.to(vectors.dtype).repeat_interleave(count, dim=0, output_size=graph.num_senders)


@final
class SignInvariant(nn.Module):
    r"""A function of eigenvectors that is the same for either sign of each (SignNet, Lim et al. 2023).

    .. math:: \rho\big([\phi(v_1) + \phi(-v_1), \dots, \phi(v_k) + \phi(-v_k)]\big)

    Here :math:`\phi` sees one node's entry of one vector. Rotations among vectors of one eigenvalue still change the result.

    Args:
        phi: network of one entry, ``[N, k, 1] -> [N, k, C]``.
        rho: network of all of them, ``[N, k C] -> [N, F]``.

    Shapes: ``[N, k] -> [N, F]``.

    >>> phi = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    >>> encode = SignInvariant(phi, torch.nn.Linear(3 * 4, 16))
    >>> vectors = torch.randn(5, 3)
    >>> torch.equal(encode(vectors), encode(-vectors))
    True
    """

    def __init__(self, phi: nn.Module, rho: nn.Module) -> None:
        super().__init__()
        self.phi = phi
        self.rho = rho

    def reset_parameters(self) -> None:
        reset(self.phi, self.rho)

    def forward(self, vectors: Tensor) -> Tensor:
        entry = vectors.unsqueeze(-1)
        return self.rho((self.phi(entry) + self.phi(-entry)).flatten(1))
