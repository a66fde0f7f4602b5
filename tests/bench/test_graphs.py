"""Graphs of the benchmarks are what their names say, the same every time."""

import torch

from graphattn.bench import graphs, peers


def test_random_edges_are_sorted_by_receiver_and_simple():
    ends = graphs.random(50, degree=6)
    assert ends.shape == (2, 300)
    assert (ends[1].diff() >= 0).all()
    assert (ends[0] != ends[1]).all()
    assert ends.unique(dim=1).size(1) == 300
    assert torch.equal(ends, graphs.random(50, degree=6))


def test_a_power_law_has_hubs():
    degree = graphs.power_law(400)[1].bincount(minlength=400).sort(descending=True).values
    assert degree.sum() == 400 * 16
    assert degree[0] > 20 * degree[200]


def test_points_hear_their_nearest_and_not_themselves():
    sender, receiver = graphs.neighbours(30, nearest=4)
    assert receiver.bincount().tolist() == [4] * 30
    assert (sender != receiver).all()


def test_pairs_of_a_molecule_are_of_the_kind_of_their_bond():
    molecules = graphs.molecules(3)
    pairs = molecules.ptr.diff().square().sum()
    assert molecules.pair_kind.numel() == pairs
    assert (molecules.pair_kind >= 22).sum() == molecules.bonds.size(1)
    assert molecules.pair_kind.max() + 1 == molecules.kinds


def test_padding_is_laid_out_and_taken_away():
    padded = peers.Padded(torch.tensor([0, 2, 5]))
    x = torch.randn(5, 3)
    dense = padded.dense(x)
    assert dense.shape == (2, 3, 3)
    assert torch.equal(dense[padded.real], x)
    laid = padded.pairs(torch.tensor([7, 8]), torch.tensor([[1, 4], [0, 2]]), filling=-1)
    assert laid[0, 0, 1] == 7
    assert laid[1, 0, 2] == 8
    assert (laid == -1).sum() == 16
    bias = peers.bias_of_kinds(torch.tensor([[1.0, 2.0]]), torch.tensor([[[0, 1], [2, 0]]]))
    assert bias.tolist() == [[[[1, 2], [-torch.inf, 1]]]]
