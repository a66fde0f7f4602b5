"""How cells, scores and differences are said in tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from graphattn.comparison.statistics import LEVEL, Difference, Interval

LAYERS = {
    "attention": "attention",
    "edge_attention": "attention with edge terms",
    "gcn": "GCN",
    "gat": "GAT",
    "gatv2": "GATv2",
    "gin": "GIN",
    "sage": "GraphSAGE",
    "edgeconv": "EdgeConv",
    "mlp": "MLP",
}
TOPOLOGIES = {
    "edges": "edges",
    "full": "full graphs",
    "edges+hub": "edges + hub",
    "none": "no edges",
    "shuffled": "shuffled edges",
}
LIKELY = 0.9
"""Two rows are said to be equal in practice if this probable."""
FEWEST = 3
"""Fewer resamplings decide nothing: two differences are alike by chance too easily, and then seem certain."""

Finding = Literal["better", "worse", "equal", "open"]


def layer(name: str) -> str:
    """A layer's name in sentences; other names stay as they are.

    >>> layer("gcn")
    'GCN'
    """
    return LAYERS.get(name, name)


def topology(name: str) -> str:
    """A topology's name in sentences; other names stay as they are.

    >>> topology("full")
    'full graphs'
    """
    return TOPOLOGIES.get(name, name)


def cell(layer_name: str, topology_name: str) -> str:
    """A cell of the design in sentences, or a baseline.

    >>> cell("attention", "full"), cell("mlp", "none"), cell("random forest", "")
    ('attention on full graphs', 'MLP without edges', 'random forest')
    """
    if topology_name == "none":
        return f"{layer(layer_name)} without edges"
    return f"{layer(layer_name)} on {topology(topology_name)}" if topology_name else layer(layer_name)


def finding(difference: Difference, adjusted: float | None = None) -> Finding:
    """What is found of the first: equal in practice if that is likely; else better or worse if the interval leaves out 0.

    Of one difference among several, p has to be small enough after it was ``adjusted`` for them as well. Fewer than three
    resamplings leave it open.

    >>> from graphattn.comparison.statistics import paired
    >>> found = paired([0.03, 0.04, 0.03, 0.04], ratio=0.125, rope=0.01)
    >>> finding(found), finding(found, adjusted=0.2)
    ('better', 'open')
    """
    if difference.resamplings < FEWEST:
        return "open"
    if difference.equal >= LIKELY:
        return "equal"
    if adjusted is not None and not adjusted < 1 - LEVEL:
        return "open"
    if difference.interval.low > 0:
        return "better"
    return "worse" if difference.interval.high < 0 else "open"


def number(value: float, digits: int = 3) -> str:
    """A score with three digits, a dash where there is none.

    >>> number(0.9234), number(float("nan")), number(-0.0001)
    ('0.923', '–', '0.000')
    """
    text = f"{value:.{digits}f}" if math.isfinite(value) else "–"
    return text.removeprefix("-") if not text.strip("-0.") else text


def between(found: Interval) -> str:
    """The ends of an interval.

    >>> between(Interval(0.021, 0.008, 0.034))
    '[0.008, 0.034]'
    """
    return (
        f"[{number(found.low)}, {number(found.high)}]"
        if math.isfinite(found.low)
        else "[no interval from one resampling]"
    )


def reach(difference: Difference) -> str:
    """The interval of a difference behind its mean; nothing where too few resamplings would make it as wide as it is useless.

    >>> from graphattn.comparison.statistics import paired
    >>> reach(paired([0.02, 0.03, 0.01, 0.04], ratio=0.125)), reach(paired([0.02, 0.03], ratio=0.125))
    (' [-0.000, 0.050]', '')
    """
    return f" {between(difference.interval)}" if difference.resamplings >= FEWEST else ""


def probability(value: float) -> str:
    """A probability with two digits, never rounded to certainty.

    >>> probability(0.934), probability(0.9999), probability(0.0001)
    ('0.93', 'above 0.99', 'below 0.01')
    """
    if not math.isfinite(value):
        return "–"
    if 0.005 <= value <= 0.995:
        return f"{value:.2f}"
    return "above 0.99" if value > 0.5 else "below 0.01"


def significance(p: float) -> str:
    """A p-value as it is written.

    >>> significance(0.0123), significance(0.21), significance(1e-9)
    ('0.012', '0.21', '< 0.001')
    """
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.2f}" if p >= 0.095 else f"{p:.3f}"


def times(first: float, second: float) -> str:
    """How much more, as a factor; empty where one of them is unknown.

    >>> times(2.3, 1.0), times(1.0, 1.01), times(1.0, 0.0)
    ('2.3 times the', 'the same', '')
    """
    if not (first > 0 and second > 0 and math.isfinite(first + second)):
        return ""
    share = first / second
    if abs(share - 1) < 0.05:
        return "the same"
    return f"{share:.0f} times the" if share >= 10 else f"{share:.2g} times the"


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Each name once, as `known` lists them, then others by the alphabet.

    >>> in_order(["full", "mine", "edges", "full"], TOPOLOGIES)
    ['edges', 'full', 'mine']
    """
    places = {name: place for place, name in enumerate(known)}
    return sorted(set(names), key=lambda name: (places.get(name, len(places)), name))


def count(n: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "fit"), count(3, "fit")
    ('1 fit', '3 fits')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Names in a sentence.

    >>> listed(["edges"]), listed(["edges", "full graphs", "no edges"])
    ('edges', 'edges, full graphs and no edges')
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def capital(text: str) -> str:
    """With a capital first letter; names keep theirs.

    >>> capital("attention on full graphs beats GCN")
    'Attention on full graphs beats GCN'
    """
    return text[:1].upper() + text[1:]
