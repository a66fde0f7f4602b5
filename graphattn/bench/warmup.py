"""Kernels compiled ahead, so that nobody waits for them later: what ``graphattn warmup`` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from graphattn.aggregation import Max
from graphattn.backends import use_backend
from graphattn.backends.numba.usable import why_not_usable
from graphattn.layer import GraphLayer
from graphattn.message import Copy
from graphattn.slots import State
from graphattn.topology import Edges
from graphattn.update import Replace
from graphattn.zoo import GAT, GCN, GATv2, GraphTransformer, SelfAttention

WIDTHS = (8, 16, 32, 64)
"""Channels per head. Kernels are made for the largest power of two, at most 64, that divides them: 128 needs what 64 does."""
PRECISIONS = (torch.float32, torch.float64)

_LAYERS: dict[str, Callable[[int], GraphLayer]] = {
    "SelfAttention": lambda width: SelfAttention(2 * width, heads=2),
    "GraphTransformer": lambda width: GraphTransformer(2 * width, width, heads=2, edge_dim=3),
    "GAT": lambda width: GAT(2 * width, width, heads=2),
    "GATv2": lambda width: GATv2(2 * width, width, heads=2),
    "GCN": lambda width: GCN(width, width),
    "largest": lambda width: GraphLayer(Copy(), Max(), Replace()),
}


class Step(NamedTuple):
    """One layer, whose kernels are compiled or found on disk when it runs."""

    name: str
    layer: GraphLayer
    x: Tensor
    edge: State

    def run(self) -> None:
        ring = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]]))
        with torch.enable_grad(), use_backend("csr"):
            out = self.layer(self.x, ring, self.edge)
            assert isinstance(out, Tensor)
            out.sum().backward()


class WarmUpReport(NamedTuple):
    """How many variants of kernels were compiled and how many found, in how many seconds; where they are, None if nowhere."""

    compiled: int
    loaded: int
    seconds: float
    folder: str | None

    def __str__(self) -> str:
        kept = f"kept in {self.folder}"
        if self.folder is None:
            kept = "not kept: no folder for them can be written; NUMBA_CACHE_DIR may name one"
        return f"{self.compiled} kernels compiled and {self.loaded} found in {self.seconds:.0f} s, {kept}"


def steps(widths: Iterable[int] = WIDTHS, precisions: Iterable[torch.dtype] = PRECISIONS) -> Iterator[Step]:
    """The named layers that kernels compute, in every width and precision.

    >>> [step.name for step in steps([8], [torch.float32])][:3]
    ['SelfAttention of 8 channels, float32', 'GraphTransformer of 8 channels, float32', 'GAT of 8 channels, float32']
    """
    for dtype in precisions:
        for width in widths:
            for name, make in _LAYERS.items():
                layer = make(width).to(dtype)
                channels = getattr(getattr(layer.message_function, "query", None), "in_channels", width)
                x = torch.ones(3, channels, dtype=dtype, requires_grad=True)
                yield Step(f"{name} of {width} channels, {str(dtype)[6:]}", layer, x, _edge(name, dtype))


def warm_up(follow: Callable[[list[Step]], Iterable[Step]] = iter) -> WarmUpReport:
    """Compile what is not on disk yet.

    Args:
        follow: passes the steps on one by one, and may show how far they are.

    Raises:
        ValueError: no kernel can be compiled here, with the reason.
    """
    reasons = why_not_usable()
    if reasons:
        raise ValueError(f"expected a machine that can compile kernels, got one that {'; '.join(reasons)}")
    from graphattn.backends.numba.compiling import ANNOUNCEMENT, KERNELS

    ANNOUNCEMENT.said = True  # to somebody who knows
    before, start = _counts(KERNELS), time.perf_counter()
    for step in follow(list(steps())):
        step.run()
    compiled, loaded = (now - then for now, then in zip(_counts(KERNELS), before, strict=True))
    folders = {kernel.stats.cache_path for kernel in KERNELS}
    folder = None if None in folders else ", ".join(sorted(folders))
    return WarmUpReport(compiled, loaded, time.perf_counter() - start, folder)


def _counts(kernels: list) -> tuple[int, int]:
    misses, hits = (
        sum(sum(getattr(kernel.stats, name).values()) for kernel in kernels) for name in ("cache_misses", "cache_hits")
    )
    return misses, hits


def _edge(name: str, dtype: torch.dtype) -> State:
    if name == "GraphTransformer":
        return {"edge_attr": torch.ones(3, 3, dtype=dtype)}
    # Edge weights that learn have a kernel of their own.
    return {"edge_attr": torch.ones(3, dtype=dtype, requires_grad=True)} if name == "GCN" else {}
