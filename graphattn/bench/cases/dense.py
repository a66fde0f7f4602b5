"""Complete graphs and grids, against what torch has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, scaled_dot_product_attention

from graphattn.bench import peers
from graphattn.bench.comparison import BOTH, FORWARD, OURS, Comparison, both_passes
from graphattn.topology import Full, Grid
from graphattn.zoo import GridConv, SelfAttention

_MOST = 1 << 21


def complete(nodes: int, shrink: int = 1) -> Iterator[Comparison]:
    """Self-attention with its linear maps, against bare fused attention with the same maps, and against PyG on edges."""
    nodes, heads, channels = max(nodes // shrink, 8), 8, 32
    width = heads * channels
    layer, graph = SelfAttention(width, heads), Full([nodes])
    message, out = layer.get_submodule("message_function"), layer.update_function
    projections = [message.get_submodule(name) for name in ("query", "key", "value")]
    x = torch.randn(nodes, width, requires_grad=True)

    def projected() -> list[Tensor]:
        return [maps(x).view(nodes, heads, channels) for maps in projections]

    def bare() -> Tensor:
        query, key, value = (state.transpose(0, 1)[None] for state in projected())
        return out(None, scaled_dot_product_attention(query, key, value)[0].transpose(0, 1))

    sides = {OURS: lambda: layer(x, graph), "bare SDPA": bare}
    left_out = {}
    if graph.num_edges <= _MOST:
        attend = peers.propagation(heads, channels, graph.edge_index())
        sides["PyG"] = lambda: out(None, attend(*projected()))
    else:
        left_out["PyG"] = f"a tensor of edges times channels takes {graph.num_edges * width * 4 / 2**30:.0f} GiB"
    yield from both_passes(f"{nodes:,} nodes, H{heads}C{channels}", sides, (*layer.parameters(), x), left_out)


def grid(shrink: int = 1) -> Iterator[Comparison]:
    """A convolution of an image as message passing on its grid, against torch's own, its pixels laid out either way."""
    side, channels = max(64 // shrink, 4), 32
    layer, graph = GridConv(channels, channels, (3, 3)), Grid(side, side, kernel_size=3)
    weight, bias = layer.parameters()
    pixels, given = torch.randn(2, side * side, channels)
    ours = _Pass(lambda x: layer(x, graph), (weight, bias, pixels.requires_grad_()), given, lambda nodes: nodes)
    passes = {OURS: ours}
    for name, order in (("conv2d", torch.contiguous_format), ("conv2d, channels last", torch.channels_last)):
        image, grad = (
            nodes.detach().t().reshape(1, channels, side, side).contiguous(memory_format=order)
            for nodes in (pixels, given)
        )
        leaves = (weight, bias, image.requires_grad_())
        passes[name] = _Pass(lambda x: conv2d(x, weight, bias, padding=1), leaves, grad, _nodes)
    sizes = f"{side} x {side} pixels, {channels} channels, 3 x 3"
    yield Comparison(FORWARD, sizes, {name: torch.no_grad()(each.forward) for name, each in passes.items()})
    yield Comparison(BOTH, sizes, {name: each.both for name, each in passes.items()})


def _nodes(image: Tensor) -> Tensor:
    return image.flatten(2)[0].t()


class _Pass(NamedTuple):
    """A convolution with its own layout of pixels: the last leaf, its gradient and the result; ``seen`` makes nodes of them."""

    convolve: Callable[[Tensor], Tensor]
    leaves: tuple[Tensor, ...]
    given: Tensor
    seen: Callable[[Tensor], Tensor]

    def forward(self) -> Tensor:
        return self.seen(self.convolve(self.leaves[-1]))

    def both(self) -> list[Tensor]:
        *grads, pixels = torch.autograd.grad(self.convolve(self.leaves[-1]), self.leaves, self.given)
        return [*grads, self.seen(pixels)]
