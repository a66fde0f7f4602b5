"""Eigenvectors of Laplacians: as numpy and PyG find them, compared by the projections that alone are determined."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch_geometric.data import Data
from torch_geometric.transforms import AddLaplacianEigenvectorPE
from torch_geometric.utils import get_laplacian, to_dense_adj

from graphattn.encoding import laplacian
from graphattn.encoding.laplacian import normalised, smallest_dense, smallest_sparse

NOTHING = torch.empty(2, 0, dtype=torch.long)


def both_ways(*edges):
    sender, receiver = zip(*edges, strict=True)
    return torch.tensor([sender + receiver, receiver + sender])


def ring(nodes, start=0):
    return both_ways(*((start + i, start + (i + 1) % nodes) for i in range(nodes)))


def random_graph(nodes, edges, seed=0):
    pairs = torch.randint(0, nodes, (2, edges), generator=torch.Generator().manual_seed(seed))
    pairs = torch.cat(
        [pairs[:, pairs[0] != pairs[1]], torch.stack([torch.arange(nodes - 1), torch.arange(1, nodes)])], 1
    )
    return torch.cat([pairs, pairs.flip(0)], dim=1).unique(dim=1)


def projections(vectors, values, digits=6):
    """For each eigenvalue the projection on its space."""
    groups = {}
    for value, vector in zip(np.round(values, digits), vectors.T, strict=True):
        groups[value] = groups.get(value, 0) + np.outer(vector, vector)
    return groups


def test_columns_are_eigenvectors_in_the_order_of_their_values():
    edge_index = random_graph(12, 20)
    ends, weight = get_laplacian(edge_index, normalization="sym", num_nodes=12)
    matrix = to_dense_adj(ends, edge_attr=weight, max_num_nodes=12)[0]
    ours = laplacian(edge_index, 12, 11)
    values = (ours * (matrix @ ours)).sum(0)
    assert_close(matrix @ ours, ours * values, rtol=0, atol=1e-5)
    assert_close(ours.T @ ours, torch.eye(11), rtol=0, atol=1e-5)
    assert (values.diff() > -1e-6).all()
    assert_close(values.double(), torch.from_numpy(np.linalg.eigvalsh(matrix)[1:]).double(), rtol=0, atol=1e-5)


def test_it_is_pygs_up_to_signs_where_pyg_can():
    edge_index = random_graph(15, 30, seed=3)
    theirs = AddLaplacianEigenvectorPE(k=6, attr_name="pe", is_undirected=True)(
        Data(edge_index=edge_index, num_nodes=15)
    )
    assert_close(laplacian(edge_index, 15, 6).abs(), theirs.pe.float().abs(), rtol=0, atol=1e-5)


def test_a_path_has_cosines():
    nodes = 7
    ours = laplacian(both_ways(*((i, i + 1) for i in range(nodes - 1))), nodes, 3)
    # Eigenvectors of a path's normalised Laplacian: D^(1/2) cos(pi k i / (n - 1)).
    place, root = torch.arange(nodes) / (nodes - 1), torch.tensor([1, *[math.sqrt(2)] * (nodes - 2), 1])
    truth = torch.stack([root * torch.cos(math.pi * k * place) for k in (1, 2, 3)], dim=1)
    assert_close(ours.abs(), (truth / truth.norm(dim=0)).abs(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("nodes", [0, 1, 2, 3, 4, 5])
def test_fewer_nodes_than_vectors_leave_zeros(nodes):
    edge_index = random_graph(nodes, 4) if nodes > 1 else NOTHING
    ours = laplacian(edge_index, nodes, 4)
    assert ours.shape == (nodes, 4)
    there = max(nodes - 1, 0)
    assert not ours[:, there:].any()
    assert (ours[:, : min(there, 4)].norm(dim=0) > 0.99).all()


def test_nodes_without_edges_are_graphs_of_their_own():
    ours = laplacian(both_ways((0, 1)), 4, 3)
    # Three components: the eigenvalue 0 three times, one of it left out, then 2.
    assert_close(ours[:, 2].abs(), torch.tensor([0.5**0.5, 0.5**0.5, 0, 0]))
    assert torch.isfinite(ours).all()
    assert_close(ours.T @ ours, torch.eye(3), rtol=0, atol=1e-6)


def test_loops_directions_and_repeats_count_as_said():
    undirected = both_ways((0, 1), (1, 2), (2, 3), (3, 1))
    assert_close(laplacian(undirected[:, :4], 4, 3), laplacian(undirected, 4, 3), rtol=0, atol=1e-6)
    looped = torch.cat([undirected, torch.tensor([[0, 2], [0, 2]])], dim=1)
    assert_close(laplacian(looped, 4, 3), laplacian(undirected, 4, 3), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("edge_index", "nodes"),
    [
        (random_graph(60, 150), 60),
        (ring(60), 60),  # all values twice
        (torch.cat([ring(12), ring(12, 12), ring(12, 24), ring(12, 36)], 1), 50),  # four alike and two nodes alone
    ],
    ids=["random", "ring", "rings"],
)
def test_iterations_find_what_the_full_decomposition_finds(edge_index, nodes):
    matrix = normalised(edge_index, nodes)
    number = 15
    values, vectors = np.linalg.eigh(matrix.toarray())
    found = smallest_sparse(matrix, number)
    rayleigh = np.einsum("nk,nk->k", found, matrix @ found)
    np.testing.assert_allclose(rayleigh, values[:number], atol=1e-9)
    np.testing.assert_allclose(
        np.abs(smallest_dense(matrix, number).T @ vectors[:, :number]), np.eye(number), atol=1e-9
    )
    # The last value's space may be cut in two.
    truth, ours = projections(vectors, values), projections(found, rayleigh)
    whole = [value for value in ours if value < np.round(values[number - 1], 6) - 1e-6]
    assert len(whole) > 1
    for value in whole:
        np.testing.assert_allclose(ours[value], truth[value], atol=1e-7)


def test_large_graphs_are_computed_without_a_full_matrix():
    ours = laplacian(ring(1500), 1500, 3)
    angle = 2 * math.pi * torch.arange(1500) / 1500
    wave = torch.stack([angle.cos(), angle.sin()], dim=1) / math.sqrt(750)
    assert_close(ours[:, :2] @ ours[:, :2].T, wave @ wave.T, rtol=0, atol=1e-5)
    assert torch.equal(ours, laplacian(ring(1500), 1500, 3))


def test_renumbered_nodes_give_renumbered_projections():
    edge_index, permutation = random_graph(12, 14, seed=1), torch.randperm(12)
    ours, renumbered = laplacian(edge_index, 12, 6), laplacian(permutation.argsort()[edge_index], 12, 6)
    # No eigenvalue of this graph is there twice and no vector is its own mirror image, so that signs agree, too.
    assert_close(renumbered, ours[permutation], rtol=0, atol=1e-5)


def test_what_has_no_eigenvectors_is_refused():
    with pytest.raises(ValueError, match="at least one eigenvector, got size=0"):
        laplacian(NOTHING, 3, 0)
    with pytest.raises(ValueError, match="names nodes 0 to 7, but there are 3 nodes"):
        laplacian(torch.tensor([[0], [7]]), 3, 2)
