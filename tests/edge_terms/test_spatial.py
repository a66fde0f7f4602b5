"""Spatial biases: the formula of 3-d Graphormer, and PyG's radial basis functions."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric.nn.models.schnet import GaussianSmearing

from graphattn.edge_terms import GaussianKernels, SpatialBias
from graphattn.topology import Cross, Edges, Full
from graphattn.zoo import SelfAttention

F64 = torch.float64


def test_kernels_are_normal_densities_of_a_moved_distance():
    kernels = GaussianKernels(4, kinds=3).double()
    with torch.no_grad():
        kernels.scale.copy_(torch.rand(3, 1) + 0.5)
        kernels.shift.copy_(torch.randn(3, 1))
        kernels.width[0] *= -1  # only its size counts
    distance, kind = torch.rand(7, dtype=F64) * 3, torch.tensor([0, 1, 2, 2, 1, 0, 0])
    moved = kernels.scale[kind, 0] * distance + kernels.shift[kind, 0]
    normal = torch.distributions.Normal(kernels.center, kernels.width.abs() + 1e-5)
    assert_close(kernels(distance, kind), normal.log_prob(moved[:, None]).exp(), rtol=1e-9, atol=1e-9)


def test_a_linear_map_of_radial_basis_functions():
    basis, linear = GaussianSmearing(0, 4, 6).double(), nn.Linear(6, 2).double()
    position = torch.randn(5, 3, dtype=F64)
    truth = linear(basis(torch.cdist(position, position))).view(5, 5, 2)
    bias = SpatialBias(basis, linear)
    assert_close(bias.on_edges(Full([5]), {"position": position}).view(5, 5, 2), truth, rtol=1e-9, atol=1e-9)


def test_moving_and_turning_a_graph_changes_nothing():
    bias = SpatialBias(GaussianKernels(8), nn.Linear(8, 2))
    layer = SelfAttention(8, heads=2, edge_bias=bias).double()
    x, position = torch.randn(6, 8, dtype=F64), torch.randn(6, 3, dtype=F64)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=F64))[0]
    graph = Full([6])
    truth = layer(x, graph, {"position": position})
    assert_close(layer(x, graph, {"position": position @ turn + 5}), truth, rtol=1e-9, atol=1e-9)
    assert (layer(x, graph, {"position": position * 2}) - truth).abs().max() > 1e-6


def test_forces_are_finite_where_nodes_meet():
    bias = SpatialBias(GaussianKernels(8), nn.Linear(8, 2))
    position = torch.zeros(4, 3, requires_grad=True)
    bias.on_edges(Full([4]), {"position": position}).sum().backward()
    assert torch.equal(position.grad, torch.zeros(4, 3))


@pytest.mark.parametrize("std", [1e-3, 1e4])
def test_extreme_distances_stay_finite(std):
    bias = SpatialBias(GaussianKernels(8), nn.Linear(8, 2))
    with torch.no_grad():
        bias.basis.width.zero_()
    edge = {"position": torch.randn(4, 3) * std}
    assert torch.isfinite(bias.on_edges(Full([4]), edge)).all()
    assert torch.isfinite(bias.on_tile(Full([4]).plan().tiles[0], edge)).all()


def test_positions_for_other_nodes_are_refused():
    layer = SelfAttention(8, edge_bias=SpatialBias(GaussianKernels(2), nn.Linear(2, 1)))
    x, edges = torch.randn(3, 8), Edges(torch.tensor([[0, 1], [1, 2]]))
    with pytest.raises(ValueError, match=r"3 positions of all senders of Edges.*, got \[4, 3\] in edge\['position'\]"):
        layer(x, edges, {"position": torch.randn(4, 3)})
    with pytest.raises(
        ValueError, match=r"3 positions of all receivers .*, got \[2, 3\] in edge\['position_receiver'\]"
    ):
        layer(x, edges, {"position_sender": torch.randn(3, 3), "position_receiver": torch.randn(2, 3)})
    with pytest.raises(ValueError, match="an edge feature named 'position', got none"):
        layer(x, edges)


def test_one_position_for_other_numbers_of_senders_than_receivers_is_refused():
    bias, edge = SpatialBias(GaussianKernels(2), nn.Linear(2, 1)), {"position": torch.randn(5, 3)}
    cross, refusal = Cross([2, 3], [3, 2]), r"position_sender and position_receiver where .*, got 'position' alone"
    with pytest.raises(ValueError, match=refusal):
        bias.on_edges(cross, edge)
    for tile in cross.plan().tiles:
        with pytest.raises(ValueError, match=refusal):
            bias.on_tile(tile, edge)
    same = Cross([2, 3], [2, 3])
    assert_close(bias.on_edges(same, edge), bias.on_edges(Full([2, 3]), edge))
    assert_close(bias.on_tile(same.plan().tiles[0], edge), bias.on_tile(Full([2, 3]).plan().tiles[0], edge))
