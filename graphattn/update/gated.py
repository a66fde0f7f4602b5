"""A node decides how much of itself it keeps."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear


@final
class GatedRoot(nn.Module):
    r"""The gated residual of "Masked Label Prediction" (Shi et al. 2021): a gate between the node and what it heard.

    .. math::
        r_i = W_r x_i + b \qquad h_i = \|_h\, h_i^{(h)} \qquad
        \beta_i = \text{sigmoid}(w \cdot (h_i \,\|\, r_i \,\|\, h_i - r_i)) \qquad x_i' = \beta_i r_i + (1 - \beta_i) h_i

    Args:
        in_channels: channels of the receiver.
        out_channels: heads times channels per head.
        bias: whether there is a ``b``.

    Shapes: ``x_i [N, F]``, heard ``[N, H, C] -> [N, H C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).

    >>> GatedRoot(6, 8)(torch.randn(3, 6), torch.randn(3, 2, 4)).shape
    torch.Size([3, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = Linear(in_channels, out_channels, bias=bias)
        self.gate = Linear(3 * out_channels, 1, bias=False)

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()
        self.gate.reset_parameters()

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        if x_i is None:
            raise ValueError("expected receivers with a state to keep, got x_i=None: give x=(senders, receivers)")
        root, flat = self.linear(x_i), heard.flatten(1)
        beta = self.gate(torch.cat([flat, root, flat - root], dim=-1)).sigmoid()
        return beta * root + (1 - beta) * flat
