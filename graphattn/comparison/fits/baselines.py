"""Cheap baselines: majority class, pooled features, fingerprints, concatenated node features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from graphattn.comparison.fits.process import seconds as clock
from graphattn.comparison.fits.scoring import recorded, score
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.settings import Settings
from graphattn.comparison.splitting import label_rows
from graphattn.data.molecules.fingerprints import count_fingerprints
from graphattn.data.splits import Split
from graphattn.training.plain_models import STRENGTHS, filled, forest, linear_model, outputs_of

MARGINS = (0.1, 1.0, 10.0)

Floats = NDArray[np.float64]


class Baseline(NamedTuple):
    """Features of all rows, and estimators of which the validation part chooses one, by the setting they differ in."""

    features: Callable[[Problem], Floats]
    make: Callable[[Settings, bool, int, float], Any]
    grid: tuple[float, ...] = (0.0,)
    setting: str = ""


class Reached(NamedTuple):
    """Scores of a baseline, chosen setting, seconds of fitting, rows predicted per second, predictions as they are recorded."""

    score: float
    validation: float
    chosen: dict[str, float]
    seconds: float
    rows_per_second: float
    predictions: dict[str, list[float]]


def pooled(problem: Problem) -> Floats:
    """Node content, not structure: mean and sum of the node features of each graph; of a node its own features.

    Categories are counted, and so are missing numbers.

    >>> from torch_geometric.data import Data
    >>> graph = Data(x=torch.tensor([[1.0], [3.0]]), y=torch.tensor([0]))
    >>> pooled(Problem("one", [graph, Data(x=torch.ones(1, 1), y=torch.tensor([1]))], "binary", ("a", "b"))).tolist()
    [[2.0, 4.0], [1.0, 1.0]]
    """
    nodes = _numbers([graph["x"] for graph in problem.graphs])
    if problem.level == "node":
        return nodes
    ends = np.cumsum([len(graph["x"]) for graph in problem.graphs])[:-1]
    each = np.split(nodes, ends)
    sums = np.stack([np.nansum(graph, 0) for graph in each])
    there = np.stack([np.isfinite(graph).sum(0) for graph in each])
    return np.hstack([sums / np.maximum(1, there), sums])


def side_by_side(problem: Problem) -> Floats:
    """The features of all nodes of a graph, one behind the other, where all graphs have as many nodes."""
    count = len(problem.graphs[0]["x"])
    return (
        _numbers([graph["x"] for graph in problem.graphs])
        .reshape(len(problem.graphs), count, -1)
        .reshape(len(problem.graphs), -1)
    )


def counts(problem: Problem) -> Floats:
    """Count ECFP4 of the molecules, see :func:`~graphattn.data.molecules.fingerprints.count_fingerprints`."""
    molecules = [Chem.MolFromSmiles(smiles) for smiles in problem.smiles or ()]
    return count_fingerprints(molecules).astype(np.float64)


def _numbers(features: Sequence[torch.Tensor]) -> Floats:
    """Numbers as they are, categories as columns of 0 and 1."""
    x = torch.cat([each.reshape(len(each), -1) for each in features])
    if x.is_floating_point():
        missing = x.isnan()
        # Of a graph's missing numbers the share and the number, of nodes whether.
        return torch.cat([x, missing[:, missing.any(0)]], dim=1).double().numpy()
    columns = [torch.nn.functional.one_hot(column - column.min()) for column in x.long().T]
    return torch.cat(columns, dim=1).double().numpy()


def _majority(settings: Settings, values: bool, seed: int, setting: float) -> Any:
    return DummyRegressor() if values else DummyClassifier(strategy="prior")


def _linear(settings: Settings, values: bool, seed: int, setting: float) -> Any:
    return linear_model(values, setting)


def _forest(settings: Settings, values: bool, seed: int, setting: float) -> Any:
    return forest(values, settings.trees, seed)


def _machine(settings: Settings, values: bool, seed: int, setting: float) -> Any:
    return (
        make_pipeline(filled(), StandardScaler(), SVR(C=setting))
        if values
        else make_pipeline(filled(), StandardScaler(), SVC(C=setting))
    )


def baselines(problem: Problem) -> dict[str, Baseline]:
    """Those that a problem allows, by name.

    >>> from graphattn.data.generated import xor
    >>> for graph in (graphs := xor()):
    ...     graph.x = graph.token[:, None]
    >>> list(baselines(Problem("xor", graphs, "binary", ("0", "1"))))
    ['majority', 'logistic regression', 'SVC']
    """
    values = problem.target == "regression"
    found = {"mean" if values else "majority": Baseline(_nothing, _majority)}
    if problem.smiles is not None and problem.level == "graph":
        found["random forest"] = Baseline(counts, _forest)
    found["ridge" if values else "logistic regression"] = Baseline(pooled, _linear, STRENGTHS, "C")
    if (
        problem.level == "graph"
        and len(problem.graphs[0]["x"]) > 1
        and len({len(graph["x"]) for graph in problem.graphs}) == 1
    ):
        found["SVR" if values else "SVC"] = Baseline(side_by_side, _machine, MARGINS, "C")
    for name in problem.tables:
        features = partial(_table, name)
        found[f"{'ridge' if values else 'logistic regression'} on {name}"] = Baseline(features, _linear, STRENGTHS, "C")
        found[f"forest on {name}"] = Baseline(features, _forest)
    return found


def _table(name: str, problem: Problem) -> Floats:
    return problem.tables[name]


def _nothing(problem: Problem) -> Floats:
    return np.zeros((len(problem.labels()), 1))


def reached(problem: Problem, name: str, split: Split, settings: Settings, seed: int) -> Reached:
    """Fits a baseline on the training part; where it has a setting, the validation part chooses it.

    Raises:
        ValueError: one class in the training part, or a baseline that this problem has not.
    """
    known = baselines(problem)
    if name not in known:
        raise ValueError(f"expected a baseline among {', '.join(known)}, got {name!r}")
    kind, values, started = known[name], problem.target == "regression", clock()
    features, labels = kind.features(problem), problem.labels()
    train, validation, test = (label_rows(problem, part) for part in split)
    best, chosen, fitted = -np.inf, kind.grid[0], None
    for setting in kind.grid:
        model = kind.make(settings, values, seed, setting).fit(features[train], _as(labels[train], values))
        found = score(
            problem.target, labels[validation], outputs_of(model, features[validation], problem.outputs, values)
        )
        if fitted is None or found > best:
            best, chosen, fitted = found, setting, model
    seconds, before = clock() - started, clock()
    answers = outputs_of(fitted, features[test], problem.outputs, values)
    rate = len(test) / max(1e-9, clock() - before)
    tested = score(problem.target, labels[test], answers)
    predictions = recorded(problem.target, test, labels[test], answers)
    return Reached(tested, best, {kind.setting: chosen} if kind.setting else {}, seconds, rate, predictions)


def _as(labels: Floats, values: bool) -> NDArray[Any]:
    return labels if values else labels.astype(int)
