"""solubility, three classes: repeated cross-validation on the given training part; the given test part, once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.molecules import report
from benchmarks.molecules.model import OURS, SECONDS, Model, Problem
from benchmarks.records import Results, provenance
from graphattn.data.molecules import embedded
from graphattn.data.splits import Split, from_column

CLASSES = ("low", "medium", "high")
SCORES = ("accuracy", "macro_roc_auc")
KEYS = ("repeat", "fold")
FOLDS = 5
RESAMPLES = 2000


def results(folder: Path) -> Results:
    """The rows of the cross-validation."""
    return Results(folder / "solubility.csv", ("model", *KEYS), (*SCORES, *SECONDS))


def opened(folder: Path) -> Results:
    """The predictions of the test part: one row per model and molecule."""
    return Results(folder / "solubility_test.csv", ("model", "molecule"), ("label", *CLASSES, *SECONDS))


def problem() -> tuple[Problem, Split]:
    """All molecules with their class, and the given split."""
    frame = embedded.load("solubility").frame
    labels = np.array([CLASSES.index(word) for word in frame["solubility"]], dtype=np.int64)
    return Problem(frame["smiles"].tolist(), labels), from_column(frame["split"])


def folds(molecules: Problem, repeats: int) -> Iterator[tuple[int, int, Split]]:
    """Repeat, fold and its split, stratified by class; equal molecules stay in one fold."""
    for repeat in range(repeats):
        rule = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=repeat)
        for fold, (train, test) in enumerate(rule.split(molecules.smiles, molecules.labels, molecules.smiles)):
            yield repeat, fold, Split(train, np.empty(0, dtype=np.int64), test)


def run(models: Mapping[str, Model], repeats: int, folder: Path) -> None:
    """Cross-validates each model on the given training part, but for what `folder` has. The test part is not read."""
    everything, given = problem()
    molecules = Problem([everything.smiles[i] for i in given.train], everything.labels[given.train])
    rows = results(folder)
    for repeat, fold, split in folds(molecules, repeats):
        for name, model in models.items():
            key = {"model": name, "repeat": repeat, "fold": fold}
            if not rows.has(**key):
                outcome = model(molecules, split, FOLDS * repeat + fold)
                scores = dict(zip(SCORES, score(molecules.labels[split.test], outcome.test), strict=True))
                rows.append(key | scores | outcome.seconds() | provenance(outcome.versions))
                print(rows.frame()[["model", *KEYS, *SCORES, *SECONDS]].tail(1).to_string(header=False), flush=True)


def open_test(models: Mapping[str, Model], folder: Path) -> None:
    """Trains on the whole training part and keeps the predictions of the test part; never twice for a model."""
    molecules, given = problem()
    rows = opened(folder)
    for name, model in models.items():
        if not rows.has(model=name):
            outcome = model(molecules, given, 0)
            shared = {"model": name} | outcome.seconds() | provenance(outcome.versions)
            for molecule, probabilities in zip(given.test, outcome.test, strict=True):
                found = dict(zip(CLASSES, map(float, probabilities), strict=True))
                rows.append(shared | {"molecule": molecule, "label": molecules.labels[molecule]} | found)


def score(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> tuple[float, float]:
    """Accuracy and macro one-vs-rest ROC-AUC; the latter is NaN when a class has no molecule.

    >>> score(np.array([0, 1, 2]), np.eye(3))
    (1.0, 1.0)
    """
    accuracy = float(accuracy_score(labels, probabilities.argmax(1)))
    if len(np.unique(labels)) < len(CLASSES):
        return accuracy, float("nan")
    return accuracy, float(roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"))


def tables(folder: Path) -> str:
    """All tables of what has been measured so far, in Markdown; empty before the first row."""
    frame, parts = results(folder).frame(), []
    if len(frame):
        title = (
            f"### solubility, training part, stratified {FOLDS}-fold cross-validation: mean ± deviation over the folds"
        )
        parts += [title, report.markdown(report.summary(frame, SCORES, SECONDS))]
    for name in SCORES:
        differences = report.paired(frame, KEYS, name, OURS)
        if len(differences):
            parts += [f"Differences of {name}, paired by fold", report.markdown(differences)]
    found = opened(folder).frame()
    if len(found):
        parts += ["### solubility, given test part, opened once: 95 % interval by bootstrap over molecules"]
        parts += [report.markdown(opened_table(found))]
    return "\n\n".join([*parts, ""])


def opened_table(found: pd.DataFrame) -> pd.DataFrame:
    """Scores of each model on the test part, each with the interval of 2,000 resamples (the same for all models)."""
    lines = []
    for name, group in found.groupby("model", sort=False):
        labels, probabilities = group["label"].to_numpy(), group[list(CLASSES)].to_numpy(np.float64)
        generator = np.random.default_rng(0)
        samples = [generator.integers(len(labels), size=len(labels)) for _ in range(RESAMPLES)]
        drawn = np.array([score(labels[sample], probabilities[sample]) for sample in samples])
        line: dict[str, object] = {"model": name, "molecules": len(labels)}
        for column, (title, value) in enumerate(zip(SCORES, score(labels, probabilities), strict=True)):
            low, high = report.bootstrap(drawn[:, column])
            line |= {title: f"{value:.3f} [{low:.3f}, {high:.3f}]"}
        lines.append(line | {"train_wall_s": f"{group['train_wall_s'].iloc[0]:.1f}"})
    return pd.DataFrame(lines)
