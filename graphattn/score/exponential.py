"""The exponential kernel."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn


@final
class Exponential(nn.Module):
    r"""The exponential kernel, :math:`e^s`, to be listened to with a normalised sum ("Transformer Dissection", Tsai et al. 2019).

    The normalised sum of an exponential is the softmax: ``SoftmaxSum`` on the bare score gives the same for scores of any
    size. Here the exponent ends at half of what the number format holds (44 in float32, 354 in float64).

    >>> Exponential()(torch.tensor([[0.0, 1.0, 1e4]]).double())
    tensor([[ 1.0000e+00,  2.7183e+00, 1.3408e+154]], dtype=torch.float64)
    """

    def forward(self, score: Tensor) -> Tensor:
        return score.clamp(max=math.log(torch.finfo(score.dtype).max) / 2).exp()
