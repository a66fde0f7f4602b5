"""The verdict in words: does attention help here, or would a GCN do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from graphattn.comparison import wording
from graphattn.comparison.cautions import cautions
from graphattn.comparison.controls import alarm, controlled
from graphattn.comparison.effects import Effect
from graphattn.comparison.phrases import alike, best, compared, named, without
from graphattn.comparison.rivals import against, at_the_top, but, hearing, learned_nothing, nothing
from graphattn.comparison.rows import Row
from graphattn.comparison.summary import Pair, Summary

ATTENTION = ("attention", "edge_attention", "gat", "gatv2")
"""Layers that weigh senders by what they say."""
TOLD = "edge_attention"
"""The layer that is told more than the others: what pairs of nodes are."""


@final
@dataclass(frozen=True)
class Verdict:
    """What was found, in sentences.

    Args:
        alarm: why nothing below may be believed, if a control says so; else empty.
        headline: the answer in a few words.
        answer: the comparison behind it, with numbers.
        baselines: how the best network stands against what is cheap.
        hearing: whether it helps that nodes hear each other, if there is a network in which none does.
        effects: main effects of layers and topologies, a sentence each.
        controls: what permuted labels gave.
        cautions: what a reader has to bear in mind.
    """

    alarm: str
    headline: str
    answer: str
    baselines: str
    hearing: str
    effects: tuple[str, ...]
    controls: tuple[str, ...]
    cautions: tuple[str, ...]

    def __str__(self) -> str:
        first = " ".join(part for part in (self.headline, self.answer, self.baselines, self.hearing) if part)
        parts = (self.alarm, first, " ".join(self.effects), " ".join(self.controls), " ".join(self.cautions))
        return "\n\n".join(part for part in parts if part)


def verdict(summary: Summary) -> str:
    """What was found, as text: the answer first, then baselines, effects, controls and cautions.

    >>> from graphattn.comparison.record import Fit, FitRecord
    >>> from graphattn.comparison.summary import summary
    >>> def fit(layer, split, score):
    ...     what = Fit("made up", layer, "edges", split, seed=0)
    ...     return FitRecord(what, "ok", "accuracy", score=score, train_size=80, test_size=10, seconds_per_epoch=1.0)
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
        alarm(summary),
        headline,
        answer,
        _baselines(summary),
        hearing(summary),
        tuple(_effect(effect, summary) for effect in summary.effects),
        tuple(wording.capital(sentence) for sentence in controlled(summary)),
        tuple(cautions(summary)),
    )


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
    both = [next(row for row in summary.rows if row.name == name) for name in (asked.first, asked.second)]
    if learned_nothing(both, summary):
        top = both[0] if asked.difference.mean >= 0 else both[1]
        return f"Neither is shown to beat guessing{but(top, both, summary)}.", nothing(both, summary)
    found = wording.finding(asked.difference)
    top = both[1] if found == "worse" or (found == "open" and asked.difference.mean < 0) else both[0]
    chosen = "Both are the best of their kind by validation score." if len(summary.models) > 2 else ""
    easy = at_the_top(both, summary) if found == "equal" else ""
    text = (wording.capital(compared(asked, summary)), easy, chosen, _without_edge_terms(both, summary))
    headline = f"{_headline(both, found, summary.unit == 'seed')}{but(top, both, summary)}."
    return wording.capital(headline), " ".join(filter(None, text))


def _without_edge_terms(both: Sequence[Row], summary: Summary) -> str:
    """That the attention that is compared was told more than the other layer, and what it is without that."""
    first, second = both
    if first.layer != TOLD or second.layer == TOLD:
        return ""
    more = (
        f"{wording.capital(named(first))} is told what pairs are (features of edges, distances), {named(second)} is not"
    )
    plain = best(row for row in summary.models if row.layer in ATTENTION and row.layer != TOLD)
    rest = f"; without that, {compared(summary.pair(plain.name, second.name), summary)}" if plain else "."
    return f"{more}{rest}"


def _headline(both: Sequence[Row], found: wording.Finding, one_split: bool) -> str:
    first, second = both
    here, only = ("on this one split", " on this one split") if one_split else ("here", "")
    if first.layer in ATTENTION and second.layer not in ATTENTION:
        other = f"A {wording.layer(second.layer)}" if second.layer == "gcn" else wording.layer(second.layer)
        attention = wording.layer(first.layer if first.layer == TOLD else "attention")
        answers = {"better": f"{attention} helps {here}", "worse": f"{other} does better {here}"}
        answers |= {"equal": f"{other} would do{only}"}
    else:
        answers = {"better": f"{named(first)} is best{only}", "worse": f"{named(second)} is best{only}"}
        answers |= {"equal": f"No difference that matters{only}"}
    return answers.get(found, "Not decided")


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
    findings = against(network, summary.baselines, summary)
    for row in summary.baselines:
        difference, found = summary.pair(network.name, row.name).difference, findings[row.name]
        turned = difference.reversed() if found == "worse" else difference
        by = f"{wording.number(turned.mean)}{wording.reach(turned)}"
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
    difference, found = effect.difference, wording.finding(effect.difference, effect.p_holm)
    by = f"{wording.number(difference.mean)}{wording.reach(difference)}"
    tested = f" (p {wording.significance(effect.p_holm)} after Holm)"
    few = (
        f" by {wording.count(difference.resamplings, summary.unit)}" if difference.resamplings < wording.FEWEST else ""
    )
    said = {
        "equal": f"no difference larger than {summary.rope:g}, {alike(difference, summary)}{where}",
        "open": f"not decided{few}, {by}{where}{'' if few else tested}",
    }.get(found, f"{found}, {by}{where}{tested}")
    return f"{wording.capital(changed(effect))}: {said}{without(effect.left_out)}."


def changed(effect: Effect) -> str:
    """What an effect is of, such as "attention instead of GCN"."""
    name, other = (wording.layer, wording.topology) if effect.kind == "layer" else (wording.topology, wording.layer)
    first, second = name(effect.first), name(effect.second)
    if effect.kind == "interaction":
        ours, theirs = (other(each) for each in effect.over)
        return f"{ours} instead of {theirs}, on {first} more than on {second}"
    return f"{first} instead of {second}"
