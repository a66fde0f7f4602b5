"""Cross-validation: as many models as folds, each tested on molecules that it has not seen, beside forests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from graphattn.data.molecules.prepare import Molecules
from graphattn.data.splits import Split
from graphattn.reports.numbers import mean_and_deviation, number
from graphattn.training.comparing import by_folds, judge_of
from graphattn.training.folder.checks import CHECKPOINTS
from graphattn.training.metrics import Figure, figures
from graphattn.training.molecules.judging import labels_of
from graphattn.training.telling import Say

Floats = NDArray[np.float64]
Predicted = Mapping[str, Floats]


class Learn(Protocol):
    """Trains on some parts in a folder, and returns the predictions for the test part by model, the own first."""

    def __call__(self, split: Split, folder: Path) -> Predicted: ...


def cross_validate(
    molecules: Molecules, splits: Sequence[Split], rule: str, out: Path, learn: Learn, say: Say
) -> dict[str, Any]:
    """Trains and tests on each fold, says the figures of all and how the models compare; returns them for ``model.json``.

    Each fold trains in a folder of its own among the checkpoints of ``out``, where an interrupted one is found again.
    """
    y = labels_of(molecules).astype(float)
    assert molecules.task is not None
    predictions = dict[str, list[Floats]]()
    for fold, split in enumerate(splits, start=1):
        found = learn(split, out / CHECKPOINTS / f"fold-{fold}")
        for name, each in found.items():
            predictions.setdefault(name, []).append(each)
        say(f"fold {fold} of {len(splits)}: {len(split.train):,} molecules trained on, {len(split.test):,} tested")
    truths = [y[split.test] for split in splits]
    values = {
        name: _by_measure(
            [figures(molecules.task, each, truth, resamples=1) for each, truth in zip(folds, truths, strict=True)]
        )
        for name, folds in predictions.items()
    }
    say(folds_table(values, f"{len(splits)} folds, split: {rule}; mean ± standard deviation over them"))
    record: dict[str, Any] = {"rule": rule, "tested": [len(split.test) for split in splits], "figures": values}
    if len(predictions) > 1:
        ratio = float(np.mean([len(split.test) for split in splits]) / np.mean([len(split.train) for split in splits]))
        record["compared"] = by_folds(judge_of(molecules.task), predictions, truths, ratio)
        say(record["compared"])
    return record


def folds_table(values: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> Table:
    """Figures of each fold and their mean and standard deviation, a column for each model, a section for each measure."""
    table = Table("", *values, title=title, title_justify="left")
    for measure, scores in next(iter(values.values())).items():
        table.add_section()
        for fold in range(len(scores)):
            table.add_row(f"{measure}, fold {fold + 1}", *(number(each[measure][fold]) for each in values.values()))
        table.add_row(f"{measure}, mean", *(mean_and_deviation(each[measure]) for each in values.values()))
    return table


def _by_measure(folds: Sequence[Mapping[str, Figure]]) -> dict[str, list[float]]:
    return {measure: [fold[measure].value for fold in folds] for measure in folds[0]}
