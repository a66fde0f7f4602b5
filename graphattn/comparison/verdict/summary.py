"""Summary of a comparison: scores of each configuration, differences of pairs, effects of layer and topology.

A configuration is a layer on a topology; beside them stand baselines, and controls with permuted labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Literal, NamedTuple, final

import numpy as np

from graphattn.comparison.record import FitRecord, Role
from graphattn.comparison.verdict import titles
from graphattn.training.statistics import ROPE, Interval, PairedDifference, holm, interval, paired

RANGES = {"ROC-AUC": (0.0, 1.0), "accuracy": (0.0, 1.0), "R2": (-np.inf, 1.0)}
"""Lowest and highest possible score."""
Unit = tuple[str, int]
"""Split (hash of its parts) and seed of a fit. Configurations are compared by fits of the same split and seed."""
Kind = Literal["layer", "topology", "interaction"]
Design = Mapping[tuple[str, str], "ConfigurationScores"]


class Resampling(NamedTuple):
    """The repeated unit (a ``split``; of a single split, a ``seed``), and rows of the test part per row of the training part."""

    unit: Literal["split", "seed"]
    ratio: float

    def average(self, scores: Mapping[Unit, float]) -> dict[str, float]:
        """Means over the seeds of a split, which are no new data; of a single split, each seed stands for itself.

        >>> Resampling("split", 0.125).average({("a", 0): 0.5, ("a", 1): 0.7, ("b", 0): 0.8})
        {'a': 0.6, 'b': 0.8}
        """
        gathered: dict[str, list[float]] = {}
        for (split, seed), score in sorted(scores.items()):
            gathered.setdefault(split if self.unit == "split" else str(seed), []).append(score)
        return {key: float(np.mean(values)) for key, values in gathered.items()}


@final
@dataclass(frozen=True)
class ConfigurationScores:
    """Scores of a configuration (a layer on a topology), a baseline, or a control with permuted labels, over all its fits.

    Args:
        name: as in tables.
        layer, topology, role: of its fits.
        score: mean over splits, with its interval, as far as there are such scores.
        by_split: mean over the seeds of each split.
        fits: those with a score; ``failed`` those without.
    """

    name: str
    layer: str
    topology: str
    role: Role
    score: Interval
    by_split: Mapping[str, float]
    fits: tuple[FitRecord, ...]
    failed: tuple[FitRecord, ...]

    @property
    def title(self) -> str:
        """In sentences, such as ``GCN on full graphs``."""
        return titles.title(self.layer, self.topology)

    @property
    def scores(self) -> list[float]:
        """Scores of its fits."""
        return [float(record.score or 0.0) for record in self.fits]

    @property
    def validation(self) -> float:
        """Mean score on the validation parts, NaN where a fit has none: by which a configuration is chosen."""
        values = [record.validation for record in self.fits]
        return float(np.mean([np.nan if value is None else value for value in values])) if values else float("nan")

    def median(self, figure: str) -> float:
        """The median of a figure of :class:`FitRecord`, such as ``seconds_per_epoch``, over its fits; NaN without a fit."""
        return float(np.median([getattr(record, figure) for record in self.fits])) if self.fits else float("nan")

    def places(self, *, tried: bool = False) -> dict[Unit, float]:
        """Scores by place; with ``tried`` the failed fits as well, as NaN."""
        found = {place(record): float("nan") for record in self.failed} if tried else {}
        return found | {place(record): float(record.score or 0.0) for record in self.fits}


@final
@dataclass(frozen=True)
class Effect:
    r"""Effect of one factor, split by split.

    .. math:: \text{main effect} = \frac{1}{|T|} \sum_{t \in T} (s_{a t} - s_{b t}), \qquad
              \text{interaction} = (s_{a t} - s_{b t}) - (s_{a u} - s_{b u})

    of scores :math:`s` of layers :math:`a, b` on topologies :math:`t, u`, or the other way round.

    Args:
        kind: which factor; ``interaction`` is how much more the layer matters on one topology than on another.
        first, second: values of the factor; of an interaction the two topologies.
        over: values of the other factor that both have; of an interaction the two layers.
        difference: of the averages.
        p_holm: adjusted for all effects of this kind.
        left_out: places where one of the configurations has no score.
    """

    kind: Kind
    first: str
    second: str
    over: tuple[str, ...]
    difference: PairedDifference
    p_holm: float
    left_out: int


@final
@dataclass(frozen=True)
class Pair:
    """Two configurations on the same splits and seeds; the first has the higher mean.

    ``p_holm`` is adjusted for all pairs of the table; ``left_out`` counts places where one of the two has no score.
    """

    first: str
    second: str
    difference: PairedDifference
    p_holm: float
    left_out: int

    def reversed(self) -> Pair:
        """The second before the first."""
        return Pair(self.second, self.first, self.difference.reversed(), self.p_holm, self.left_out)


@final
@dataclass(frozen=True)
class Summary:
    """Scores, pairs and effects of the fits of one problem.

    Args:
        problem, measure: their names; more of the measure is better.
        rope: differences up to this are none in practice.
        ratio: rows of the test part for each of the training part, on average over splits.
        unit: what is repeated: ``split``, or ``seed`` if there is one split only, so that nothing is known about other splits.
        rows: configurations and baselines, the best first; those without a score last.
        pairs: any two of them.
        effects: main effects of layers and topologies.
        controls: controls, with permuted labels.
    """

    problem: str
    measure: str
    rope: float
    ratio: float
    unit: Literal["split", "seed"]
    rows: tuple[ConfigurationScores, ...]
    pairs: tuple[Pair, ...]
    effects: tuple[Effect, ...]
    controls: tuple[ConfigurationScores, ...]

    @property
    def models(self) -> list[ConfigurationScores]:
        """Networks that have a score."""
        return [row for row in self.rows if row.role == "model" and row.fits]

    @property
    def baselines(self) -> list[ConfigurationScores]:
        """Baselines that have a score."""
        return [row for row in self.rows if row.role == "baseline" and row.fits]

    @cached_property
    def _by_names(self) -> dict[tuple[str, str], Pair]:
        both = ((each, each.reversed()) for each in self.pairs)
        return {(pair.first, pair.second): pair for two in both for pair in two}

    def pair(self, first: str, second: str) -> Pair:
        """The pair of two configurations, in this order.

        Raises:
            KeyError: an unknown name.
        """
        return self._by_names[first, second]


def summary(records: Sequence[FitRecord], rope: float = ROPE) -> Summary:
    """Summary of ``records``, in any order.

    Intervals and tests are over splits: scores of several seeds on one split are averaged first, because they are no new data.

    Raises:
        ValueError: no record, records of several problems, data or measures, or records without the sizes of their parts.

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


