"""The page: data first, then figures, reliability, errors, embedding and atoms, in one file that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphattn import files
from graphattn.data.splits import PARTS
from graphattn.explain.molecules.explanation import explain
from graphattn.explain.molecules.subject import with_molecule
from graphattn.models.network import Network
from graphattn.reports.molecules import plots, tables
from graphattn.reports.molecules.errors import worst
from graphattn.reports.molecules.plots import PlotPanel
from graphattn.reports.molecules.structures import contributions_colours, structure
from graphattn.reports.page import environment
from graphattn.training.folder.choice import choice_sentences
from graphattn.training.folder.reliability import reliability_sentences
from graphattn.training.folder.weights import plain
from graphattn.training.molecules.judging import Trained, labels_of
from graphattn.training.molecules.objective import SCORES
from graphattn.training.molecules.reliability.assessment import class_probabilities
from graphattn.training.molecules.reliability.domain import Neighbours

NAME = "report.html"
TARGETS = 6
"""Targets (or classes) that have drawings of their own; the rest is in the tables."""
EXPLAINED, EXPLAINED_ATOMS = 3, 40
MAPPED = 1_000
Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]


def write_report(trained: Trained, folder: Path) -> Path:
    """Writes ``report.html`` into the folder of a model and returns its path.

    The file contains its styles, drawings and script, needs no network, and is laid out for phones and paper too. Without a test
    part it has no figures, and without RDKit's drawing library no structures.
    """
    context = _context(trained)
    context["sections"] = _sections(context)
    text = environment(Path(__file__).parent / "templates").get_template("model.html").render(context)
    path = folder / NAME
    files.write(path, text)
    return path


def _context(trained: Trained) -> dict[str, Any]:
    """All that the template shows."""
    model, split = trained.model, trained.split
    described, tested = plain(model.describe()), len(split.test) > 0
    near = _neighbours(trained)
    panels = _panels(trained) if tested else []
    return {
        "title": f"{Path(described['data']['source']).name}: {', '.join(model.task.names[:3])}",
        "described": described,
        "task": model.task,
        "facts": _facts(trained),
        "parts": tables.parts_table(trained),
        "set_aside": tables.set_aside_table([row.reason for row in trained.molecules.rejected]),
        "shared": _shared(trained),
        "leak": _leak(trained, near),
        "metrics": tables.figures_table(described["metrics"]) if described.get("metrics") else None,
        "folds": tables.folds_table(described["folds"]["figures"]) if described.get("folds") else None,
        "panels": panels,
        "confusions": _confusions(trained) if tested and model.task.kind != "regression" else [],
        "calibration": _calibration(trained) if tested and model.task.kind != "regression" else [],
        "sentences": reliability_sentences(described),
        "choice": choice_sentences(described),
        "learning": _learning(trained),
        "worst": worst(trained, near) if tested else [],
        "map": _map(trained),
        "atoms": _atoms(trained),
        "targets": TARGETS,
    }


def _sections(context: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and headings of the parts that have something to show."""
    parts = [
        ("data", "Data", True),
        ("split", "Split and leak check", True),
        ("figures", "Figures", context["metrics"] or context["folds"]),
        ("curves", "Predictions on the test part", context["panels"]),
        ("reliability", "How far to rely on it", True),
        ("errors", "Errors, worst first", context["worst"]),
        ("atoms", "Atoms", context["atoms"]),
        ("map", "Embedding", context["map"]),
        ("learning", "Learning curve", context["learning"]),
        ("made", "How it was made", True),
    ]
    return [(name, heading) for name, heading, there in parts if there]


def _facts(trained: Trained) -> dict[str, str]:
    metrics = (trained.model.record.get("metrics") or {}).values()
    first = next(iter(next(iter(metrics)).items())) if metrics else None
    facts = {name: f"{len(rows):,}" for name, rows in zip(PARTS, trained.split, strict=True)}
    facts["set aside"] = f"{len(trained.molecules.rejected):,}"
    value = first[1]["value"] if first else None
    return ({first[0]: f"{value:.3f}"} if first and value is not None and np.isfinite(value) else {}) | facts


def _neighbours(trained: Trained) -> Neighbours:
    known = trained.model.reliability
    if known is not None and known.neighbours is not None:
        return known.neighbours
    rows = [int(row) for row in trained.split.train]
    return Neighbours.of([trained.molecules.smiles[i] for i in rows], [trained.molecules.mols[i] for i in rows])


def _shared(trained: Trained) -> int:
    """Molecules that stand in more than one part."""
    parts = [{trained.molecules.keys[int(row)] for row in rows} for rows in trained.split]
    return sum(map(len, parts)) - len(set().union(*parts))


def _leak(trained: Trained, near: Neighbours) -> PlotPanel:
    """Similarity of validation and test molecules to the nearest training molecule."""
    found = {}
    for name, rows in zip(PARTS[1:], trained.split[1:], strict=True):
        chosen = rows[plots.thinned(len(rows), 2_000)]
        if len(chosen):
            found[name] = near.nearest([trained.molecules.mols[int(row)] for row in chosen])[1]
    known = trained.model.reliability
    title = "Nearest training molecule"
    panel = plots.similarity_panel(title, found, known.least_similarity if known else None)
    words = {name: f"{name}, median {np.median(values):.2f}" for name, values in found.items()}
    return panel._replace(series=[each._replace(name=words.get(each.name, each.name)) for each in panel.series])


