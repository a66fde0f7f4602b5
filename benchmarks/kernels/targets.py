"""The figures that the kernels are to reach, on two threads in float32."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphattn.bench.cases.molecules import DENSE, GPS
from graphattn.bench.cases.sparse import TORCH_ONLY
from graphattn.bench.comparison import BOTH, COMPILED, FORWARD, OURS, TRAINING
from graphattn.bench.records import Record
from graphattn.bench.rows import attempts, rows

EITHER, DEFAULT, KEPT = ("default", "tuned"), ("default",), ("tuned",)


class Target(NamedTuple):
    """How many times as fast as a peer, or how many times less memory: to be reached, and more."""

    case: str
    step: str
    peer: str
    reach: float
    stretch: float
    allocators: tuple[str, ...] = EITHER
    side: str = OURS
    measure: str = "time"

    def __str__(self) -> str:
        ours = "" if self.side == OURS else f"{self.side}: "
        return f"{ours}{self.case}, {self.step}, {self.measure} against {self.peer}"


def _over(share: float) -> float:
    """At most this share of the peer's time, as a ratio."""
    return 1 / share


TARGETS = (
    Target("random edges, H8C16", FORWARD, "PyG", 12, 18, DEFAULT),
    Target("random edges, H8C16", BOTH, "PyG", 8, 12, DEFAULT),
    Target("random edges, H4C64", FORWARD, "PyG", 18, 25, DEFAULT),
    Target("random edges, H4C64", BOTH, "PyG", 10, 15, DEFAULT),
    Target("random edges, H8C16", FORWARD, "PyG", 6, 10, KEPT),
    Target("random edges, H8C16", BOTH, "PyG", 4, 7, KEPT),
    Target("random edges, H4C64", FORWARD, "PyG", 7, 12, KEPT),
    Target("random edges, H4C64", BOTH, "PyG", 5, 8, KEPT),
    Target("random edges, H8C32", FORWARD, COMPILED, 3, 5),
    Target("random edges, H8C32", BOTH, COMPILED, 2.5, 4),
    *(Target(name, TRAINING, "PyG", 4, 6, DEFAULT) for name in ("TransformerConv", "GATv2Conv", "GATConv")),
    Target("GCNConv", TRAINING, "PyG", 3, 5),
    Target("weighted sum", FORWARD, "torch.sparse.mm", _over(1.15), 1),
    Target("EdgeConv", TRAINING, "PyG", 4, 8),
    Target("256 molecules, complete with bias", BOTH, "PyG", 15, 25),
    Target("256 molecules, complete with bias", BOTH, "padded SDPA", 2.5, 3.5),
    Target("256 molecules, complete with bias, layer", BOTH, GPS, 3, 5),
    *(
        Target(f"complete graph of {nodes}", step, "bare SDPA", _over(1.05), _over(1.02))
        for nodes in ("256", "1,024", "4,096")
        for step in (FORWARD, BOTH)
    ),
    Target("complete graph of 1,024", FORWARD, "PyG", 100, 200),
    Target("grid of 64 x 64", FORWARD, "conv2d", _over(1.1), _over(1.02)),
    Target("grid of 64 x 64", BOTH, "conv2d", _over(1.1), _over(1.02)),
    Target("TransformerConv", TRAINING, "PyG", 6, 10, measure="memory"),
    Target("random edges, H8C16", BOTH, "PyG", 6, 10, measure="memory"),
    Target("random edges, H8C16", FORWARD, "PyG", 2, 3, KEPT, side=TORCH_ONLY),
    Target("random edges, H8C16", BOTH, "PyG", 1.7, 2.5, KEPT, side=TORCH_ONLY),
    Target("molecule model", TRAINING, DENSE, 2, 4),
)


class Reached(NamedTuple):
    """What one attempt reached; ``figure`` is None where an amount of memory is next to nothing."""

    target: Target
    record: Record
    figure: float

    @property
    def verdict(self) -> str:
        if self.figure >= self.target.stretch:
            return "stretch"
        return "yes" if self.figure >= self.target.reach else "no"


def reached(records: Iterable[Record], targets: Sequence[Target] = TARGETS) -> list[Reached]:
    """What each attempt at each target reached, targets in their order and attempts in that of time."""
    groups = attempts(records)
    found = []
    for target in targets:
        for allocator in target.allocators:
            mine = [
                group for group in groups if _place(group[0]) == (target.case, target.step, allocator, group[0].threads)
            ]
            for group in mine:
                for row in rows(group, target.side):
                    figure = row.ratio if target.measure == "time" else row.memory
                    if row.peer.side == target.peer and figure is not None:
                        found.append(Reached(target, row.side, figure))
    return found


def _place(record: Record) -> tuple[str, str, str, int]:
    return record.case, record.step, record.allocator, record.threads
