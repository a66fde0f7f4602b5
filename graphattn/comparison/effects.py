"""Main effects of a factorial design: what a layer changes on average over topologies, and a topology over layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple, final

import numpy as np

from graphattn.comparison import wording
from graphattn.comparison.rows import Resampling, Row, Unit
from graphattn.comparison.statistics import Difference, holm, paired

Kind = Literal["layer", "topology", "interaction"]
Cells = Mapping[tuple[str, str], Row]


@final
@dataclass(frozen=True)
class Effect:
    r"""What one factor changes, split by split.

    .. math:: \text{main effect} = \frac{1}{|T|} \sum_{t \in T} (s_{a t} - s_{b t}), \qquad
              \text{interaction} = (s_{a t} - s_{b t}) - (s_{a u} - s_{b u})

    of scores :math:`s` of layers :math:`a, b` on topologies :math:`t, u`, or the other way round.

    Args:
        kind: which factor; ``interaction`` is how much more the layer matters on one topology than on another.
        first, second: values of the factor; of an interaction the two topologies.
        over: values of the other factor that both have; of an interaction the two layers.
        difference: of the averages.
        p_holm: adjusted for all effects of this kind.
        left_out: places where one of the cells has no score.
    """

    kind: Kind
    first: str
    second: str
    over: tuple[str, ...]
    difference: Difference
    p_holm: float
    left_out: int


class _Contrast(NamedTuple):
    """A weight for each cell: the effect is the weighted sum of scores."""

    kind: Kind
    first: str
    second: str
    over: tuple[str, ...]
    weights: dict[tuple[str, str], float]


def effects(rows: Sequence[Row], repeated: Resampling, rope: float) -> tuple[Effect, ...]:
    """Each layer against GCN, or the first there is; each topology against the given edges; attention against GCN by topology."""
    cells = {(row.layer, row.topology): row for row in rows if row.role == "model" and row.fits}
    layers = wording.in_order((layer for layer, _ in cells), wording.LAYERS)
    topologies = wording.in_order((topology for _, topology in cells), wording.TOPOLOGIES)
    found: list[Effect] = []
    for contrasts in (
        _main("layer", layers, "gcn", [cell for cell in product(layers, topologies) if cell in cells]),
        _main("topology", topologies, "edges", [(b, a) for a, b in product(layers, topologies) if (a, b) in cells]),
        _interactions(topologies, cells),
    ):
        found += _tested(contrasts, cells, repeated, rope)
    return tuple(found)


def _main(kind: Kind, values: Sequence[str], reference: str, cells: Sequence[tuple[str, str]]) -> list[_Contrast]:
    """`cells` have the factor first."""
    second = reference if reference in values else next(iter(values), "")
    found = []
    for first in (value for value in values if value != second):
        over = tuple(other for value, other in cells if value == first and (second, other) in cells)
        signs = {(value, other): sign / len(over) for other in over for value, sign in ((first, 1), (second, -1))}
        weights = signs if kind == "layer" else {(other, value): sign for (value, other), sign in signs.items()}
        found.append(_Contrast(kind, first, second, over, weights))
    return [contrast for contrast in found if contrast.over]


def _interactions(topologies: Sequence[str], cells: Cells) -> list[_Contrast]:
    """How much more attention changes against GCN on a topology than on the given edges."""
    pair = ("attention", "gcn")
    found = []
    for first in (value for value in topologies if value != "edges"):
        signs = {(pair[0], first): 1.0, (pair[1], first): -1.0, (pair[0], "edges"): -1.0, (pair[1], "edges"): 1.0}
        if all(cell in cells for cell in signs):
            found.append(_Contrast("interaction", first, "edges", pair, signs))
    return found


def _tested(contrasts: Sequence[_Contrast], cells: Cells, repeated: Resampling, rope: float) -> list[Effect]:
    summed = [_summed(contrast.weights, cells) for contrast in contrasts]
    differences = [paired(list(repeated.average(each).values()), repeated.ratio, rope) for each, _ in summed]
    adjusted = holm([each.p for each in differences])
    return [
        Effect(contrast.kind, contrast.first, contrast.second, contrast.over, difference, p, left_out)
        for contrast, difference, p, (_, left_out) in zip(contrasts, differences, adjusted, summed, strict=True)
    ]


def _summed(weights: Mapping[tuple[str, str], float], cells: Cells) -> tuple[dict[Unit, float], int]:
    """The weighted sum of scores where all cells have one, and how many places were left out."""
    scores = {cell: cells[cell].places() for cell in weights}
    both = set.intersection(*(set(each) for each in scores.values()))
    tried = set().union(*(cells[cell].places(tried=True) for cell in weights))
    sums = {key: float(np.sum([weights[cell] * each[key] for cell, each in scores.items()])) for key in both}
    return sums, len(tried - both)
