import numpy as np
import pytest
import torch

from graphattn.encoding import random_walk


def both_ways(*edges):
    sender, receiver = zip(*edges, strict=True)
    return torch.tensor([sender + receiver, receiver + sender])


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8])
def test_random_walk_is_the_diagonal_of_matrix_powers(steps):
    generator = torch.Generator().manual_seed(steps)
    edge_index = torch.randint(0, 9, (2, 30), generator=generator)  # directed, with repeats and self-loops
    adjacency = np.zeros((10, 10))
    for sender, receiver in edge_index.T.tolist():
        adjacency[sender, receiver] += 1
    walk = adjacency / np.maximum(adjacency.sum(axis=1, keepdims=True), 1)
    expected = [np.diag(np.linalg.matrix_power(walk, step)) for step in range(1, steps + 1)]
    torch.testing.assert_close(random_walk(edge_index, 10, steps).double().numpy(), np.stack(expected, axis=1))


def test_random_walk_on_a_directed_cycle_is_back_after_a_round():
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    assert random_walk(edge_index, 3, 6).tolist() == [[0, 0, 1, 0, 0, 1]] * 3


def test_random_walk_of_one_node_no_node_and_an_isolated_node():
    nothing = torch.empty(2, 0, dtype=torch.long)
    assert random_walk(nothing, 1, 16).tolist() == [[0.0] * 16]
    assert random_walk(nothing, 0, 16).shape == (0, 16)
    assert random_walk(both_ways((0, 2)), 3, 2).tolist() == [[0, 1], [0, 0], [0, 1]]
    assert random_walk(torch.tensor([[0], [0]]), 1, 3).tolist() == [[1, 1, 1]]


def test_random_walk_of_graphs_side_by_side_is_that_of_each():
    ring, star = both_ways((0, 1), (1, 2), (2, 0)), both_ways((0, 1), (0, 2), (0, 3))
    together = random_walk(torch.cat([ring, star + 3], dim=1), 7, 5)
    torch.testing.assert_close(together, torch.cat([random_walk(ring, 3, 5), random_walk(star, 4, 5)]))


def test_random_walk_refuses_what_is_no_edge_index():
    with pytest.raises(ValueError, match=r"edge_index is \[2, number of edges\]; got \[3, 2\]"):
        random_walk(torch.zeros(3, 2, dtype=torch.long), 4, 2)


def test_random_walk_refuses_zero_steps():
    with pytest.raises(ValueError, match="at least 1 step; got steps=0"):
        random_walk(both_ways((0, 1)), 2, 0)


@pytest.mark.parametrize(("edge", "low", "high"), [((0, 5), 0, 5), ((-1, 2), -1, 2)])
def test_random_walk_refuses_nodes_that_are_not_there(edge, low, high):
    with pytest.raises(ValueError, match=rf"names nodes {low} to {high}, but there are 5 nodes \(0 to 4\)"):
        random_walk(both_ways(edge), 5, 2)
