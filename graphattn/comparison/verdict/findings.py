"""Findings of a comparison: which question is answered, and how, and what limits the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from graphattn.comparison.record import FitRecord
from graphattn.comparison.verdict.summary import ConfigurationScores, Summary
from graphattn.training.statistics import FEWEST, Finding, PairedDifference, finding, holm

ATTENTION = ("attention", "edge_attention", "gat", "gatv2")
"""Layers with attention weights."""
WITH_EDGES = "edge_attention"
"""The layer that is given more than the others: features of edges and distances."""
FLOORS = ("majority", "mean")
"""Baselines that predict the same for every graph."""
APART = 0.05
"""Parameter counts further apart than this share are not equal."""
STILL_BETTER = 0.1
"""Share of fits with their best epoch at the end above which training was too short."""

TURNED: dict[Finding, Finding] = {"better": "worse", "worse": "better", "equal": "equal", "open": "open"}


def excludes_zero(difference: PairedDifference) -> bool:
    """Whether the interval of this difference alone decides, be it adjusted or not."""
    known = difference.resamplings >= FEWEST
    return known and (difference.interval.low > 0 or difference.interval.high < 0)


def best(configurations: Iterable[ConfigurationScores]) -> ConfigurationScores | None:
    """The configuration with the best validation score, so that test scores do not choose; by these where there is no other.

    One that failed on more than half of the splits is not chosen by the rest, where there is another.
    """
    found = list(configurations)
    most = max((len(each.by_split) for each in found), default=0)
    found = [each for each in found if 2 * len(each.by_split) >= most]
    by_validation = all(np.isfinite(each.validation) for each in found)
    return max(found, key=lambda each: each.validation if by_validation else each.score.mean, default=None)


@final
@dataclass(frozen=True)
class JudgedPair:
    """Two configurations and what was found of the first against the second.

    Args:
        first, second: what is compared.
        difference: of their scores, the first minus the second.
        p: of the difference, adjusted unless the question was fixed before the fits.
        family: comparisons that p was adjusted for; 0 if it was not.
        finding: of the first.
        left_out: places where one of the two has no score.
    """

    first: ConfigurationScores
    second: ConfigurationScores
    difference: PairedDifference
    p: float
    family: int
    finding: Finding
    left_out: int

    def reversed(self) -> JudgedPair:
        """The second before the first."""
        turned = self.difference.reversed()
        return JudgedPair(self.second, self.first, turned, self.p, self.family, TURNED[self.finding], self.left_out)


@final
@dataclass(frozen=True)
class Findings:
    """What a summary shows. Questions that are fixed before the fits are decided by their own p: attention or a GCN, with and
    without edge features; better than constant predictions; with or without edges.

    All other comparisons are one family, adjusted together (Holm, 1979): the best network by validation score against every
    other configuration and baseline. A pair has one finding, wherever it appears.
    """

    summary: Summary

    @cached_property
    def reference(self) -> ConfigurationScores | None:
        """The best network by validation score."""
        return best(self.summary.models)

    @cached_property
    def question(self) -> JudgedPair | None:
        """The best configuration with attention and the best GCN, or without GCN the best of all others.

        Without attention, or with nothing else, the best two configurations; none if there is only one.
        """
        models = self.summary.models
        attention = best(row for row in models if row.layer in ATTENTION)
        others = [row for row in models if row.layer not in ATTENTION]
        plain = best([row for row in others if row.layer == "gcn"] or others)
        if attention is None or plain is None:
            attention = best(models)
            plain = best(row for row in models if row is not attention)
        if attention is None or plain is None:
            return None
        pair = self.summary.pair(attention.name, plain.name)
        found, p = finding(pair.difference), pair.difference.p
        return JudgedPair(attention, plain, pair.difference, p, 0, found, pair.left_out)

    @cached_property
    def _edges(self) -> tuple[ConfigurationScores | None, ConfigurationScores | None]:
        """The best network with edges and the best without; shuffled edges are neither."""
        models = self.summary.models
        return best(row for row in models if row.topology not in ("none", "shuffled")), self.without_edges

    @cached_property
    def without_edges(self) -> ConfigurationScores | None:
        """The best network in which nodes exchange no messages."""
        return best(row for row in self.summary.models if row.topology == "none")

    @cached_property
    def _plain(self) -> ConfigurationScores | None:
        """The best attention without edge features, where the question has attention with them and they are not shared."""
        if self.question is None or self.question.first.layer != WITH_EDGES or self.question.second.layer == WITH_EDGES:
            return None
        return best(row for row in self.summary.models if row.layer in ATTENTION and row.layer != WITH_EDGES)

    @cached_property
    def _fixed(self) -> set[frozenset[str]]:
        """Pairs of names that are questions fixed before the fits."""
        both = (self.question.first, self.question.second) if self.question else (None, None)
        floors = [row for row in self.summary.baselines if row.layer in FLOORS]
        pairs = [both, self._edges, (self._plain, both[1])]
        pairs += [(row, floor) for row in (*both, *self._edges, self.reference) for floor in floors]
        return {frozenset((first.name, second.name)) for first, second in pairs if first and second}

    @cached_property
    def family(self) -> dict[str, float]:
        """Adjusted p of the best network against every other configuration and baseline whose pair is not fixed, by name."""
        reference = self.reference
        rows = [row.name for row in self.summary.rows if row.fits and row is not reference]
        names = [name for name in rows if reference and frozenset((reference.name, name)) not in self._fixed]
        pairs = [self.summary.pair(reference.name, name) for name in names] if reference else []
        return dict(zip(names, holm([pair.difference.p for pair in pairs]), strict=True))

    def judged(self, first: ConfigurationScores, second: ConfigurationScores) -> JudgedPair:
        """Two configurations of a fixed question, or of which one is the best network.

        Raises:
            KeyError: other configurations.
        """
        pair, p, size = self.summary.pair(first.name, second.name), None, 0
        if frozenset((first.name, second.name)) not in self._fixed:
            p, size = self.family[(second if first is self.reference else first).name], len(self.family)
        found, own = finding(pair.difference, p), pair.difference.p
        return JudgedPair(first, second, pair.difference, own if p is None else p, size, found, pair.left_out)

    @cached_property
    def against(self) -> list[JudgedPair]:
        """The reference against every other configuration and baseline, in the order of the summary."""
        reference = self.reference
        rows = [row for row in self.summary.rows if row.fits and row is not reference]
        return [self.judged(reference, row) for row in rows] if reference else []

    def at_chance(self, *configurations: ConfigurationScores) -> ConfigurationScores | None:
        """The baseline of constant predictions that none of these is shown to beat, if there is one."""
        floors = [row for row in self.summary.baselines if row.layer in FLOORS]
        pairs = [self.judged(row, floor) for floor in floors for row in configurations]
        decided = bool(pairs) and all(pair.difference.resamplings >= FEWEST for pair in pairs)
        return floors[0] if decided and all(pair.finding != "better" for pair in pairs) else None

    @cached_property
    def edges(self) -> JudgedPair | None:
        """The best network with edges against the best without, unless neither has learned anything."""
        some, none = self._edges
        return self.judged(some, none) if some and none and not self.at_chance(some, none) else None

    @cached_property
    def without_edge_features(self) -> JudgedPair | None:
        """The best attention without edge features against the second of the question, which has none either."""
        return self.judged(self._plain, self.question.second) if self._plain and self.question else None

    @cached_property
    def leader(self) -> ConfigurationScores | None:
        """The better of the two of the question; the first where neither is better."""
        question = self.question
        if question is None:
            return None
        second = question.finding == "worse" or (question.finding == "open" and question.difference.mean < 0)
        return question.second if second else question.first

    @cached_property
    def rivals(self) -> dict[Finding, list[ConfigurationScores]]:
        """What is ``better`` than the best network, or than the leader; what is ``equal`` though simpler."""
        reference, leader = self.reference, self.leader
        if reference is None or leader is None:
            return {}
        found: dict[Finding, list[ConfigurationScores]] = {"better": [], "equal": []}
        for pair in self.against:
            cheap = pair.second.role == "baseline" and pair.second.layer not in FLOORS
            if pair.finding in ("worse", "equal") and (cheap or pair.second is self.without_edges is not leader):
                found[TURNED[pair.finding]].append(pair.second)
        others = (self.question.first, self.question.second) if self.question else ()
        if reference not in others:
            above = self.judged(reference, leader).finding
            if above == "better" or (above == "equal" and reference is self.without_edges):
                found[above].append(reference)
        return found

    @cached_property
    def outside(self) -> list[tuple[ConfigurationScores, list[FitRecord]]]:
        """Controls that left their bound for chance, with the fits that did."""
        found = ((row, [each for each in bounded(row) if not within(each)]) for row in self.summary.controls)
        return [(row, fits) for row, fits in found if fits]

    @cached_property
    def repeats(self) -> int:
        """Splits, or seeds of a single split, of the configuration that has most of them."""
        return max((len(row.by_split) for row in self.summary.rows), default=0)

    @cached_property
    def fits_of_networks(self) -> tuple[int, int]:
        """Fewest and most fits of a network; they differ where a comparison is not finished."""
        tried = [len(row.fits) + len(row.failed) for row in self.summary.rows if row.role == "model"]
        return min(tried, default=0), max(tried, default=0)

    @cached_property
    def fits(self) -> list[FitRecord]:
        """Fits of networks with a score."""
        return [record for row in self.summary.models for record in row.fits]

    @cached_property
    def settings_differ(self) -> bool:
        """Whether fits of networks had different settings. As text: a tuple comes back from a file as a list."""
        return len({json.dumps(record.fit.settings, sort_keys=True) for record in self.fits}) > 1

    @cached_property
    def sizes_apart(self) -> tuple[float, float] | None:
        """Smallest and largest parameter count, if they are further apart than 5 %."""
        sizes = [row.median("parameters") for row in self.summary.models if row.median("parameters")]
        return (min(sizes), max(sizes)) if sizes and max(sizes) > (1 + APART) * min(sizes) else None

    @cached_property
    def untuned(self) -> bool:
        """Whether several networks were compared and it is known that none was tuned."""
        return len(self.summary.models) > 1 and all(record.fit.settings.get("trials") == 0 for record in self.fits)

    @cached_property
    def smaller_batches(self) -> int:
        """Fits that ran out of memory and went on with smaller batches."""
        fits = [record for record in self.fits if "batch_size" in record.fit.settings and record.batch_size]
        return sum(record.batch_size < record.fit.settings["batch_size"] for record in fits)

    def ended_early(self, record: FitRecord) -> bool:
        """Whether a fit was best at its last epoch, and there is more to reach."""
        most = record.fit.settings.get("epochs", math.inf)
        below = (record.score or 0.0) < 1 - self.summary.rope
        return below and 0 < record.epochs >= most and record.kept >= record.epochs


def within(record: FitRecord) -> bool:
    """Whether a fit of permuted labels scored within its bound for chance, which was known before the labels were learned.

    >>> from graphattn.comparison.record import Fit
    >>> what = Fit("made up", "gcn", "edges", split=0, seed=0, role="permuted")
    >>> within(FitRecord(what, "ok", "ROC-AUC", score=0.55, chance=[0.4, 0.6]))
    True
    """
    low, high = record.chance
    return record.score is not None and low <= record.score <= high


def bounded(control: ConfigurationScores) -> list[FitRecord]:
    """Fits of a control that have a bound for chance."""
    return [record for record in control.fits if len(record.chance) == 2]
