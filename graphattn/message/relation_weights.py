"""Weights of relations: free, shared by bases, in blocks, or laid out as a convolution's kernel.

Letters: ``R`` relations, ``F`` channels of a sender, ``C`` channels of the message, ``B`` blocks.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import glorot


@final
class EachRelation(nn.Module):
    """A weight for each relation, shared with none: ``[R, F, C]``.

    Args:
        in_channels, out_channels: channels of a sender and of the message.
        relations: number of relations.

    >>> EachRelation(4, 6, relations=3)().shape
    torch.Size([3, 1, 4, 6])
    """

    blocks = 1

    def __init__(self, in_channels: int, out_channels: int, relations: int) -> None:
        super().__init__()
        self.relations = relations
        self.weight = nn.Parameter(torch.empty(relations, in_channels, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        glorot(self.weight)

    def forward(self) -> Tensor:
        return self.weight.unsqueeze(1)


@final
class Bases(nn.Module):
    r"""Weights as mixtures of a few bases, :math:`W_r = \sum_b a_{rb} V_b` (Schlichtkrull et al. 2018).

    Args:
        in_channels, out_channels: channels of a sender and of the message.
        relations: number of relations.
        bases: number of bases ``V``.

    >>> Bases(4, 6, relations=30, bases=2)().shape
    torch.Size([30, 1, 4, 6])
    """

    blocks = 1

    def __init__(self, in_channels: int, out_channels: int, relations: int, bases: int) -> None:
        super().__init__()
        self.relations = relations
        self.weight = nn.Parameter(torch.empty(bases, in_channels, out_channels))
        self.share = nn.Parameter(torch.empty(relations, bases))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        glorot(self.weight)
        glorot(self.share)

    def forward(self) -> Tensor:
        return torch.einsum("rb,bfc->rfc", self.share, self.weight).unsqueeze(1)


@final
class Blocks(nn.Module):
    """Block-diagonal weights (Schlichtkrull et al. 2018): channels fall into blocks that never mix.

    Args:
        in_channels, out_channels: channels of a sender and of the message.
        relations: number of relations.
        blocks: number of blocks.

    Raises:
        ValueError: channels that the blocks do not divide.

    >>> Blocks(4, 6, relations=3, blocks=2)().shape
    torch.Size([3, 2, 2, 3])
    """

    def __init__(self, in_channels: int, out_channels: int, relations: int, blocks: int) -> None:
        super().__init__()
        _must_divide("blocks", blocks, in_channels, out_channels)
        self.relations, self.blocks = relations, blocks
        self.weight = nn.Parameter(torch.empty(relations, blocks, in_channels // blocks, out_channels // blocks))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        glorot(self.weight)

    def forward(self) -> Tensor:
        return self.weight


@final
class Kernel(nn.Module):
    """The kernel of a convolution, in the layout of ``torch.nn.Conv1d`` and ``Conv2d``: ``[C, F / groups, *kernel_size]``.

    Relations are the offsets within the kernel, counted row by row; groups of channels are blocks.

    Args:
        in_channels, out_channels: channels of a sender and of the message.
        kernel_size: the kernel's extent along each axis.
        groups: groups of channels that never mix.

    Raises:
        ValueError: channels that the groups do not divide.

    >>> Kernel(4, 6, (3, 3), groups=2)().shape
    torch.Size([9, 2, 2, 3])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, ...], groups: int = 1) -> None:
        super().__init__()
        _must_divide("groups", groups, in_channels, out_channels)
        self.relations, self.blocks, self.kernel_size = prod(kernel_size), groups, tuple(kernel_size)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *kernel_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.kaiming_uniform_(self.weight, a=sqrt(5))

    def forward(self) -> Tensor:
        return self.weight.flatten(2).unflatten(0, (self.blocks, -1)).permute(3, 0, 2, 1)


def _must_divide(name: str, parts: int, in_channels: int, out_channels: int) -> None:
    if in_channels % parts or out_channels % parts:
        raise ValueError(f"expected channels that {parts} {name} divide, got {in_channels} in and {out_channels} out")
