"""Baselines on glands: summaries of the features that networks have, by logistic regression and by a forest."""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.tissue.glands import FOLDS, SEEDS, Glands, clipped
from graphattn.data.tissue.composition import summaries
from graphattn.json_lines import finished

STRENGTHS = (0.1, 1.0, 10.0, 100.0)
LEAVES, TREES = (1, 5), 200


def _regression(strength: float, seed: int) -> Any:
    return make_pipeline(
        SimpleImputer(), StandardScaler(), LogisticRegression(C=strength, max_iter=5000, random_state=seed)
    )


def _forest(leaf: float, seed: int) -> Any:
    forest = RandomForestClassifier(TREES, min_samples_leaf=int(leaf), random_state=seed)
    return make_pipeline(SimpleImputer(), forest)


def of_baseline(
    name: str, make: Callable[[float, int], Any], grid: tuple[float, ...], glands: Glands, fold: int, seed: int
) -> dict[str, Any]:
    """Accuracy on the test part, of the setting that is best on the validation part, and of that fitted to both."""
    split, y = glands.split(fold), np.array([int(graph.y) for graph in glands.graphs])
    both = np.concatenate(split[:2])
    table, again = (summaries(clipped(glands.graphs, part))[name] for part in (split.train, both))
    fitted = [make(each, seed).fit(table[split.train], y[split.train]) for each in grid]
    validation = [float(each.score(table[split.validation], y[split.validation])) for each in fitted]
    best = int(np.argmax(validation))
    refitted = make(grid[best], seed).fit(again[both], y[both])
    return {
        "accuracy_260": float(fitted[best].score(table[split.test], y[split.test])),
        "accuracy_390": float(refitted.score(again[split.test], y[split.test])),
        "validation": validation[best],
        "setting": grid[best],
    }


def run(glands: Glands, records: Path, say: Callable[[str], None]) -> None:
    """All that the records do not have. A regression has one seed, as it draws nothing."""
    names = summaries(glands.graphs)
    for kind, make, grid, seeds in (
        ("logistic regression", _regression, STRENGTHS, 1),
        ("forest", _forest, LEAVES, SEEDS),
    ):
        for name, fold, seed in product(names, range(FOLDS), range(seeds)):
            key = {"model": f"{kind} on {name}", "fold": fold, "seed": seed}
            found = finished(records, key, partial(of_baseline, name, make, grid, glands, fold, seed))
            say(f"{key['model']}, fold {fold}: {found['accuracy_260']:.3f} and {found['accuracy_390']:.3f}")
