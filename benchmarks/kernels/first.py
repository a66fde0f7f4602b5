"""The records of the first benchmark, a CSV file with a row for each round, as records of today.

PyG's edges were not sorted then, and the input of a layer wanted no gradient.
"""

from pathlib import Path

import pandas as pd

from graphattn.bench.comparison import BOTH, FORWARD, OURS, TRAINING
from graphattn.bench.records import Record

_LABEL = "first benchmark: edges not sorted, no gradient of x"
_CASES = {
    **{f"attention on edges, {shape}": f"random edges, {shape}" for shape in ("H8C16", "H4C64", "H8C32")},
    "weighted sum on edges, 128 channels": "weighted sum",
    "complete graph of 1024, H8C32": "complete graph of 1,024",
    "grid of 64 x 64, 32 channels, 3 x 3": "grid of 64 x 64",
}
_PEERS = {"bare scaled_dot_product_attention": "bare SDPA", "torch conv2d": "conv2d"}


def read(path: Path) -> list[Record]:
    """Records of a CSV file with the columns allocator, threads, case, who, round, ms and where they come from."""
    rows, found = pd.read_csv(path), []
    for (allocator, threads, name), group in rows.groupby(["allocator", "threads", "case"], sort=False):
        case, _, step = name.rpartition(", ")
        case = _CASES.get(case, case.removeprefix("accelerated "))
        assert step in (FORWARD, BOTH, TRAINING)
        for who, part in group.groupby("who", sort=False):
            ms = part.sort_values("round")["ms"].tolist()
            origin = {"commit": str(part["commit"].iloc[0]), "load": float(part["load"].iloc[0])}
            found.append(
                Record(_LABEL, group["date"].min(), case, step, "", _peer(who), allocator, int(threads), ms, **origin)
            )
    return found


def _peer(who: str) -> str:
    return who if who in (OURS, "torch.sparse.mm") else _PEERS.get(who, "PyG")
