"""Everything that is measured, by name."""

from __future__ import annotations

from functools import partial

from graphattn.bench.cases import dense, large, layers, molecules, sparse, sums
from graphattn.bench.comparison import BOTH, FORWARD, TRAINING, Case

_PASSES = (FORWARD, BOTH)
_ALL = (
    Case("random edges, H8C16", _PASSES, partial(sparse.random, 10_000, 8, 16)),
    Case("random edges, H8C32", _PASSES, partial(sparse.random, 10_000, 8, 32)),
    Case("random edges, H4C64", _PASSES, partial(sparse.random, 10_000, 4, 64)),
    Case("random edges, 100k nodes, H8C16", _PASSES, partial(sparse.random, 100_000, 8, 16)),
    Case("power law, H8C16", _PASSES, sparse.power_law),
    Case("8 nearest points, H8C16", _PASSES, sparse.points),
    Case("256 molecules, bonds", _PASSES, sparse.bonds),
    Case("256 molecules, complete with bias", _PASSES, molecules.alone),
    Case("256 molecules, complete with bias, layer", _PASSES, molecules.layer),
    Case("molecule model", (TRAINING,), molecules.model),
    *(Case(f"complete graph of {n:,}", _PASSES, partial(dense.complete, n)) for n in (256, 1024, 4096)),
    Case("grid of 64 x 64", _PASSES, dense.grid),
    *(Case(name, (TRAINING,), partial(layers.layer, name)) for name in layers.LAYERS),
    Case("weighted sum", _PASSES, sums.weighted),
    Case("grouping of edges", (sums.GROUPING,), sums.grouping),
    Case("a million nodes, H8C16", (BOTH,), large.large),
)
CASES = {case.name: case for case in _ALL}
QUICK = (
    "random edges, H8C16",
    "256 molecules, complete with bias",
    "complete graph of 256",
    "grid of 64 x 64",
    "TransformerConv",
    "GCNConv",
    "weighted sum",
)
LARGE = ("a million nodes, H8C16",)
