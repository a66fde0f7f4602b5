"""What fits amount to: a row for each cell of the design and each baseline, a pair for any two, effects of layer and topology."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Any, Literal, final

import numpy as np

from graphattn.comparison import wording
from graphattn.comparison.record import Record, Role
from graphattn.comparison.statistics import ROPE, Difference, Interval, holm, interval, paired

Unit = tuple[str, int]
"""A fit's place: its split (the hash of its parts) and its seed. Fits of two cells are compared at the same place."""


@final
@dataclass(frozen=True)
class Row:
    """A cell of the design (a layer on a topology), a baseline, or a control with permuted labels, over all its fits.

    Args:
        name: as in tables.
        layer, topology, role: of its fits.
        score: mean over splits, with its interval.
        by_split: mean over the seeds of each split.
        fits: those with a score; ``failed`` those without.
    """

    name: str
    layer: str
    topology: str
    role: Role
    score: Interval
    by_split: Mapping[str, float]
    fits: tuple[Record, ...]
    failed: tuple[Record, ...]

    @property
    def validation(self) -> float:
        """Mean score on the validation parts, NaN where a fit has none: what a row is chosen by."""
        values = [record.validation for record in self.fits]
        return float(np.mean([np.nan if value is None else value for value in values])) if values else float("nan")

    def median(self, figure: str) -> float:
        """The median of a figure of :class:`Record`, such as ``seconds_per_epoch``, over its fits; NaN without a fit."""
        return float(np.median([getattr(record, figure) for record in self.fits])) if self.fits else float("nan")

    def places(self, *, tried: bool = False) -> dict[Unit, float]:
        """Scores by place; with `tried` the failed fits as well, as NaN."""
        found = {place(record): float("nan") for record in self.failed} if tried else {}
        return found | {place(record): float(record.score or 0.0) for record in self.fits}


@final
@dataclass(frozen=True)
class Pair:
    """Two rows on the same splits and seeds; the first has the higher mean.

    ``p_holm`` is adjusted for all pairs of the table; ``left_out`` counts places where one of the two has no score.
    """

    first: str
    second: str
    difference: Difference
    p_holm: float
    left_out: int

    def reversed(self) -> Pair:
        """The second before the first."""
        return Pair(self.second, self.first, self.difference.reversed(), self.p_holm, self.left_out)


@final
@dataclass(frozen=True)
class Effect:
    """A main effect: one layer against another on average over topologies, or one topology against another over layers.

    Args:
        kind: what differs.
        first, second: its two values; ``over`` the values of the other factor that both have.
        difference: of the two averages, split by split.
        p_holm: adjusted for all effects of this kind.
        left_out: places where one of the cells has no score.
    """

    kind: Literal["layer", "topology"]
    first: str
    second: str
    over: tuple[str, ...]
    difference: Difference
    p_holm: float
    left_out: int


@final
@dataclass(frozen=True)
class Summary:
    """What the fits of one problem amount to.

    Args:
        problem, measure: their names; more of the measure is better.
        rope: differences up to this are none in practice.
        ratio: rows of the test part for each of the training part, on average over splits.
        unit: what is repeated: ``split``, or ``seed`` if there is one split only, so that nothing is known about other splits.
        rows: cells and baselines, the best first; rows without a score last.
        pairs: any two of them.
        effects: main effects of layers and topologies.
        controls: rows with permuted labels.
    """

    problem: str
    measure: str
    rope: float
    ratio: float
    unit: Literal["split", "seed"]
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    effects: tuple[Effect, ...]
    controls: tuple[Row, ...]

    @property
    def models(self) -> list[Row]:
        """Networks that have a score."""
        return [row for row in self.rows if row.role == "model" and row.fits]

    @property
    def baselines(self) -> list[Row]:
        """Baselines that have a score."""
        return [row for row in self.rows if row.role == "baseline" and row.fits]

    @cached_property
    def _by_names(self) -> dict[tuple[str, str], Pair]:
        both = ((each, each.reversed()) for each in self.pairs)
        return {(pair.first, pair.second): pair for two in both for pair in two}

    def pair(self, first: str, second: str) -> Pair:
        """The pair of two rows, in this order. Raises `KeyError` for names that are no two rows."""
        return self._by_names[first, second]


def place(record: Record) -> Unit:
    """Where a fit was done: split and seed."""
    return record.fit.split_hash or str(record.fit.split), record.fit.seed


def latest(records: Iterable[Record]) -> list[Record]:
    """One record of each fit, the last; a fit that was tried again counts as it ended."""
    return list({(record.fit.name, record.fit.role, *place(record)): record for record in records}.values())


def summary(records: Sequence[Record], rope: float = ROPE) -> Summary:
    """What `records` amount to; their order does not matter.

    Intervals and tests are over splits: scores of several seeds on one split are averaged first, because they are no new data.

    Raises:
        ValueError: no record, records of several problems, data or measures, or records that do not say the sizes of their parts.

    >>> from graphattn.comparison.record import Fit, Record
    >>> def fit(layer, split, score):
    ...     what = Fit("made up", layer, "edges", split, seed=0)
    ...     return Record(what, "ok", "accuracy", score=score, train_size=80, test_size=10)
    >>> scores = {"gcn": [0.81, 0.84, 0.80], "attention": [0.85, 0.87, 0.85]}
    >>> found = summary([fit(layer, split, each) for layer, all in scores.items() for split, each in enumerate(all)])
    >>> [row.name for row in found.rows]
    ['attention on edges', 'gcn on edges']
    >>> round(found.pair("gcn on edges", "attention on edges").difference.mean, 3)
    -0.04
    """
    records = latest(records)
    problem = _same("problems", {record.fit.problem for record in records})
    _same("data", {record.fit.data_hash for record in records})
    measure = _same("measures", {record.measure for record in records})
    unit = "seed" if len({place(record)[0] for record in records}) == 1 else "split"
    ratio = _ratio(records) if unit == "split" else 0.0
    rows = _rows(records, ratio, unit)
    table = tuple(row for row in rows if row.role != "permuted")
    pairs, effects = _pairs(table, ratio, unit, rope), _effects(table, ratio, unit, rope)
    controls = tuple(row for row in rows if row.role == "permuted")
    return Summary(problem, measure, rope, ratio, unit, table, pairs, effects, controls)