def place(record: FitRecord) -> Unit:
    """Where a fit was done: split and seed."""
    return record.fit.split_hash or str(record.fit.split), record.fit.seed


def latest(records: Iterable[FitRecord]) -> list[FitRecord]:
    """One record of each fit, the last; a fit that was tried again counts as it ended."""
    return list({(record.fit.name, record.fit.role, *place(record)): record for record in records}.values())


def resampling(records: Sequence[FitRecord]) -> Resampling:
    """Unit that ``records`` repeat.

    Raises:
        ValueError: several splits, none with the sizes of its parts.
    """
    if len({place(record)[0] for record in records}) == 1:
        return Resampling("seed", 0.0)
    shares = {place(record)[0]: record.test_size / record.train_size for record in records if record.train_size}
    if not shares:
        sizes = "train_size and test_size, from which the overlap of resamplings follows"
        raise ValueError(f"expected records with {sizes}, got none above 0")
    return Resampling("split", float(np.mean(list(shares.values()))))


def rows(records: Iterable[FitRecord], repeated: Resampling) -> list[ConfigurationScores]:
    """A row for each layer, topology and role, the best first; rows without a score last."""
    groups: dict[tuple[str, str, Role], list[FitRecord]] = {}
    for record in sorted(records, key=lambda record: (record.fit.split, record.fit.seed)):
        groups.setdefault((record.fit.layer, record.fit.topology, record.fit.role), []).append(record)
    found = [_row(group, repeated) for group in groups.values()]
    return sorted(found, key=lambda row: (-row.score.mean if row.fits else np.inf, row.name))


def _row(group: Sequence[FitRecord], repeated: Resampling) -> ConfigurationScores:
    fits = tuple(each for each in group if _scored(each))
    failed = tuple(each for each in group if not _scored(each))
    by_unit = repeated.average({place(record): float(record.score or 0.0) for record in fits})
    what, score = group[0].fit, interval(list(by_unit.values()), repeated.ratio)
    low, high = RANGES.get(group[0].measure, (-np.inf, np.inf))
    # A mean of scores is in the range of scores; an interval from few of them may not be.
    score = Interval(score.mean, max(low, score.low), min(high, score.high)) if len(by_unit) > 1 else score
    return ConfigurationScores(what.name, what.layer, what.topology, what.role, score, by_unit, fits, failed)


