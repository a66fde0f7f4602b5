"""Dropout with sixteen random bits a number is dropout."""

import pytest
import torch
from torch import nn

from graphattn.blocks.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_share_is_the_probability(p):
    count = 200_000
    out = Dropout(p)(torch.ones(count))
    share = float((out == 0).double().mean())
    assert abs(share - p) < 4 * (p * (1 - p) / count) ** 0.5
    assert float(out.max()) == pytest.approx(1 / (1 - p), rel=1e-3)


def test_numbers_that_share_a_word_are_dropped_on_their_own():
    dropped = (Dropout(0.5)(torch.ones(40_000)) == 0).view(-1, 4)
    code = (dropped * torch.tensor([1, 2, 4, 8])).sum(1)
    assert (torch.bincount(code, minlength=16) - 625).abs().max() < 4 * (10_000 / 16) ** 0.5


def test_the_mean_stays():
    # Probabilities between two steps of 2 ** -16 are rounded; what is kept is as much louder as the rounded share tells.
    out = Dropout(1.4 / 2**16)(torch.ones(3))
    assert out.tolist() == pytest.approx([1 / (1 - 2**-16)] * 3, rel=1e-7)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4), (0, 4)])
def test_any_shape_and_dtype_and_the_gradient_is_the_factor(dtype, shape):
    x = torch.randn(shape).to(dtype).requires_grad_()
    out = Dropout(0.5)(x)
    out.sum().backward()
    assert (out.shape, out.dtype) == (x.shape, dtype)
    assert x.grad is not None
    assert set(x.grad.flatten().tolist()) <= {0.0, 2.0}
    torch.testing.assert_close(out, x * x.grad)


def test_the_seed_repeats_it():
    x, layer = torch.ones(1000), Dropout(0.5)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    third = layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), third)


@pytest.mark.parametrize("p", [0.0, 1e-9, 1.0])
def test_all_or_nothing_is_that_of_torch(p):
    assert torch.equal(Dropout(p)(torch.ones(50)), nn.functional.dropout(torch.ones(50), p))


def test_in_evaluation_nothing_is_dropped():
    x = torch.randn(5)
    assert Dropout(0.5).eval()(x) is x


def test_compiled_whole_and_under_transforms_it_is_that_of_torch():
    layer, x = Dropout(0.5), torch.ones(64)
    torch.manual_seed(0)
    expected = nn.functional.dropout(x, 0.5)
    torch.manual_seed(0)
    assert torch.equal(torch.compile(layer, fullgraph=True, backend="eager")(x), expected)
    torch.manual_seed(0)
    assert torch.equal(torch.func.grad(lambda x: layer(x).sum())(x), expected)
    rows = torch.func.vmap(layer, randomness="different")(torch.ones(8, 64))
    assert len(rows.unique(dim=0)) == 8


def test_it_is_a_dropout_of_torch():
    layer = Dropout(0.3)
    assert isinstance(layer, nn.Dropout)
    assert repr(layer) == "Dropout(p=0.3, inplace=False)"
    assert not layer.state_dict()
