"""Losses of slides: pairs in the right order, and Cox's partial likelihood."""

import math

import pytest
import torch
from torch_geometric.data import Data

from graphattn.training.craft import cox, pairwise_ranking


def test_pairs_are_ranked_and_rows_without_labels_left_out():
    scores = torch.tensor([[0.0], [2.0], [-1.0], [5.0]], requires_grad=True)
    loss = pairwise_ranking(scores, Data(y=torch.tensor([1, 1, 0, -100])))
    assert loss.item() == pytest.approx(0.0)
    loss = pairwise_ranking(scores, Data(y=torch.tensor([0, 1, 1, -100])))
    assert loss.item() == pytest.approx((max(0, 1 - 2) + (1 + 1)) / 2)
    loss.backward()
    assert scores.grad.flatten().tolist() == [0.5, 0.0, -0.5, 0.0]
    assert pairwise_ranking(scores, Data(y=torch.ones(4))).item() == 0


def test_coxs_likelihood_is_that_written_out():
    scores = torch.randn(6, 1, dtype=torch.double, requires_grad=True)
    times, seen = [3.0, 1.0, 1.0, 4.0, 2.0, torch.nan], [1, 1, 0, 1, 0, 1]
    y = torch.tensor([times, seen], dtype=torch.double).T
    terms = []
    for i in range(5):
        if seen[i]:
            at_risk = sum(math.exp(scores[j].item()) for j in range(5) if times[j] >= times[i])
            terms.append(math.log(at_risk) - scores[i].item())
    loss = cox(scores, Data(y=y))
    assert loss.item() == pytest.approx(sum(terms) / 3, abs=1e-12)
    loss.backward()
    assert scores.grad.isfinite().all()
    assert scores.grad[5] == 0
    assert cox(scores, Data(y=y * torch.tensor([1.0, 0.0]))).item() == 0
    assert cox(scores + 1e4, Data(y=y)).item() == pytest.approx(loss.item())
