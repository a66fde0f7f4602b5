"""Eigenvectors of the graph's Laplacian."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import laplacian as laplacian_matrix
from scipy.sparse.linalg import eigsh
from torch import Tensor

from graphattn.encoding.reading import check_edges, counts
from graphattn.encoding.signs import canonical_signs

_DENSE = 1000
"""Up to this many nodes all eigenvectors are computed, which takes less than a second and no iterations."""


def laplacian(edge_index: Tensor, num_nodes: int, size: int) -> Tensor:
    r"""Eigenvectors of the normalised Laplacian for its smallest eigenvalues but the first (Dwivedi et al. 2023).

    .. math:: L = I - D^{-1/2} A D^{-1/2} = U \Lambda U^\top \qquad [u_2, \dots, u_{k + 1}]

    with A the number of edges between two nodes in either direction, without loops, and D its sums. A node without edges has
    zeros in L. Each further component of the graph adds an eigenvalue of zero, whose eigenvectors are kept.

    An eigenvector is known up to its sign, and up to a rotation where several share an eigenvalue. Signs are those of
    :func:`canonical_signs`; :class:`RandomSigns` flips them in training, :class:`SignInvariant` does not see them.

    Args:
        edge_index: ``[2, E]``, sender above receiver.
        num_nodes: number n of nodes; may be 0 or 1.
        size: number k of eigenvectors; columns beyond the n - 1 that a graph has are zero.

    Returns:
        float32 ``[n, k]``; of up to 1,000 nodes by a full decomposition, of more by Lanczos iterations on a sparse matrix.

    Raises:
        ValueError: what is no ``edge_index`` of n nodes; ``size`` below 1.

    A path of three nodes has two eigenvectors beside the first:

    >>> laplacian(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3, size=3)
    tensor([[ 0.7071, -0.5000,  0.0000],
            [ 0.0000,  0.7071,  0.0000],
            [-0.7071, -0.5000,  0.0000]])
    """
    check_edges(edge_index, num_nodes)
    if size < 1:
        raise ValueError(f"expected at least one eigenvector, got size={size}")
    found = min(size, num_nodes - 1)
    encoding = torch.zeros(num_nodes, size, dtype=torch.float64)
    if found > 0:
        matrix = normalised(edge_index, num_nodes)
        vectors = smallest_dense(matrix, found + 1) if num_nodes <= _DENSE else smallest_sparse(matrix, found + 1)
        encoding[:, :found] = canonical_signs(torch.from_numpy(vectors[:, 1:].copy()))
    return encoding.float().to(edge_index.device)


def normalised(edge_index: Tensor, num_nodes: int) -> csr_matrix:
    """The normalised Laplacian of the graph without directions and loops."""
    between = counts(edge_index[:, edge_index[0] != edge_index[1]], num_nodes)
    return csr_matrix(laplacian_matrix(between + between.T, normed=True))


def smallest_dense(matrix: csr_matrix, number: int) -> NDArray[np.float64]:
    """Eigenvectors ``[n, number]`` of the smallest eigenvalues, in their order."""
    return np.linalg.eigh(matrix.toarray())[1][:, :number]


def smallest_sparse(matrix: csr_matrix, number: int) -> NDArray[np.float64]:
    """The same by Lanczos iterations around a number just below the smallest eigenvalue, which is zero."""
    # A fixed start, or each call would give other vectors.
    start = np.random.default_rng(0).standard_normal(matrix.get_shape()[0])
    values, vectors = eigsh(matrix.tocsc(), k=number, sigma=-0.01, v0=start)
    return vectors[:, np.argsort(values, kind="stable")]
