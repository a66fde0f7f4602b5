"""Tables of the report: figures, parts, rows set aside, confusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphattn.data.splits import PARTS
from graphattn.data.tasks import Task
from graphattn.reports.numbers import ends, mean_and_deviation, number
from graphattn.reports.tables import ReportTable, TableColumn, TableEntry
from graphattn.training.molecules.judging import Trained, labels_of

Floats = NDArray[np.float64]


def figures_table(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]], drawn: str = "its molecules") -> ReportTable:
    """Figures on the test part, a line for each model, with their intervals of 95 %."""
    measures = list(next(iter(metrics.values())))
    bases = {measure: next(iter(metrics.values()))[measure].get("base") for measure in measures}
    columns = [
        TableColumn(measure + (f", chance {bases[measure]:.3f}" if bases[measure] is not None else ""))
        for measure in measures
    ]
    lines = [[TableEntry(name), *(_figure(row[measure]) for measure in measures)] for name, row in metrics.items()]
    caption = f"Figures on the test part; in brackets the interval of 95 % over {drawn} (bootstrap)"
    return ReportTable(caption, [TableColumn("model", numbers=False), *columns], lines)


def folds_table(models: Mapping[str, Mapping[str, Sequence[float | None]]]) -> ReportTable:
    """Means over the folds of a cross-validation, a line for each model."""
    measures = list(next(iter(models.values())))
    lines = [[TableEntry(name), *(_folds(row[measure]) for measure in measures)] for name, row in models.items()]
    columns = [TableColumn("model", numbers=False), *(TableColumn(measure) for measure in measures)]
    return ReportTable("Cross-validation: mean and standard deviation over the folds", columns, lines)


def parts_table(trained: Trained) -> ReportTable:
    """Molecules of each part, and what is true of them."""
    task, labels = trained.model.task, labels_of(trained.molecules).astype(float)
    lines = []
    for name, rows in zip(PARTS, trained.split, strict=True):
        entries = [TableEntry(name), TableEntry(f"{len(rows):,}", len(rows))]
        lines.append(entries + [entry for t in range(len(task.names)) for entry in _truths(task, labels[rows, t])])
    columns = [TableColumn("part", numbers=False), TableColumn("molecules")]
    for name in task.names:
        of = f"{name}: " if len(task.names) > 1 else ""
        columns += [TableColumn(of + word) for word in (task.classes or ("mean", "standard deviation"))]
    what = "mean and deviation of the values" if task.kind == "regression" else "share of each class"
    return ReportTable(f"Molecules of each part, and {what}", columns, lines)


def set_aside_table(reasons: Sequence[str], what: str = "rows") -> ReportTable:
    """Rows that were not used, by reason."""
    lines = [[TableEntry(reason), TableEntry(f"{n:,}", n)] for reason, n in Counter(reasons).most_common(20)]
    return ReportTable(
        f"{what.capitalize()} set aside, by reason", [TableColumn("reason", numbers=False), TableColumn(what)], lines
    )


def confusion_table(task: Task, target: int, predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> ReportTable:
    """Samples by true class (lines) and predicted class (columns)."""
    lines = []
    for k, name in enumerate(task.classes):
        counts = np.bincount(predicted[truth == k], minlength=len(task.classes))
        total = max(1, int(counts.sum()))
        cells = [TableEntry(f"{n:,} ({100 * n / total:.0f} %)", float(n)) for n in counts.tolist()]
        lines.append([TableEntry(name), *cells])
    of = f" of {task.names[target]}" if len(task.names) > 1 else ""
    columns = [TableColumn("true class", numbers=False), *(TableColumn(f"predicted {name}") for name in task.classes)]
    return ReportTable(
        f"Predicted and true classes{of} on the test part, and their share of the true class", columns, lines
    )


def _figure(figure: Mapping[str, Any]) -> TableEntry:
    value, low, high = (
        float("nan") if figure[name] is None else float(figure[name]) for name in ("value", "low", "high")
    )
    return TableEntry(f"{number(value)} {ends(low, high)}" if np.isfinite(value) else "–", value)


def _folds(values: Sequence[float | None]) -> TableEntry:
    known = [value for value in values if value is not None]
    return TableEntry(mean_and_deviation(values), float(np.mean(known)) if known else float("nan"))


def _truths(task: Task, labels: Floats) -> list[TableEntry]:
    known = labels[~np.isnan(labels)]
    if task.kind == "regression":
        values = (float(known.mean()), float(known.std())) if len(known) else (float("nan"),) * 2
        return [TableEntry(number(value), value) for value in values]
    shares = [float(np.mean(known == k)) if len(known) else float("nan") for k in range(len(task.classes))]
    return [TableEntry(number(share), share) for share in shares]