def _targets(trained: Trained) -> list[tuple[str, int, int, Rows, Rows]]:
    """For each target or class with both answers in the test part: title, target, class, whether known, whether positive."""
    task, truth = trained.model.task, trained.truth
    if task.kind == "multiclass":
        every = [(name, 0, k, np.ones(len(truth), bool), truth[:, 0] == k) for k, name in enumerate(task.classes)]
    else:
        every = [(name, t, 1, ~np.isnan(truth[:, t]), truth[:, t] == 1) for t, name in enumerate(task.names)]
    return [each for each in every if each[4][each[3]].any() and not each[4][each[3]].all()][:TARGETS]


def _panels(trained: Trained) -> list[PlotPanel]:
    task, known = trained.model.task, trained.model.reliability
    if task.kind == "regression":
        half = [row[0] for row in known.quantiles] if known else [float("inf")] * len(task.names)
        rows = [(t, ~np.isnan(trained.truth[:, t])) for t in range(min(TARGETS, len(task.names)))]
        return [
            plots.values_panel(task.names[t], trained.own[there, t], trained.truth[there, t], half[t])
            for t, there in rows
            if there.any()
        ]
    panels = []
    for name, target, k, there, positive in _targets(trained):
        scores = {
            model: class_probabilities(task, found)[target][there, k] for model, found in trained.predictions.items()
        }
        panels.append(plots.roc_panel(f"ROC: {name}", scores, positive[there]))
        panels.append(plots.precision_panel(f"Precision and recall: {name}", scores, positive[there]))
    return panels


def _calibration(trained: Trained) -> list[PlotPanel]:
    task, known = trained.model.task, trained.model.reliability
    panels = []
    for name, target, k, there, positive in _targets(trained):
        raw = class_probabilities(task, trained.own)[target][there]
        shown = {trained.model.name: raw[:, k]}
        if known is not None and (calibration := known.calibrations[target]) is not None:
            shown["calibrated"] = calibration(raw)[:, k]
        panels.append(plots.reliability_panel(f"Calibration: {name}", shown, positive[there]))
    return panels


def _confusions(trained: Trained) -> list[Any]:
    task, known, found = trained.model.task, trained.model.reliability, []
    for target, probability in enumerate(class_probabilities(task, trained.own)[:TARGETS]):
        there = ~np.isnan(trained.truth[:, target])
        cut = known.thresholds[target] if known is not None and known.thresholds else 0.5
        predicted = probability.argmax(1) if task.kind == "multiclass" else (probability[:, 1] > cut).astype(np.int64)
        truth = trained.truth[there, target].astype(np.int64)
        found.append(tables.confusion_table(task, target, predicted[there], truth))
    return found


def _learning(trained: Trained) -> list[PlotPanel]:
    record = trained.model.record
    kept = [each["best_epoch"] for each in record.get("training", [])]
    return plots.learning_panels(record.get("curves", []), kept, SCORES[trained.model.task.kind])


def _map(trained: Trained) -> PlotPanel | None:
    """The two principal components of the embedding: training molecules grey, those of the test part by what is true of them."""
    from sklearn.decomposition import PCA

    model, split, task = trained.model, trained.split, trained.model.task
    if not model.networks or not all(isinstance(member, Network) for member in model.networks):
        return None
    train, test = (rows[plots.thinned(len(rows), MAPPED)] for rows in (split.train, split.test))
    rows = np.concatenate([train, test])
    if len(rows) < 3:
        return None
    reduced = PCA(2, random_state=0)
    places = reduced.fit_transform(model.embed([trained.molecules.graphs[int(row)] for row in rows]).astype(np.float64))
    label, tested = labels_of(trained.molecules)[rows, 0].astype(float), np.arange(len(rows)) >= len(train)
    groups = {"training part": ~tested}
    if task.kind == "regression":
        middle = np.nanmedian(label)
        groups |= {f"test, {task.names[0]} below {middle:.3g}": tested & (label < middle)}
        groups |= {f"test, {middle:.3g} or more": tested & (label >= middle)}
    else:
        of = f"{task.names[0]} " if task.kind == "multilabel" else ""
        groups |= {f"test, {of}{name}": tested & (label == k) for k, name in enumerate(task.classes)}
    first, second = (
        f"component {i + 1} ({100 * share:.0f} %)" for i, share in enumerate(reduced.explained_variance_ratio_)
    )
    return plots.map_panel("Two principal components", places, groups, (first, second))


def _atoms(trained: Trained) -> list[tuple[Any, str]]:
    """Drawings of a few test molecules, or of others if there are none, coloured by what their atoms contribute."""
    model, molecules = trained.model, trained.molecules
    rows = trained.split.test if len(trained.split.test) else trained.split.validation
    small = [int(row) for row in rows if 6 <= molecules.mols[int(row)].GetNumAtoms() <= EXPLAINED_ATOMS]
    found = []
    for row in [small[int(at)] for at in plots.thinned(len(small), EXPLAINED)]:
        explained = explain(model, with_molecule(molecules.graphs[row], molecules.mols[row]))
        drawing = structure(explained.molecule, contributions_colours(explained.contributions))
        if drawing:
            found.append((drawing, f"{explained.meaning}: {explained.prediction:.3f}"))
    return found
