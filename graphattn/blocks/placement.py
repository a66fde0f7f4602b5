r"""Where norms stand around a branch.

.. math:: x' = \text{outside}(x + \text{after}(\text{branch}(\text{before}(x))))

A norm maps node states ``[N, F]`` to ``[N, F]``: ``nn.LayerNorm``, ``nn.RMSNorm``, PyG's ``BatchNorm``, ``GraphNorm`` and others.
Those of PyG that look at a whole graph are told which graph each node is in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch_geometric.nn import BatchNorm

from graphattn.blocks.depth import DropPath, LayerScale
from graphattn.slots import Sizes

Norm = Callable[[int], nn.Module]
"""Makes a norm of so many channels: ``nn.LayerNorm``, ``torch_geometric.nn.GraphNorm``, ``partial(nn.RMSNorm, eps=1e-6)``."""


class Around(NamedTuple):
    """What stands around a branch: in front of it, behind it, and behind the sum."""

    before: nn.Module
    after: nn.Module
    outside: nn.Module


Placement = Callable[[Norm, int], Around]
"""Where norms of so many channels stand: :func:`pre_norm`, :func:`post_norm`, :func:`sandwich_norm`, or your own."""

batch_norm: Norm = partial(BatchNorm, allow_single_element=True)
"""PyG's ``BatchNorm``; a batch of one node or none, which has no variance, is normed by the running statistics."""


def pre_norm(norm: Norm, channels: int) -> Around:
    r"""In front of the branch (Xiong et al. 2020): :math:`x' = x + \text{branch}(\text{norm}(x))`.

    Raises:
        TypeError: a norm instead of what makes one; as all placements do.

    >>> pre_norm(torch.nn.LayerNorm, 8)
    Around(before=LayerNorm((8,), eps=1e-05, elementwise_affine=True...), after=Identity(), outside=Identity())
    """
    return Around(_made(norm, channels), nn.Identity(), nn.Identity())


def post_norm(norm: Norm, channels: int) -> Around:
    r"""Behind the sum (Vaswani et al. 2017): :math:`x' = \text{norm}(x + \text{branch}(x))`."""
    return Around(nn.Identity(), nn.Identity(), _made(norm, channels))


def sandwich_norm(norm: Norm, channels: int) -> Around:
    r"""On both sides of the branch (Ding et al. 2021): :math:`x' = x + \text{norm}_2(\text{branch}(\text{norm}_1(x)))`."""
    return Around(_made(norm, channels), _made(norm, channels), nn.Identity())


def with_layer_scale(placement: Placement, initial: float = 1e-5) -> Placement:
    """The placement, and a :class:`~graphattn.blocks.LayerScale` behind the branch.

    >>> list(with_layer_scale(pre_norm)(torch.nn.LayerNorm, 8).after.parts)
    [LayerScale(8, initial=1e-05)]
    """
    return lambda norm, channels: _behind(placement(norm, channels), LayerScale(channels, initial))


def with_drop_path(placement: Placement, share: float) -> Placement:
    """The placement, and a :class:`~graphattn.blocks.DropPath` behind the branch.

    >>> list(with_drop_path(with_layer_scale(pre_norm), share=0.1)(torch.nn.LayerNorm, 8).after.parts)
    [LayerScale(8, initial=1e-05), DropPath(share=0.1)]
    """
    return lambda norm, channels: _behind(placement(norm, channels), DropPath(share))


@final
class Chain(nn.Module):
    """Modules one behind the other; those with an argument ``batch``, as PyG's norms have, learn which graph each node is in.

    Args:
        parts: the modules; those of a chain among them instead of that chain.

    Shapes: ``x [N, F] -> [N, F]``; ``sizes`` are those of the graphs of ``x``.

    >>> from torch_geometric.nn import GraphNorm
    >>> from graphattn.topology import read_sizes
    >>> Chain(GraphNorm(8))(torch.randn(5, 8), read_sizes([3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        flat = [each for part in parts for each in (part.parts if isinstance(part, Chain) else [part])]
        self.parts = nn.ModuleList(part for part in flat if not isinstance(part, nn.Identity))
        self.look_at_graphs = [_looks_at_graphs(part) for part in self.parts]

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        graphs = sizes.ptr.numel() - 1
        batch = torch.arange(graphs, device=x.device).repeat_interleave(sizes.ptr.diff(), output_size=x.size(0))
        for part, looks in zip(self.parts, self.look_at_graphs, strict=True):
            x = part(x, batch, graphs) if looks else part(x)
        return x


def _behind(around: Around, part: nn.Module) -> Around:
    return around._replace(after=Chain(around.after, part))


def _made(norm: Norm, channels: int) -> nn.Module:
    if isinstance(norm, nn.Module):
        raise TypeError(f"expected what makes a norm of so many channels, such as nn.LayerNorm, got the module {norm}")
    made = norm(channels)
    return Chain(made) if _looks_at_graphs(made) else made


def _looks_at_graphs(part: nn.Module) -> bool:
    # As PyG's GPSConv tells them apart; once, when a module is built, because dynamo cannot trace it.
    return "batch" in inspect.signature(part.forward).parameters