def _same(what: str, found: set[str]) -> str:
    if len(found) != 1:
        raise ValueError(
            f"expected records of one and the same, got {len(found)} {what}: {', '.join(sorted(found)) or 'no record'}"
        )
    return found.pop()


def _ratio(records: Sequence[Record]) -> float:
    shares = {place(record)[0]: record.test_size / record.train_size for record in records if record.train_size}
    if not shares:
        raise ValueError(
            "expected records with train_size and test_size, which say how much resamplings overlap, got none above 0"
        )
    return float(np.mean(list(shares.values())))


def _rows(records: Sequence[Record], ratio: float, unit: str) -> list[Row]:
    groups: dict[tuple[str, str, Role], list[Record]] = {}
    for record in sorted(records, key=lambda record: (record.fit.split, record.fit.seed)):
        groups.setdefault((record.fit.layer, record.fit.topology, record.fit.role), []).append(record)
    rows = []
    for (layer, topology, role), group in groups.items():
        fits = tuple(
            each for each in group if each.status == "ok" and each.score is not None and np.isfinite(each.score)
        )
        failed = tuple(each for each in group if not any(each is fit for fit in fits))
        by_unit = _average({place(record): float(record.score or 0.0) for record in fits}, unit)
        score = interval(list(by_unit.values()), ratio)
        rows.append(Row(group[0].fit.name, layer, topology, role, score, by_unit, fits, failed))
    return sorted(rows, key=lambda row: (-row.score.mean if row.fits else np.inf, row.name))


def _average(scores: Mapping[Unit, float], unit: str) -> dict[str, float]:
    """Means over the seeds of a split; of a single split, each seed stands for itself."""
    gathered: dict[str, list[float]] = {}
    for (split, seed), score in sorted(scores.items()):
        gathered.setdefault(split if unit == "split" else str(seed), []).append(score)
    return {key: float(np.mean(values)) for key, values in gathered.items()}


def _pairs(rows: Sequence[Row], ratio: float, unit: str, rope: float) -> tuple[Pair, ...]:
    found = []
    for first, second in combinations([row for row in rows if row.fits], 2):
        differences, left_out = _differences(first, second, unit)
        found.append((first.name, second.name, paired(differences, ratio, rope), left_out))
    adjusted = holm([difference.p for _, _, difference, _ in found])
    return tuple(
        Pair(a, b, difference, p, missing) for (a, b, difference, missing), p in zip(found, adjusted, strict=True)
    )


def _differences(first: Row, second: Row, unit: str) -> tuple[list[float], int]:
    """One of each split where both have a score, and how many places were left out."""
    ours, theirs = first.places(), second.places()
    if first.role != second.role:
        # A baseline may need no seed, or one: it meets the mean of a network's seeds.
        both = [key for key in first.by_split if key in second.by_split]
        lost = len(set(first.by_split) ^ set(second.by_split))
        return [first.by_split[key] - second.by_split[key] for key in both], lost
    tried = first.places(tried=True).keys() | second.places(tried=True).keys()
    both = ours.keys() & theirs.keys()
    return list(_average({key: ours[key] - theirs[key] for key in both}, unit).values()), len(tried - both)


def _effects(rows: Sequence[Row], ratio: float, unit: str, rope: float) -> tuple[Effect, ...]:
    """Each layer against GCN, or the first there is, and each topology against the given edges."""
    cells = {(row.layer, row.topology): row for row in rows if row.role == "model" and row.fits}
    layers = wording.in_order((layer for layer, _ in cells), wording.LAYERS)
    topologies = wording.in_order((topology for _, topology in cells), wording.TOPOLOGIES)
    cells = {cell: cells[cell] for cell in product(layers, topologies) if cell in cells}
    return (
        *_of_one("layer", layers, "gcn", cells, (ratio, unit, rope)),
        *_of_one("topology", topologies, "edges", {(b, a): row for (a, b), row in cells.items()}, (ratio, unit, rope)),
    )


def _of_one(
    kind: Any,
    values: Sequence[str],
    reference: str,
    cells: Mapping[tuple[str, str], Row],
    options: tuple[float, str, float],
) -> list[Effect]:
    ratio, unit, rope = options
    second = reference if reference in values else next(iter(values), "")
    found = []
    for first in (value for value in values if value != second):
        over = tuple(other for value, other in cells if value == first and (second, other) in cells)
        if over:
            scores = [(cells[first, other].places(), cells[second, other].places()) for other in over]
            both = set.intersection(*(set(each) for two in scores for each in two))
            tried = set().union(
                *(cells[value, other].places(tried=True) for value in (first, second) for other in over)
            )
            means = {key: float(np.mean([ours[key] - theirs[key] for ours, theirs in scores])) for key in both}
            difference = paired(list(_average(means, unit).values()), ratio, rope)
            found.append((first, over, difference, len(tried - both)))
    adjusted = holm([difference.p for _, _, difference, _ in found])
    return [
        Effect(kind, first, second, over, difference, p, missing)
        for (first, over, difference, missing), p in zip(found, adjusted, strict=True)
    ]
