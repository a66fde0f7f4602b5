"""The verdict in sentences: does attention help here, or would a GCN do?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from graphattn.comparison.record import FitRecord
from graphattn.comparison.verdict import titles
from graphattn.comparison.verdict.findings import (
    APART,
    ATTENTION,
    STILL_BETTER,
    WITH_EDGES,
    Findings,
    JudgedPair,
    bounded,
    excludes_zero,
    within,
)
from graphattn.comparison.verdict.summary import RANGES, ConfigurationScores, Effect, Summary
from graphattn.reports.numbers import capital, count, listed, number, probability, significance, times
from graphattn.training.statistics import FEWEST, VERBS, Finding, Interval, PairedDifference, finding

FEW_SPLITS = 5


@final
@dataclass(frozen=True)
class Verdict:
    """Findings in sentences.

    Args:
        alarm: why no score may be trusted, where a control fails; else empty.
        headline: the answer in a few words.
        answer: the comparison behind it, with numbers.
        baselines: the best network against the baselines.
        edges: whether messages between nodes help, if there is a network without edges.
        effects: main effects of layers and topologies, a sentence each.
        controls: results with permuted labels.
        cautions: what limits the conclusions.
    """

    alarm: str
    headline: str
    answer: str
    baselines: str
    edges: str
    effects: tuple[str, ...]
    controls: tuple[str, ...]
    cautions: tuple[str, ...]

    def __str__(self) -> str:
        first = " ".join(part for part in (self.headline, self.answer, self.baselines, self.edges) if part)
        parts = (self.alarm, first, " ".join(self.effects), " ".join(self.controls), " ".join(self.cautions))
        return "\n\n".join(part for part in parts if part)


def verdict(summary: Summary) -> Verdict:
    """Findings in sentences; as text the answer first, then baselines, effects, controls and cautions.

    >>> from graphattn.comparison.record import Fit, FitRecord
    >>> from graphattn.comparison.verdict.summary import summary
    >>> def fit(layer, split, score):
    ...     what = Fit("made up", layer, "edges", split, seed=0)
    ...     return FitRecord(what, "ok", "accuracy", score=score, train_size=80, test_size=10, seconds_per_epoch=1.0)
    >>> scores = {"gcn": [0.81, 0.84, 0.80], "attention": [0.85, 0.87, 0.85]}
    >>> fits = [fit(layer, split, each) for layer, all in scores.items() for split, each in enumerate(all)]
    >>> print(str(verdict(summary(fits))).partition(" (p")[0])
    Attention helps here. Attention on edges beats GCN on edges by 0.040 accuracy [0.0..., 0.0...] at the same time per epoch
    """
    found = Findings(summary)
    headline, answer = _answer(found)
    return Verdict(
        _alarm(found),
        headline,
        answer,
        _baselines(found),
        _edges(found),
        tuple(_effect(effect, summary) for effect in summary.effects),
        tuple(_control(control, summary.measure) for control in summary.controls)
        or ("No fit had permuted labels: there is no control.",),
        tuple(_cautions(found)),
    )


def undecided(difference: PairedDifference, p: float, family: int) -> str:
    """Why a difference is not decided although its interval excludes 0: p, adjusted; else nothing.

    >>> from graphattn.training.statistics import paired
    >>> undecided(paired([0.03, 0.04, 0.03, 0.04], ratio=0.125), 0.2, 9)
    'the interval, of this comparison alone, excludes 0, but p is 0.20 after Holm over 9 comparisons'
    >>> undecided(paired([0.03, -0.04, 0.03], ratio=0.125), 0.9, 9)
    ''
    """
    if not excludes_zero(difference) or finding(difference, p) != "open":
        return ""
    over = f"after Holm over {count(family, 'comparison')}"
    return f"the interval, of this comparison alone, excludes 0, but p is {significance(p)} {over}"


def contrast(effect: Effect) -> str:
    """What an effect is of, such as "attention instead of GCN"."""
    name, other = (titles.layer, titles.topology) if effect.kind == "layer" else (titles.topology, titles.layer)
    first, second = name(effect.first), name(effect.second)
    if effect.kind == "interaction":
        ours, theirs = (other(each) for each in effect.over)
        return f"{ours} instead of {theirs}, on {first} more than on {second}"
    return f"{first} instead of {second}"


def _answer(found: Findings) -> tuple[str, str]:
    question, summary = found.question, found.summary
    if question is None:
        return "Nothing to compare.", _alone(summary)
    both = (question.first, question.second)
    floor = found.at_chance(*both)
    if floor is not None:
        return f"Neither is shown to beat guessing{_but(found)}.", _at_chance(both, floor, summary.measure)
    top = question.finding == "equal" and 0 <= 1 - min(row.score.mean for row in both) <= summary.rope
    easy = f"Both are within {summary.rope:g} of the best possible score: this task is too easy to tell them apart."
    chosen = "Both are the best of their kind by validation score." if len(summary.models) > 2 else ""
    text = (capital(_compared(question, summary)), easy if top else "", chosen, _without_edge_features(found))
    return capital(f"{_headline(question, summary.unit == 'seed')}{_but(found)}."), " ".join(filter(None, text))


def _headline(question: JudgedPair, one_split: bool) -> str:
    first, second = question.first, question.second
    here, only = ("on this one split", " on this one split") if one_split else ("here", "")
    if first.layer in ATTENTION and second.layer not in ATTENTION:
        other = f"A {titles.layer(second.layer)}" if second.layer == "gcn" else titles.layer(second.layer)
        attention = titles.layer(first.layer if first.layer == WITH_EDGES else "attention")
        answers = {"better": f"{attention} helps {here}", "worse": f"{other} does better {here}"}
        answers |= {"equal": f"{other} would do{only}"}
    else:
        answers = {"better": f"{first.title} is best{only}", "worse": f"{second.title} is best{only}"}
        answers |= {"equal": f"No difference that matters{only}"}
    return answers.get(question.finding, "Not decided")


def _but(found: Findings) -> str:
    """For the headline: what does better than the best network or the two of the question, or as well though simpler."""
    words: dict[Finding, str] = {"better": "better", "equal": "as well"}
    for kind, well in words.items():
        rivals = [row.title for row in found.rivals.get(kind, [])]
        if rivals:
            return f", but {listed(rivals)} {'do' if len(rivals) > 1 else 'does'} {well}"
    return ""


def _alone(summary: Summary) -> str:
    if not summary.models:
        return "No network has a score."
    row = summary.models[0]
    reached = f"{number(row.score.mean)} {summary.measure} {_between(row.score)}"
    return f"{capital(row.title)} reaches {reached}; it is the only network with a score."


def _at_chance(both: Sequence[ConfigurationScores], floor: ConfigurationScores, measure: str) -> str:
    neither = " nor ".join(f"{row.title} ({number(row.score.mean)} {measure})" for row in both)
    beaten = f"the {floor.layer} ({number(floor.score.mean)})"
    return f"Neither {neither} is shown to beat {beaten}: there is nothing to compare."


def _without_edge_features(found: Findings) -> str:
    """That the attention of the question was given more than the other layer, and what it is without that."""
    question = found.question
    if question is None or question.first.layer != WITH_EDGES or question.second.layer == WITH_EDGES:
        return ""
    more = f"{capital(question.first.title)} is given features of edges and distances, {question.second.title} is not"
    plain = found.without_edge_features
    return f"{more}; without them, {_compared(plain, found.summary)}" if plain else f"{more}."


def _compared(pair: JudgedPair, summary: Summary) -> str:
    """A pair as a sentence: by how much, how certain, at what cost."""
    difference, measure, kind = pair.difference, summary.measure, pair.finding
    if kind == "worse":
        return _compared(pair.reversed(), summary)
    first, second, left_out = pair.first, pair.second, _left_out(pair.left_out)
    by = f"{number(difference.mean)} {measure}{_reach(difference)}"
    if kind == "equal":
        two = f"{first.title} and {second.title}, {_alike(difference, summary)}"
        cost = _cost("; the first comes at", first, second)
        return f"no difference larger than {summary.rope:g} {measure} between {two}{cost}{left_out}."
    if kind == "open":
        why = undecided(difference, pair.p, pair.family)
        chances = f"{_chances(difference, summary)}{'; ' if why else ''}{why}"
        return f"{first.title} minus {second.title} is {by}: {chances}{_cost('; the first comes at', first, second)}{left_out}."
    fixed, adjusted = "not adjusted: fixed before the fits", f"after Holm over {count(pair.family, 'comparison')}"
    p = f"p {significance(pair.p)}, {adjusted if pair.family else fixed}"
    return f"{first.title} beats {second.title} by {by}{_cost(' at', first, second)} ({p}){left_out}."


def _alike(difference: PairedDifference, summary: Summary) -> str:
    """How certain it is that there is no difference."""
    low, high = difference.interval.low, difference.interval.high
    if low == high == 0:
        return f"the same score on each of {count(difference.resamplings, summary.unit)}"
    return f"probability {probability(difference.equal)} ({number(difference.mean)}{_reach(difference)})"


def _chances(difference: PairedDifference, summary: Summary) -> str:
    if difference.resamplings < FEWEST:
        return f"{count(difference.resamplings, summary.unit)} cannot tell"
    better, equal, worse = (probability(each) for each in (difference.better, difference.equal, difference.worse))
    if summary.rope == 0:
        return f"better with probability {better}, worse with {worse}"
    return (
        f"better by more than {summary.rope:g} with probability {better}, worse by more with {worse}, "
        f"equal in practice with {equal}"
    )


def _cost(words: str, first: ConfigurationScores, second: ConfigurationScores) -> str:
    figures = {"time per epoch": "seconds_per_epoch", "memory": "peak_mib"}
    found = {name: times(first.median(each), second.median(each)) for name, each in figures.items()}
    parts = [f"{factor} {name}" for name, factor in found.items() if factor]
    return f"{words} {listed(parts)}" if parts else ""


def _between(found: Interval) -> str:
    known = np.isfinite(found.low)
    return f"[{number(found.low)}, {number(found.high)}]" if known else "[no interval from one resampling]"


def _reach(difference: PairedDifference) -> str:
    """The interval behind a mean; nothing where too few resamplings would make it as wide as it is useless."""
    return f" {_between(difference.interval)}" if difference.resamplings >= FEWEST else ""


def _left_out(places: int) -> str:
    return f" (without {count(places, 'place')} where a fit has no score)" if places else ""


def _baselines(found: Findings) -> str:
    """The best network against each baseline; that a baseline is as good comes before anything else about them."""
    network, pairs = found.reference, [pair for pair in found.against if pair.second.role == "baseline"]
    if network is None or not pairs:
        return ""
    groups: dict[Finding, list[str]] = {"worse": [], "equal": [], "open": [], "better": []}
    for pair in pairs:
        turned = pair.difference.reversed() if pair.finding == "worse" else pair.difference
        by = f"{number(turned.mean)}{_reach(turned)}"
        why = undecided(pair.difference, pair.p, pair.family)
        inside = f"({by}{'; ' if why else ''}{why})"
        words = f"by {by}" if pair.finding in ("worse", "better") else inside
        groups[pair.finding].append(f"{pair.second.title} {words}")
    alarms = {"worse": "A baseline is better than", "equal": "A baseline is as good as"}
    first = next((f"{alarms[kind]} the best network: " for kind in ("worse", "equal") if groups[kind]), "")
    parts = [f"{VERBS[kind]} {listed(titles)}" for kind, titles in groups.items() if titles]
    best = (
        f"{network.title}, the best network by validation score ({number(network.score.mean)} {found.summary.measure}),"
    )
    return f"{first}{best if first else capital(best)} {listed(parts)}."


def _edges(found: Findings) -> str:
    pair = found.edges
    if pair is None:
        return ""
    begun = {
        "better": "Message passing helps",
        "equal": "Message passing does not help",
        "worse": "Message passing harms",
        "open": "It is not decided whether message passing helps",
    }[pair.finding]
    return f"{begun}: {_compared(pair, found.summary)}"


def _effect(effect: Effect, summary: Summary) -> str:
    other = titles.topology if effect.kind == "layer" else titles.layer
    over = [other(each) for each in effect.over]
    alone = "on" if effect.kind == "layer" else "with"
    averaged = f", {alone if len(over) == 1 else 'on average over'} {listed(over)}"
    where = "" if effect.kind == "interaction" else averaged
    difference, kind = effect.difference, finding(effect.difference, effect.p_holm)
    by = f"{number(difference.mean)}{_reach(difference)}"
    why = undecided(difference, effect.p_holm, sum(each.kind == effect.kind for each in summary.effects))
    tested = f" ({why or f'p {significance(effect.p_holm)} after Holm'})"
    few = difference.resamplings < FEWEST
    decides = f" by {count(difference.resamplings, summary.unit)}" if few else ""
    words = {
        "equal": f"no difference larger than {summary.rope:g}, {_alike(difference, summary)}{where}",
        "open": f"not decided{decides}, {by}{where}{'' if few else tested}",
    }.get(kind, f"{kind}, {by}{where}{tested}")
    return f"{capital(contrast(effect))}: {words}{_left_out(effect.left_out)}."


def _alarm(found: Findings) -> str:
    parts = []
    for control, outside in found.outside:
        worst = max(outside, key=_distance)
        reached = f"with permuted labels {control.title} reached {number(worst.score or 0.0)} {found.summary.measure}"
        fits = _of(len(outside), len(bounded(control)))
        parts.append(f"{reached}, outside the bound for chance of {_bound([worst])}, in {fits}")
    cause = "Chance does that to one such fit in 10,000; look for labels that leak, or for parts that share rows"
    return f"DO NOT BELIEVE THESE SCORES YET: {'; '.join(parts)}. {cause}." if parts else ""


def _control(control: ConfigurationScores, measure: str) -> str:
    name = capital(f"{control.title}, labels permuted:")
    if not control.fits:
        return f"{name} every fit failed."
    fits = bounded(control)
    mean = " on average" if len(control.fits) > 1 else ""
    failed = f" ({count(len(control.failed), 'fit')} failed)" if control.failed else ""
    reached = f"{name} {number(control.score.mean)} {measure}{mean}{failed}"
    if not fits:
        return f"{reached}; no bound for chance was written down."
    lowest = RANGES.get(measure, (0.0, 1.0))[0]
    if all(low <= lowest and high >= 1 for low, high in (record.chance for record in fits)):
        return f"{reached}; the test parts are too small for a bound for chance, so that this control says nothing."
    inside, bound = sum(within(record) for record in fits), f"the bound for chance ({_bound(fits)})"
    if inside == len(fits):
        return f"{reached}, within {bound} in {_of(inside, len(fits))}."
    outside = _of(len(fits) - inside, len(fits))
    return f"{reached}, OUTSIDE {bound} in {outside}: look for labels that leak before you believe the other scores."


def _distance(record: FitRecord) -> float:
    """How far a score is from its bound."""
    low, high = record.chance
    return max(low - (record.score or 0.0), (record.score or 0.0) - high)


def _bound(records: Sequence[FitRecord]) -> str:
    """The bounds of some fits; where test parts differ, the widest."""
    low, high = min(record.chance[0] for record in records), max(record.chance[1] for record in records)
    many = len({tuple(record.chance) for record in records}) > 1
    words = f"up to {high:.3f}" if low == -np.inf else f"{low:.3f} to {high:.3f}"
    return f"{words} at the widest" if many else words


def _of(some: int, fits: int) -> str:
    return f"{some} of {count(fits, 'fit')}" if some < fits else "its one fit" if fits == 1 else f"all {fits} fits"


def _cautions(found: Findings) -> Iterable[str]:
    fewest, most = found.fits_of_networks
    yield from filter(None, [_splits(found)])
    if fewest < most:
        yield f"The comparison is not finished: there are {fewest} to {most} fits of each network."
    yield from filter(None, [_failed(found.summary)])
    if found.settings_differ:
        yield "Settings were not the same for all fits; the protocol says which."
    if found.sizes_apart:
        low, high = found.sizes_apart
        yield f"Parameter counts are not within {100 * APART:.0f} % of each other: {low:,.0f} to {high:,.0f}."
    yield from filter(None, [_epochs(found)])
    if found.untuned:
        yield "Nothing was tuned: one learning rate, weight decay and dropout for all may suit some layers better than others."
    if found.smaller_batches:
        yield f"{count(found.smaller_batches, 'fit')} ran out of memory and used smaller batches."


def _splits(found: Findings) -> str:
    if found.summary.unit == "seed" and found.repeats < 2:
        return "There is one split and one seed only: nothing is known about other splits or seeds, and nothing is decided."
    if found.summary.unit == "seed":
        return "There is one split only: intervals are over seeds and say nothing about other splits."
    if found.repeats < FEWEST:
        return f"Only {count(found.repeats, 'split')}: nothing is decided."
    few = f"Only {found.repeats} splits: intervals are wide, and little can be decided."
    return few if found.repeats < FEW_SPLITS else ""


def _failed(summary: Summary) -> str:
    rows = [*summary.rows, *summary.controls]
    failed = {row.name: len(row.failed) for row in rows if row.failed}
    tried = sum(failed.values()) + sum(len(row.fits) for row in rows)
    where = listed([f"{fits} of {name}" for name, fits in failed.items()]) if failed else ""
    words = (
        f"{sum(failed.values())} of {count(tried, 'fit')} failed ({where}); pairs leave out what one of the two lacks."
    )
    return words if failed else ""


def _epochs(found: Findings) -> str:
    fits = [record for record in found.fits if record.epochs and "epochs" in record.fit.settings]
    last = sum(map(found.ended_early, fits))
    if last <= STILL_BETTER * len(fits):
        return ""
    mostly = [row.title for row in found.summary.models if 2 * sum(map(found.ended_early, row.fits)) > len(row.fits)]
    words = f"{last} of {count(len(fits), 'fit')} were best at the last epoch they were allowed: more may help"
    return f"{words} {listed(mostly)}." if mostly else f"{words}."
