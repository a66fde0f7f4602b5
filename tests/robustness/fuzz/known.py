"""Faults that the fuzz has found and that are there still: each is deleted here where it is mended.

A case counts as known where every line that is told of it belongs to one of these. ``example`` is a case of seed 0 that is wrong
for this reason alone: a test demands that it still is.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Known(NamedTuple):
    """Why results differ, in which layers (a pattern for what was drawn) and where (a pattern for what is told)."""

    why: str
    layers: str
    told: str
    example: tuple[str, int]


FAULTS = (
    Known(
        "dense: a distance is q q + k k - 2 q k, which is inf - inf where squares overflow",
        r"score: RBF.*1e\+30",
        r"dense: .* nan for ",
        ("layer", 302),
    ),
    Known(
        "dense: gradients of features of kinds are sums over all pairs, some of which are zero times infinity",
        r"features: of kinds.*broken",
        r"dense: edge .* nan for ",
        ("layer", 1125),
    ),
    Known(
        "rounding: messages that differ in bits which a bias rounds away are ties in edgewise; csr compares them before that",
        r"differences, network: linear, aggregation: (min|max).*1e-30",
        r"csr: (senders x|receivers x|network.weight): ",
        ("layer", 1164),
    ),
    Known(
        "gradients of features of edges, and of their maps, are products with zeros, so that NaN and inf reach all rows",
        r"edge (key|value): (linear|relative)|Transformer.*(yes|True)",
        r"((csr|sparse): edge|lin_edge.weight).* nan for ",
        ("layer", 200),
    ),
    Known(
        "keys of edges are factored out, q k + q e for q (k + e): inf - inf where there was inf",
        r"edge key: (linear|relative).*(broken|e\+)",
        r"(csr|sparse): .* nan for ",
        ("layer", 867),
    ),
    Known(
        "an infinite score makes all weights of its receiver NaN, not its own alone",
        r"GAT.*broken",
        r"(csr|sparse): (senders|receivers|edge) .* nan for ",
        ("layer", 365),
    ),
    Known(
        "by design: a receiver all of whose scores are -inf hears zero, and NaN in PyG",
        r"(GAT|GATv2|Transformer)Conv.*-?inf in",
        r"out: .* for nan",
        ("drop-in", 369),
    ),
    Known(
        "csr: what a receiver hears of kinds is a sum over all kinds, some of which are zero times infinity or NaN",
        r"features: of kinds.*broken",
        r"csr: .* nan for ",
        ("layer", 1196),
    ),
)


def excused(words: str, told: list[str]) -> str | None:
    """Why a case is wrong, where all that is told of it is known: what was drawn, in words, and the lines told."""
    reasons = [
        next((it.why for it in FAULTS if re.search(it.layers, words) and re.search(it.told, line)), None)
        for line in told
    ]
    return None if None in reasons else reasons[0]
