"""FAVOR+ is unbiased, within the error that the paper's Lemma 2 allows, and orthogonal."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import Favor
from graphattn.topology import Edges, Full
from graphattn.update import Replace

F64 = torch.float64


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("features", [3, 16])
def test_the_estimate_is_unbiased_and_its_error_within_lemma_2(channels, features):
    query, key = torch.randn(2, 1, 1, channels, dtype=F64) / 2
    truth = ((query * key).sum() / channels**0.5).exp()
    length = (query + key).square().sum() / channels**0.5
    bound = ((length.exp() - 1) / features).sqrt()
    draws = 1500
    error = torch.stack([Favor(channels, features).double()(query, key).squeeze() / truth - 1 for _ in range(draws)])
    assert error.mean().abs() < 4 * bound / draws**0.5
    assert error.square().mean().sqrt() < 1.15 * bound


def test_directions_are_orthogonal_in_groups_and_as_long_as_gaussian_vectors():
    directions = Favor(4, 4 * 500 + 2).directions.double()
    group = directions[:4] @ directions[:4].T
    assert_close(group - group.diag().diag(), torch.zeros(4, 4, dtype=F64), rtol=0, atol=1e-5)
    assert directions.shape == (2002, 4)
    assert directions.square().sum(1).mean() == pytest.approx(4, rel=0.05)
    assert directions.mean(0).abs().max() < 0.1


def pair(channels, features, heads=2):
    estimate = GraphLayer(
        Attend(heads * channels, Heads(heads, channels), Favor(channels, features)), NormalizedSum(), Replace()
    ).double()
    softmax = GraphLayer(Attend(heads * channels, Heads(heads, channels)), SoftmaxSum(), Replace()).double()
    maps = {name: value for name, value in estimate.state_dict().items() if "directions" not in name}
    softmax.load_state_dict(maps)
    return estimate, softmax


def test_a_performer_is_a_transformer_within_a_bound():
    graph = Full([12, 8])
    for features, bound in ((64, 0.05), (4096, 0.01)):
        torch.manual_seed(0)
        x = torch.randn(20, 8, dtype=F64) / 2
        estimate, softmax = pair(4, features)
        truth = softmax(x, graph).detach()
        assert (estimate(x, graph).detach() - truth).norm() < bound * truth.norm()


def test_stabilisers_cancel_alone_and_in_a_batch():
    estimate, _ = pair(4, 16)
    x = torch.randn(9, 8, dtype=F64)
    x[4:] *= 5
    whole = estimate(x, Full([4, 0, 5]))
    assert_close(whole, torch.cat([estimate(x[:4], Full([4])), estimate(x[4:], Full([5]))]), rtol=1e-9, atol=1e-9)
    listed = Edges(Full([4, 0, 5]).edge_index(), 9, ptr=torch.tensor([0, 4, 4, 9]))
    assert_close(estimate(x, listed), whole, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", [1e1, 1e2, 1e4])
def test_exponents_of_any_size_stay_finite(scale):
    estimate, _ = pair(4, 16)
    x = (torch.randn(9, 8, dtype=F64) * scale).requires_grad_()
    out = estimate(x, Full([4, 5]))
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()