def _scored(record: FitRecord) -> bool:
    return record.status == "ok" and record.score is not None and bool(np.isfinite(record.score))


def _pairs(rows: Sequence[ConfigurationScores], repeated: Resampling, rope: float) -> tuple[Pair, ...]:
    found = []
    for first, second in combinations([row for row in rows if row.fits], 2):
        differences, left_out = _differences(first, second, repeated)
        found.append((first.name, second.name, paired(differences, repeated.ratio, rope), left_out))
    adjusted = holm([difference.p for _, _, difference, _ in found])
    return tuple(
        Pair(a, b, difference, p, missing) for (a, b, difference, missing), p in zip(found, adjusted, strict=True)
    )


def _differences(
    first: ConfigurationScores, second: ConfigurationScores, repeated: Resampling
) -> tuple[list[float], int]:
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


class _Contrast(NamedTuple):
    """A weight for each configuration: the effect is the weighted sum of scores."""

    kind: Kind
    first: str
    second: str
    over: tuple[str, ...]
    weights: dict[tuple[str, str], float]


def effects(rows: Sequence[ConfigurationScores], repeated: Resampling, rope: float) -> tuple[Effect, ...]:
    """Each layer against GCN, or the first there is; each topology against the given edges; attention against GCN by topology."""
    design = {(row.layer, row.topology): row for row in rows if row.role == "model" and row.fits}
    layers = titles.in_order((layer for layer, _ in design), titles.LAYERS)
    topologies = titles.in_order((topology for _, topology in design), titles.TOPOLOGIES)
    found: list[Effect] = []
    for contrasts in (
        _main("layer", layers, "gcn", [factors for factors in product(layers, topologies) if factors in design]),
        _main("topology", topologies, "edges", [(b, a) for a, b in product(layers, topologies) if (a, b) in design]),
        _interactions(topologies, design),
    ):
        found += _tested(contrasts, design, repeated, rope)
    return tuple(found)


def _main(kind: Kind, values: Sequence[str], reference: str, design: Sequence[tuple[str, str]]) -> list[_Contrast]:
    """Contrasts of a factor with its reference; pairs of ``design`` have this factor first."""
    second = reference if reference in values else next(iter(values), "")
    found = []
    for first in (value for value in values if value != second):
        over = tuple(other for value, other in design if value == first and (second, other) in design)
        signs = {(value, other): sign / len(over) for other in over for value, sign in ((first, 1), (second, -1))}
        weights = signs if kind == "layer" else {(other, value): sign for (value, other), sign in signs.items()}
        found.append(_Contrast(kind, first, second, over, weights))
    return [contrast for contrast in found if contrast.over]


def _interactions(topologies: Sequence[str], design: Design) -> list[_Contrast]:
    """How much more attention changes against GCN on a topology than on the given edges."""
    pair = ("attention", "gcn")
    found = []
    for first in (value for value in topologies if value != "edges"):
        signs = {(pair[0], first): 1.0, (pair[1], first): -1.0, (pair[0], "edges"): -1.0, (pair[1], "edges"): 1.0}
        if all(factors in design for factors in signs):
            found.append(_Contrast("interaction", first, "edges", pair, signs))
    return found


def _tested(contrasts: Sequence[_Contrast], design: Design, repeated: Resampling, rope: float) -> list[Effect]:
    summed = [_summed(contrast.weights, design) for contrast in contrasts]
    differences = [paired(list(repeated.average(each).values()), repeated.ratio, rope) for each, _ in summed]
    adjusted = holm([each.p for each in differences])
    return [
        Effect(contrast.kind, contrast.first, contrast.second, contrast.over, difference, p, left_out)
        for contrast, difference, p, (_, left_out) in zip(contrasts, differences, adjusted, summed, strict=True)
    ]


def _summed(weights: Mapping[tuple[str, str], float], design: Design) -> tuple[dict[Unit, float], int]:
    """Weighted sum of scores where all configurations have one, and how many places were left out."""
    scores = {factors: design[factors].places() for factors in weights}
    both = set.intersection(*(set(each) for each in scores.values()))
    tried = set().union(*(design[factors].places(tried=True) for factors in weights))
    sums = {key: float(np.sum([weights[factors] * each[key] for factors, each in scores.items()])) for key in both}
    return sums, len(tried - both)
