import torch
from torch.testing import assert_close

from graphattn.score import ScaledDot


def test_the_score_of_the_paper():
    query, key = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    assert_close(ScaledDot()(query, key), torch.einsum("ehc,ehc->eh", query, key) / 2)
    assert repr(ScaledDot()) == "ScaledDot()"
