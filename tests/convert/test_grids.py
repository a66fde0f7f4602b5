"""Values and gradients equal torch's: float64, within 1e-9."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.convert import from_torch
from graphattn.topology import Grid, Line

F64 = torch.float64
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
OPTIONS = [
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": "same"},
    {"padding": "valid", "bias": False},
    {"padding": 1, "padding_mode": "circular"},
    {"groups": 2, "padding": 2},
]


def assert_same(original, images):
    convolution = from_torch(original)
    images.requires_grad_()
    result, truth = convolution(images), original(images)
    assert_close(result, truth, **CLOSE)
    own = [convolution.layer.message_function.weight.weight]
    own += [] if original.bias is None else [convolution.layer.update_function.bias]
    mine = torch.autograd.grad(result.sin().sum(), [images, *own])
    its = torch.autograd.grad(truth.sin().sum(), [images, *original.parameters()])
    for one, other in zip(mine, its, strict=True):
        assert_close(one, other, **CLOSE)
    grid = convolution.graph(len(images), *images.shape[2:])
    pixels = convolution(images.flatten(2).transpose(1, 2).flatten(0, 1), grid)
    assert_close(pixels, truth.flatten(2).transpose(1, 2).flatten(0, 1), **CLOSE)
    return grid


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_conv2d_is_a_layer_on_a_grid(options):
    original = nn.Conv2d(4, 6, (3, 2) if options.get("padding") != "same" else 3, dtype=F64, **options)
    assert isinstance(assert_same(original, torch.randn(2, 4, 5, 7, dtype=F64)), Grid)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_conv1d_is_a_layer_on_a_line(options):
    original = nn.Conv1d(4, 6, 3, dtype=F64, **options)
    assert isinstance(assert_same(original, torch.randn(3, 4, 6, dtype=F64)), Line)


def test_one_pixel():
    assert_same(nn.Conv2d(4, 6, 3, padding=1, dtype=F64), torch.randn(1, 4, 1, 1, dtype=F64))


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"'zeros' or padding_mode='circular' to convert nn\.Conv2d, got padding_mode='reflect'"
    ):
        from_torch(nn.Conv2d(4, 4, 3, padding_mode="reflect"))
    with pytest.raises(ValueError, match=r"images of 4 dimensions, got shape \[4, 5, 5\]"):
        from_torch(nn.Conv2d(4, 4, 3))(torch.randn(4, 5, 5))
    with pytest.raises(ValueError, match=r"the extent of 1 axes, got \(5, 5\)"):
        from_torch(nn.Conv1d(4, 4, 3)).graph(2, 5, 5)
    with pytest.raises(TypeError, match="got Conv3d"):
        from_torch(nn.Conv3d(4, 4, 3))
