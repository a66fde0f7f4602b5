"""What fits amount to: a row for each cell of the design and each baseline, a pair for any two, effects of layer and topology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal, final

from graphattn.comparison.effects import Effect, effects
from graphattn.comparison.record import FitRecord
from graphattn.comparison.rows import Resampling, Row, latest, resampling, rows
from graphattn.comparison.statistics import ROPE, Difference, holm, paired


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


def summary(records: Sequence[FitRecord], rope: float = ROPE) -> Summary:
    """What `records` amount to; their order does not matter.

    Intervals and tests are over splits: scores of several seeds on one split are averaged first, because they are no new data.

    Raises:
        ValueError: no record, records of several problems, data or measures, or records that do not say the sizes of their parts.

    >>> from graphattn.comparison.record import Fit, FitRecord
    >>> def fit(layer, split, score):
    ...     what = Fit("made up", layer, "edges", split, seed=0)
    ...     return FitRecord(what, "ok", "accuracy", score=score, train_size=80, test_size=10)
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
    repeated = resampling(records)
    all_rows = rows(records, repeated)
    table = tuple(row for row in all_rows if row.role != "permuted")
    controls = tuple(row for row in all_rows if row.role == "permuted")
    pairs, found = _pairs(table, repeated, rope), effects(table, repeated, rope)
    return Summary(problem, measure, rope, repeated.ratio, repeated.unit, table, pairs, found, controls)


def _same(what: str, found: set[str]) -> str:
    if len(found) != 1:
        raise ValueError(
            f"expected records that can be compared, got {len(found)} {what}: {', '.join(sorted(found)) or 'no record'}"
        )
    return found.pop()


def _pairs(rows: Sequence[Row], repeated: Resampling, rope: float) -> tuple[Pair, ...]:
    found = []
    for first, second in combinations([row for row in rows if row.fits], 2):
        differences, left_out = _differences(first, second, repeated)
        found.append((first.name, second.name, paired(differences, repeated.ratio, rope), left_out))
    adjusted = holm([difference.p for _, _, difference, _ in found])
    return tuple(
        Pair(a, b, difference, p, missing) for (a, b, difference, missing), p in zip(found, adjusted, strict=True)
    )


def _differences(first: Row, second: Row, repeated: Resampling) -> tuple[list[float], int]:
    """One of each split where both have a score, and how many places were left out."""
    ours, theirs = first.places(), second.places()
    if first.role != second.role:
        # A baseline may need no seed, or one: it meets the mean of a network's seeds.
        both = [key for key in first.by_split if key in second.by_split]
        lost = len(set(first.by_split) ^ set(second.by_split))
        return [first.by_split[key] - second.by_split[key] for key in both], lost
    tried = first.places(tried=True).keys() | second.places(tried=True).keys()
    both = ours.keys() & theirs.keys()
    return list(repeated.average({key: ours[key] - theirs[key] for key in both}).values()), len(tried - both)
