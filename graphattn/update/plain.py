"""A node becomes what it heard, as it is, projected, or beside its own state."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear
from torch_geometric.nn.inits import zeros


@final
class Replace(nn.Module):
    r"""The node becomes what it heard, heads side by side: :math:`x_i' = \|_h\, h_i^{(h)} + b`.

    Args:
        bias: channels of a learned bias ``b``; none if not given.

    Shapes: heard ``[N, H, C] -> [N, H C]``.

    >>> Replace()(None, torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[1., 2., 3., 4.]])
    """

    def __init__(self, bias: int | None = None) -> None:
        super().__init__()
        self.bias = None if bias is None else nn.Parameter(torch.empty(bias))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        zeros(self.bias)

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        flat = heard.flatten(1)
        return flat if self.bias is None else flat + self.bias


@final
class Project(nn.Module):
    r"""The node becomes a projection of what it heard, :math:`x_i' = W_O\, \|_h\, h_i^{(h)} + b` (a transformer's output map).

    Args:
        in_channels: heads times channels per head.
        out_channels: channels of the result.
        bias: whether there is a ``b``.

    Shapes: heard ``[N, H, C] -> [N, F']``.

    >>> Project(8, 3)(None, torch.randn(5, 2, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = Linear(in_channels, out_channels, bias=bias)

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        return self.linear(heard.flatten(1))


@final
class AddRoot(nn.Module):
    r"""The node keeps a projection of itself beside what it heard, :math:`x_i' = W_r x_i + b + \|_h\, h_i^{(h)}`.

    Args:
        in_channels: channels of the receiver.
        out_channels: heads times channels per head.
        bias: whether there is a ``b``.

    Shapes: ``x_i [N, F]``, heard ``[N, H, C] -> [N, H C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).

    >>> AddRoot(6, 8)(torch.randn(5, 6), torch.randn(5, 2, 4)).shape
    torch.Size([5, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = Linear(in_channels, out_channels, bias=bias)

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        if x_i is None:
            raise ValueError("expected receivers with a state to keep, got x_i=None: give x=(senders, receivers)")
        return self.linear(x_i) + heard.flatten(1)
