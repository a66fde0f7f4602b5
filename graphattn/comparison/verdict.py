"""The verdict in words: does attention help here, or would a GCN do?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np

from graphattn.comparison import wording
from graphattn.comparison.cautions import cautions
from graphattn.comparison.controls import controlled
from graphattn.comparison.effects import Effect
from graphattn.comparison.rows import Row
from graphattn.comparison.statistics import Difference
from graphattn.comparison.summary import Pair, Summary

ATTENTION = ("attention", "edge_attention", "gat", "gatv2")
"""Layers that weigh senders by what they say."""


@final
@dataclass(frozen=True)
class Verdict:
    """What was found, in sentences.

    Args:
        headline: the answer in a few words.
        answer: the comparison behind it, with numbers.
        baselines: how the best network stands against what is cheap.
        effects: main effects of layers and topologies, a sentence each.
        controls: what permuted labels gave.
        cautions: what a reader has to bear in mind.
    """

    headline: str
    answer: str
    baselines: str
    effects: tuple[str, ...]
    controls: tuple[str, ...]
    cautions: tuple[str, ...]

    def __str__(self) -> str:
        first = " ".join(part for part in (self.headline, self.answer, self.baselines) if part)
        parts = (first, " ".join(self.effects), " ".join(self.controls), " ".join(self.cautions))
        return "\n\n".join(part for part in parts if part)


def verdict(summary: Summary) -> str:
    """What was found, as text: the answer first, then baselines, effects, controls and cautions.

    >>> from graphattn.comparison.record import Fit, Record
    >>> from graphattn.comparison.summary import summary
    >>> def fit(layer, split, score):
    ...     what = Fit("made up", layer, "edges", split, seed=0)
    ...     return Record(what, "ok", "accuracy", score=score, train_size=80, test_size=10, seconds_per_epoch=1.0)
    >>> scores = {"gcn": [0.81, 0.84, 0.80], "attention": [0.85, 0.87, 0.85]}
    >>> fits = [fit(layer, split, each) for layer, all in scores.items() for split, each in enumerate(all)]
    >>> print(verdict(summary(fits)).partition(" (p")[0])
    Attention helps here. Attention on edges beats GCN on edges by 0.040 accuracy [0.0..., 0.0...] at the same time per epoch
    """
    return str(sentences(summary))


def sentences(summary: Summary) -> Verdict:
    """What was found, part by part."""
    asked = question(summary)
    headline, answer = _answer(summary, asked) if asked else ("Nothing to compare.", _alone(summary))
    return Verdict(
        headline,
        answer,
        _baselines(summary),
        tuple(_effect(effect, summary) for effect in summary.effects),
        tuple(wording.capital(sentence) for sentence in controlled(summary)),
        tuple(cautions(summary)),
    )


def best(rows: Iterable[Row]) -> Row | None:
    """The row with the best validation score, so that test scores choose nothing; by test score where a row has no other."""
    rows = list(rows)
    by_validation = all(np.isfinite(row.validation) for row in rows)
    return max(rows, key=lambda row: row.validation if by_validation else row.score.mean, default=None)


def question(summary: Summary) -> Pair | None:
    """The pair that answers: the best cell with attention and the best with GCN, or without GCN the best of all others.

    Without attention, or with nothing else, the best two cells; none if there is only one.
    """
    attention = best(row for row in summary.models if row.layer in ATTENTION)
    others = [row for row in summary.models if row.layer not in ATTENTION]
    plain = best([row for row in others if row.layer == "gcn"] or others)
    if attention is None or plain is None:
        attention = best(summary.models)
        plain = best(row for row in summary.models if row is not attention)
    return summary.pair(attention.name, plain.name) if attention and plain else None


def _answer(summary: Summary, asked: Pair) -> tuple[str, str]:
    first, second = (next(row for row in summary.rows if row.name == name) for name in (asked.first, asked.second))
    found = wording.finding(asked.difference)
    if first.layer in ATTENTION and second.layer not in ATTENTION:
        other = f"A {wording.layer(second.layer)}" if second.layer == "gcn" else wording.layer(second.layer)
        answers = {
            "better": "Attention helps here.",
            "worse": f"{other} does better here.",
            "equal": f"{other} would do.",
        }
    else:
        answers = {
            "better": f"{named(first)} is best.",
            "worse": f"{named(second)} is best.",
            "equal": "No difference that matters.",
        }
    text = compared(asked, summary)
    chosen = "Both are the best of their kind by validation score." if len(summary.models) > 2 else ""
    return wording.capital(answers.get(found, "Not decided.")), " ".join(
        part for part in (wording.capital(text), chosen) if part
    )


def compared(pair: Pair, summary: Summary) -> str:
    """A pair of networks as a sentence: by how much, how sure, at what cost.

    The words are those of :func:`~graphattn.comparison.wording.finding`.
    """
    first, second = (next(row for row in summary.rows if row.name == name) for name in (pair.first, pair.second))
    difference, measure = pair.difference, summary.measure
    within, found = wording.between(difference.interval), wording.finding(difference)
    if found == "equal":
        likely = f"probability {wording.probability(difference.equal)} ({wording.number(difference.mean)} {within})"
        said = (
            f"no difference larger than {summary.rope:g} {measure} between {named(first)} and {named(second)}, {likely}"
        )
        return f"{said}{_cost('; the first comes at', first, second)}."
    if found == "open":
        mean = f"{wording.number(difference.mean)} {measure} {within}"
        return f"{named(first)} minus {named(second)} is {mean}: {_chances(difference, summary.rope)}."
    if found == "worse":
        return compared(pair.reversed(), summary)
    holm = f"{wording.significance(pair.p_holm)} after Holm over {wording.count(len(summary.pairs), 'pair')}"
    cost = _cost(" at", first, second)
    by = f"{wording.number(difference.mean)} {measure} {within}{cost}"
    return f"{named(first)} beats {named(second)} by {by} (p {wording.significance(difference.p)}, {holm})."


def _cost(words: str, first: Row, second: Row) -> str:
    times = wording.times(first.median("seconds_per_epoch"), second.median("seconds_per_epoch"))
    return f"{words} {times} time per epoch" if times else ""


def _chances(difference: Difference, rope: float) -> str:
    if not np.isfinite(difference.better):
        return "one resampling cannot tell"
    better, equal, worse = (
        wording.probability(each) for each in (difference.better, difference.equal, difference.worse)
    )
    if rope == 0:
        return f"better with probability {better}, worse with {worse}"
    return f"better by more than {rope:g} with probability {better}, worse by more with {worse}, equal in practice with {equal}"


def _alone(summary: Summary) -> str:
    if not summary.models:
        return "No network has a score."
    row = summary.models[0]
    reached = f"{wording.number(row.score.mean)} {summary.measure} {wording.between(row.score)}"
    return f"{wording.capital(named(row))} reaches {reached}; it is the only network with a score."


def _baselines(summary: Summary) -> str:
    """The best network against each baseline; that something cheap is as good comes before anything else about them."""
    network = best(summary.models)
    if network is None or not summary.baselines:
        return ""
    said: dict[wording.Finding, list[str]] = {"worse": [], "equal": [], "open": [], "better": []}
    for row in summary.baselines:
        difference = summary.pair(network.name, row.name).difference
        found = wording.finding(difference)
        turned = difference.reversed() if found == "worse" else difference
        by = f"{wording.number(turned.mean)} {wording.between(turned.interval)}"
        said[found].append(f"{named(row)} by {by}" if found in ("worse", "better") else f"{named(row)} ({by})")
    words = {"worse": "loses to", "equal": "equals", "open": "is not shown to differ from", "better": "beats"}
    alarm = {
        "worse": "A baseline is better than the best network: ",
        "equal": "A baseline is as good as the best network: ",
    }
    first = next((alarm[each] for each in ("worse", "equal") if said[each]), "")
    parts = [f"{words[each]} {wording.listed(names)}" for each, names in said.items() if names]
    reached = f"{named(network)}, the best network by validation score ({wording.number(network.score.mean)} {summary.measure}),"
    return f"{first}{reached if first else wording.capital(reached)} {wording.listed(parts)}."


def _effect(effect: Effect, summary: Summary) -> str:
    other = wording.topology if effect.kind == "layer" else wording.layer
    over = [other(each) for each in effect.over]
    alone = "on" if effect.kind == "layer" else "with"
    averaged = f", {alone if len(over) == 1 else 'on average over'} {wording.listed(over)}"
    where = "" if effect.kind == "interaction" else averaged
    difference, found = effect.difference, wording.finding(effect.difference)
    by = f"{wording.number(difference.mean)} {wording.between(difference.interval)}"
    likely, p = wording.probability(difference.equal), wording.significance(effect.p_holm)
    said = {
        "equal": f"no difference larger than {summary.rope:g}, probability {likely} ({by}){where}",
        "open": f"not decided, {by}{where}",
    }.get(found, f"{found}, {by}{where} (p {p} after Holm)")
    return f"{wording.capital(changed(effect))}: {said}."


def changed(effect: Effect) -> str:
    """What an effect is of, such as "attention instead of GCN"."""
    name, other = (wording.layer, wording.topology) if effect.kind == "layer" else (wording.topology, wording.layer)
    first, second = name(effect.first), name(effect.second)
    if effect.kind == "interaction":
        ours, theirs = (other(each) for each in effect.over)
        return f"{ours} instead of {theirs}, on {first} more than on {second}"
    return f"{first} instead of {second}"


def named(row: Row) -> str:
    """A row in sentences.

    >>> from graphattn.comparison.statistics import Interval
    >>> named(Row("gcn on full", "gcn", "full", "model", Interval(0.5, 0.4, 0.6), {}, (), ()))
    'GCN on full graphs'
    """
    return wording.cell(row.layer, row.topology)
