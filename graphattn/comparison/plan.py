"""All fits of a comparison, before the first is done: each layer on each graph on each part, baselines and controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphattn.comparison.fits.baselines import baselines
from graphattn.comparison.fits.fitting import FitOrder
from graphattn.comparison.fits.networks import matched
from graphattn.comparison.fits.scoring import chance
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.record import Fit
from graphattn.comparison.settings import Settings
from graphattn.comparison.splitting import data_hash, part_labels, parts, relabelled, rule_of, split_hash
from graphattn.data.splits import Split
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.whole import Architecture, NamedModel, architecture, architectures
from graphattn.reports.numbers import count, listed


class ComparisonPlan(NamedTuple):
    """Fits in their order, and in words what is equal for all of them and what a reader has to know."""

    orders: list[FitOrder]
    notes: list[str]


def plan(problem: Problem, layers: Sequence[str], topologies: Sequence[str], settings: Settings) -> ComparisonPlan:
    """What is to be fitted. The parts are the outer loop, so that a run that is stopped has compared all layers on some of them.

    Args:
        problem: what is learned.
        layers, topologies: names; see :func:`~graphattn.models.by_name.whole.architectures`.
        settings: what is equal for all.

    Raises:
        ValueError: unknown names; too few rows for the parts; a size that cannot be matched.
    """
    chosen = architectures(layers, topologies)
    rule = rule_of(problem, settings.split)
    divisions = parts(problem, rule, settings.repeats, settings.seed, settings.fractions)
    reference = Size(settings.width, settings.hidden, settings.depth, settings.heads, settings.dropout)
    sizes = matched(problem, chosen, reference)
    seeds = settings.seeds or (math.ceil(settings.repeats / len(divisions)) if rule == "given" else 1)
    controls = _controls(chosen) if settings.controls else []
    equal = settings.of_fits() | {"reference": f"{_reference(chosen).layer} on {_reference(chosen).topology}"}
    orders = []
    digest = data_hash(problem)
    for number, split in enumerate(divisions):
        made = _Maker(problem.name, number, split, split_hash(split), digest, equal)
        for each in range(seeds):
            seed = settings.seed + number * seeds + each
            # A forest differs by seed; what else is cheap is repeated where seeds are all that is repeated.
            if each == 0 or len(divisions) == 1:
                orders += [made.order(name, "", seed, "baseline") for name in baselines(problem)]
            orders += [made.order(*configuration, seed, "model", sizes[configuration]) for configuration in chosen]
            orders += [made.order(*configuration, seed, "permuted", sizes[configuration]) for configuration in controls]
    return ComparisonPlan(orders, _notes(problem, rule, divisions, seeds, settings, orders))


class _Maker(NamedTuple):
    """Orders on one division of the data."""

    problem: str
    number: int
    split: Split
    split_hash: str
    data_hash: str
    settings: Mapping[str, Any]

    def order(self, layer: str, topology: str, seed: int, role: Any, size: Size | None = None) -> FitOrder:
        fit = Fit(
            self.problem, layer, topology, self.number, seed, role, self.split_hash, self.data_hash, dict(self.settings)
        )
        return FitOrder(fit, self.split, None if size is None else architecture(layer, topology), size)


def _reference(chosen: Sequence[Architecture]) -> Architecture:
    return next((configuration for configuration in chosen if configuration.layer == "attention"), chosen[0])


def _controls(chosen: Sequence[Architecture]) -> list[Architecture]:
    """The first graph of each layer."""
    first: dict[str, Architecture] = {}
    for configuration in chosen:
        first.setdefault(configuration.layer, configuration)
    return list(first.values())


def _notes(
    problem: Problem, rule: str, divisions: Sequence[Split], seeds: int, settings: Settings, orders: Sequence[FitOrder]
) -> list[str]:
    """The protocol in words, with the bound for chance, before any fit."""
    train, validation, test = map(len, part_labels(problem, divisions[0]))
    what = "nodes" if problem.level == "node" else "graphs"
    splits, fits = count(len(divisions), "split"), count(seeds, "fit")
    chosen = f"Training: {train:,} {what}; validation, which chooses the epoch: {validation:,}"
    chosen += f"; test, evaluated once in each fit: {test:,}."
    equal = "Equal for all layers: encoder, blocks with norms and token-wise networks, readout, parameters within 5 %, AdamW"
    notes = [
        *problem.notes,
        f"{splits} of the data ({rule}), {fits} of each layer on each. {chosen}",
        f"{equal}, {_budget(settings)}.",
        "Baselines are fitted once on each split; where they have a setting, the validation part chooses it.",
    ]
    if whole := sorted({order.fit.layer for order in orders if isinstance(order.configuration, NamedModel)}):
        notes.append(
            f"{listed(whole)}: whole models with blocks, norms and readout of their own, of the width whose number of parameters "
            "is nearest; their operations are not counted."
        )
    if problem.transductive:
        notes.append("One graph: all its nodes exchange messages, labels outside the training part are masked.")
    control = next((order for order in orders if order.fit.role == "permuted"), None)
    if control is not None:
        labels = part_labels(relabelled(problem, control.split, control.fit.seed), control.split)[2]
        low, high = chance(problem.target, labels)
        notes.append(
            f"Labels permuted in all parts: written down before any fit, chance lies between {low:.3f} and {high:.3f} "
            f"{problem.measure} on the first test part, 9,999 times of 10,000."
            + (" This part is too small for such a control to say anything." if low <= 0 and high >= 1 else "")
        )
    return notes


def _budget(settings: Settings) -> str:
    """In words.

    >>> _budget(Settings(trials=3))
    'at most 60 epochs, patience 10, batches of 64, learning rate 0.002 as the first of 3 trials of tuning'
    """
    rate = f"learning rate {settings.learning_rate:g}"
    tuned = f"{rate} as the first of {settings.trials} trials of tuning" if settings.trials else f"{rate}, no tuning"
    return f"at most {settings.epochs} epochs, patience {settings.patience}, batches of {settings.batch_size}, {tuned}"
