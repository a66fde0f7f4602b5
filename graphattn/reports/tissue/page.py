"""The page: data first, then split, figures, curves, errors with their drawings, in one file that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphattn import files
from graphattn.data.splits import PARTS
from graphattn.environment import versions
from graphattn.reports.molecules import plots
from graphattn.reports.molecules.plots import PlotPanel
from graphattn.reports.molecules.tables import confusion_table, figures_table, set_aside_table
from graphattn.reports.page import environment
from graphattn.reports.tables import ReportTable, TableColumn, TableEntry
from graphattn.reports.tissue.worst import worst
from graphattn.training.folder.weights import plain
from graphattn.training.tissue.plan import TrainedTissue

NAME = "report.html"
CLASSES, MOST_ROWS = 6, 20_000
"""Classes that have drawings of their own; rows that curves are drawn from."""
Floats = NDArray[np.float64]


def write_report(trained: TrainedTissue, folder: Path) -> Path:
    """Writes ``report.html`` into the folder of a model and returns its path.

    The file contains its styles, drawings and script, needs no network, and is laid out for phones and paper too. Without a test
    part it has no figures.
    """
    context = _context(trained)
    context["sections"] = [(name, heading) for name, heading, there in _sections(context) if there]
    text = environment(Path(__file__).parent / "templates").get_template("tissue.html").render(context)
    path = folder / NAME
    files.write(path, text)
    return path


def _context(trained: TrainedTissue) -> dict[str, Any]:
    """All that the template shows."""
    problem, tested, record = trained.problem, trained.tested, plain(trained.record)
    metrics = record.get("metrics")
    return {
        "title": f"{Path(record['data']['source']).name}: {problem.task.names[0]}",
        "described": record,
        "task": problem.task,
        "of": "cells" if problem.level == "node" else "images",
        "facts": _facts(trained, metrics),
        "form": _form(trained),
        "parts": _parts(trained),
        "set_aside": set_aside_table([each.reason for each in problem.set_aside], "images"),
        "metrics": figures_table(metrics, "its patients") if metrics else None,
        "sentences": tested.sentences if tested else [],
        "panels": _panels(trained) if tested else [],
        "confusion": _confusion(trained) if tested and problem.task.classes else None,
        "worst": worst(trained) if tested else [],
        "learning": plots.learning_panels(record["curves"], [each["best_epoch"] for each in record["training"]], None),
        "versions": versions(),
        "size": {"model": record["parameters"]["layer"], **_size(trained)},
    }


def _sections(context: dict[str, Any]) -> list[tuple[str, str, Any]]:
    return [
        ("data", "Data", True),
        ("split", "Split", True),
        ("figures", "Figures", context["metrics"]),
        ("curves", "Predictions on the test part", context["panels"] or context["confusion"]),
        ("errors", "Errors, worst image first", context["worst"]),
        ("learning", "Learning curve", context["learning"]),
        ("made", "How it was made", True),
    ]


def _facts(trained: TrainedTissue, metrics: Any) -> dict[str, str]:
    problem = trained.problem
    facts = {"images": f"{len(problem.graphs):,}", "patients": f"{len(set(problem.patients)):,}"}
    facts["cells"] = f"{sum(graph.num_nodes or 0 for graph in problem.graphs):,}"
    facts["set aside"] = f"{len(problem.set_aside):,}"
    if not metrics:
        return facts
    name, figure = next(iter(next(iter(metrics.values())).items()))
    return ({name: f"{figure['value']:.3f}"} if figure["value"] is not None else {}) | facts


def _form(trained: TrainedTissue) -> dict[str, str]:
    form = trained.problem.form
    mpp = "-".join(dict.fromkeys(f"{each:g}" for each in form.mpp))
    return {
        "measurements": ", ".join(form.features) or "none",
        "types of cells": ", ".join(form.types) or "none",
        "neighbours by": form.builder or "no known builder",
        "features of edges": ", ".join(form.edges) or "none",
        "positions in": f"{form.unit or 'no known unit'}{f', {mpp} um per pixel' if mpp else ''}",
    }


def _size(trained: TrainedTissue) -> dict[str, Any]:
    size, model = trained.model.size, trained.model
    number = sum(weight.numel() for weight in model.network.parameters())
    return {
        "layers": size.depth,
        "channels": size.width,
        "members": len(model.members),
        "weights": f"{number:,}",
        "loss": trained.record.get("loss", ""),
    }


def _parts(trained: TrainedTissue) -> ReportTable:
    """Images, patients and classes of each part, or of each fold that is tested."""
    problem, division = trained.problem, trained.division
    if division.folds:
        named = [(f"fold {at}", split.test) for at, split in enumerate(division.splits, start=1)]
    else:
        named = list(zip(PARTS, division.splits[0], strict=True))
    words = problem.task.classes or (("event seen",) if problem.classes is not None else ())
    lines = []
    for name, rows in named:
        whose = {problem.patients[row] for row in rows.tolist()}
        entries = [TableEntry(name), TableEntry(f"{len(rows):,}", len(rows)), TableEntry(f"{len(whose):,}", len(whose))]
        truth = problem.truth(rows)[0] if len(rows) else np.zeros((0, 1))
        values = truth[:, -1].astype(int) if problem.classes is not None or problem.task.classes else truth[:, 0]
        numbers = range(len(words)) if problem.task.classes else (1,) if words else ()
        counts = [int((values == k).sum()) for k in numbers]
        lines.append([*entries, *(TableEntry(f"{n:,}", n) for n in counts)])
    columns = [TableColumn("part", numbers=False), TableColumn("images"), TableColumn("patients")]
    what = "cells" if problem.level == "node" else "images"
    caption = "Images and patients of each part" + (f", and {what} of each class" if words else "")
    return ReportTable(caption, [*columns, *(TableColumn(word) for word in words)], lines)


def _panels(trained: TrainedTissue) -> list[PlotPanel]:
    """ROC and precision of each class, or predicted against true values; nothing of survival, whose measure is concordance."""
    problem, tested = trained.problem, trained.tested
    assert tested is not None
    truth = problem.truth(tested.rows)[0]
    rows = plots.thinned(len(truth), MOST_ROWS)
    y = truth[rows, 0]
    if not problem.task.classes:
        own = next(iter(tested.said.values()))[rows, 0]
        name = problem.task.names[0]
        return [] if truth.shape[1] > 1 else [plots.values_panel(name, own, y, float("inf"))]
    binary, panels = problem.task.kind == "binary", []
    shown = [(problem.task.classes[1], 1)] if binary else list(zip(problem.task.classes, range(CLASSES), strict=False))
    for name, k in shown:
        positive = y == k
        if positive.all() or not positive.any():
            continue
        scores = {model: said[rows, 0 if binary else k] for model, said in tested.said.items()}
        panels.append(plots.roc_panel(f"ROC: {name}", scores, positive))
        panels.append(plots.precision_panel(f"Precision and recall: {name}", scores, positive))
    return panels


def _confusion(trained: TrainedTissue) -> ReportTable:
    problem, tested = trained.problem, trained.tested
    assert tested is not None
    said = next(iter(tested.said.values()))
    predicted = said.argmax(1) if problem.task.kind == "multiclass" else (said[:, 0] > 0.5).astype(np.int64)
    return confusion_table(problem.task, 0, predicted, problem.truth(tested.rows)[0][:, 0].astype(np.int64))
