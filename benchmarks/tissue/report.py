"""The table of the records on glands, and what it says by the paired test of `graphattn compare`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphattn.json_lines import JsonLines
from graphattn.models import TISSUE_MODELS
from graphattn.training.statistics import interval, paired

TEST, SIZES = 130, (260, 390)
CONTROL = "attention_mil"
BARS = {260: (93.3, 1.0), 390: (95.4, 1.1)}
"""Accuracy in percent of logistic regression on mean, spread and spacing, and its deviation over folds, measured before."""

Folds = Mapping[str, Mapping[int, Mapping[str, float]]]
"""By model and fold the mean over seeds of each figure."""


def by_fold(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, dict[str, float]]]:
    """Means over the seeds of each fold, which are no new data."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for name, fold in sorted({(record["model"], record["fold"]) for record in records}):
        here = [record for record in records if (record["model"], record["fold"]) == (name, fold)]
        figures = {
            figure: float(np.mean([record[figure] for record in here]))
            for figure, value in here[0].items()
            if isinstance(value, (int, float)) and figure not in ("fold", "seed")
        }
        found.setdefault(name, {})[fold] = {**figures, "seeds": len({record["seed"] for record in here})}
    return found


def table(records: Path) -> str:
    """Rows of all models, and sentences."""
    folds = by_fold(JsonLines(records, dict).values)
    if not folds:
        return "no records"
    networks = [name for name in folds if name in TISSUE_MODELS]
    names = sorted(folds, key=lambda name: (name not in networks, -_mean(folds[name], "accuracy_260")))
    head = "| model | 260 to train | its interval | 390 to train | its interval | validation | epochs | folds, seeds |"
    lines = [head, "|---|---|---|---|---|---|---|---|", *(_row(name, folds[name]) for name in names), ""]
    return "\n".join([*lines, *_sentences(folds, networks)])


def _mean(folds: Mapping[int, Mapping[str, float]], figure: str) -> float:
    return float(np.mean([figures[figure] for figures in folds.values()]))


def _scores(folds: Mapping[int, Mapping[str, float]], train: int) -> np.ndarray:
    return 100 * np.array([figures[f"accuracy_{train}"] for _, figures in sorted(folds.items())])


def _row(name: str, folds: Mapping[int, Mapping[str, float]]) -> str:
    cells = [name]
    for train in SIZES:
        scores = _scores(folds, train)
        mean, low, high = interval(scores, TEST / train)
        cells += [f"{mean:.1f} +- {scores.std(ddof=1):.1f}" if len(scores) > 1 else f"{mean:.1f}"]
        cells += [f"{low:.1f} to {min(high, 100):.1f}"]
    epochs = [figures["epochs"] for figures in folds.values() if "epochs" in figures]
    cells += [f"{100 * _mean(folds, 'validation'):.1f}", f"{np.mean(epochs):.0f}" if epochs else ""]
    return "| " + " | ".join([*cells, f"{len(folds)}, {_mean(folds, 'seeds'):.0f}"]) + " |"


def _sentences(folds: Folds, networks: Sequence[str]) -> list[str]:
    if not networks:
        return []
    baselines = [name for name in folds if name not in networks]
    best, baseline = (
        max(names, key=lambda name: _mean(folds[name], "validation"), default="") for names in (networks, baselines)
    )
    found = [f"Best by validation: {best} of the networks{f', {baseline} of the baselines' if baseline else ''}."]
    for train in SIZES:
        bar, deviation = BARS[train]
        score = float(_scores(folds[best], train).mean())
        word = "reached" if score >= bar - deviation else "missed"
        found.append(f"Bar {bar} +- {deviation} with {train}: {word} by {best} with {score:.1f}.")
        if baseline:
            found.append(_against(folds, best, baseline, train))
        if CONTROL in folds:
            found += [_against(folds, name, CONTROL, train) for name in networks if name != CONTROL]
    return found


def _against(folds: Folds, first: str, second: str, train: int) -> str:
    """The paired difference of two models over the folds that both have, as `graphattn compare` judges it."""
    both = sorted(set(folds[first]) & set(folds[second]))
    scores = [[folds[name][fold][f"accuracy_{train}"] for fold in both] for name in (first, second)]
    found = paired(np.subtract(*scores), TEST / train)
    mean, low, high = (100 * each for each in found.interval)
    verdict = "better" if found.p < 0.05 and mean > 0 else "worse" if found.p < 0.05 else "not shown to differ"
    return f"{first} against {second}, {train} to train: {mean:+.1f} ({low:+.1f} to {high:+.1f}), p = {found.p:.2f}: {verdict}."
