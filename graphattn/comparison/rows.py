"""Fits by cell: what each cell of the design, each baseline and each control scored, split by split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import numpy as np

from graphattn.comparison.record import FitRecord, Role
from graphattn.comparison.statistics import Interval, interval

RANGES = {"ROC-AUC": (0.0, 1.0), "accuracy": (0.0, 1.0), "R2": (-np.inf, 1.0)}
"""The lowest and the highest score there is."""
Unit = tuple[str, int]
"""A fit's place: its split (the hash of its parts) and its seed. Fits of two cells are compared at the same place."""


class Resampling(NamedTuple):
    """What is repeated, a ``split``, or of a single split a ``seed``; rows of the test part for each of the training part."""

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
class Row:
    """A cell of the design (a layer on a topology), a baseline, or a control with permuted labels, over all its fits.

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
    def validation(self) -> float:
        """Mean score on the validation parts, NaN where a fit has none: what a row is chosen by."""
        values = [record.validation for record in self.fits]
        return float(np.mean([np.nan if value is None else value for value in values])) if values else float("nan")

    def median(self, figure: str) -> float:
        """The median of a figure of :class:`FitRecord`, such as ``seconds_per_epoch``, over its fits; NaN without a fit."""
        return float(np.median([getattr(record, figure) for record in self.fits])) if self.fits else float("nan")

    def places(self, *, tried: bool = False) -> dict[Unit, float]:
        """Scores by place; with `tried` the failed fits as well, as NaN."""
        found = {place(record): float("nan") for record in self.failed} if tried else {}
        return found | {place(record): float(record.score or 0.0) for record in self.fits}


def place(record: FitRecord) -> Unit:
    """Where a fit was done: split and seed."""
    return record.fit.split_hash or str(record.fit.split), record.fit.seed


def latest(records: Iterable[FitRecord]) -> list[FitRecord]:
    """One record of each fit, the last; a fit that was tried again counts as it ended."""
    return list({(record.fit.name, record.fit.role, *place(record)): record for record in records}.values())


def resampling(records: Sequence[FitRecord]) -> Resampling:
    """What `records` repeat. Raises `ValueError` if there are several splits and none says the sizes of its parts."""
    if len({place(record)[0] for record in records}) == 1:
        return Resampling("seed", 0.0)
    shares = {place(record)[0]: record.test_size / record.train_size for record in records if record.train_size}
    if not shares:
        sizes = "train_size and test_size, which say how much resamplings overlap"
        raise ValueError(f"expected records with {sizes}, got none above 0")
    return Resampling("split", float(np.mean(list(shares.values()))))


def rows(records: Iterable[FitRecord], repeated: Resampling) -> list[Row]:
    """A row for each layer, topology and role, the best first; rows without a score last."""
    groups: dict[tuple[str, str, Role], list[FitRecord]] = {}
    for record in sorted(records, key=lambda record: (record.fit.split, record.fit.seed)):
        groups.setdefault((record.fit.layer, record.fit.topology, record.fit.role), []).append(record)
    found = [_row(group, repeated) for group in groups.values()]
    return sorted(found, key=lambda row: (-row.score.mean if row.fits else np.inf, row.name))


def _row(group: Sequence[FitRecord], repeated: Resampling) -> Row:
    fits = tuple(each for each in group if _scored(each))
    failed = tuple(each for each in group if not _scored(each))
    by_unit = repeated.average({place(record): float(record.score or 0.0) for record in fits})
    what, score = group[0].fit, interval(list(by_unit.values()), repeated.ratio)
    low, high = RANGES.get(group[0].measure, (-np.inf, np.inf))
    # A mean of scores is in the range of scores; an interval from few of them may not be.
    score = Interval(score.mean, max(low, score.low), min(high, score.high)) if len(by_unit) > 1 else score
    return Row(what.name, what.layer, what.topology, what.role, score, by_unit, fits, failed)


def _scored(record: FitRecord) -> bool:
    return record.status == "ok" and record.score is not None and bool(np.isfinite(record.score))
