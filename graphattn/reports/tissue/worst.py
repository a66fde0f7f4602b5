"""The tested images that a model is most wrong about, worst first, each drawn with what its cells say."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch_geometric.data import Data

from graphattn.explain.tissue import draw_cells
from graphattn.explain.tissue_scores import cell_scores
from graphattn.reports.molecules.errors import error_of
from graphattn.training.tissue.plan import TrainedTissue
from graphattn.training.tissue.prediction import TissueModelFolder

MOST = 6


class WorstImage(NamedTuple):
    """A tested image as a PNG in base64, its name, what is true and predicted, and what the drawing shows."""

    drawing: str
    image: str
    truth: str
    found: str
    shows: str


def worst(trained: TrainedTissue, most: int = MOST) -> list[WorstImage]:
    """At most so many tested images, by their error, or of cells by the share that is called wrongly; none of survival."""
    problem, tested = trained.problem, trained.tested
    assert tested is not None
    if problem.level == "node":
        return _of_cells(trained, most)
    truth, said = problem.truth(tested.rows)[0], next(iter(tested.said.values()))
    if truth.shape[1] > 1:
        return []
    errors, task = np.nan_to_num(error_of(problem.task, said, truth)[:, 0]), problem.task
    model = TissueModelFolder(trained.model, task, problem.form, {})
    found = []
    for at in np.argsort(-errors, kind="stable")[:most].tolist():
        graph = problem.graphs[int(tested.rows[at])]
        scores = cell_scores(model, graph)
        figure = Figure(figsize=(5, 4), layout="constrained", dpi=80)
        axes = figure.subplots()
        draw_cells(axes, graph, scores.scores, name=scores.name)
        axes.set_title("")
        if task.classes:
            probability = np.append(1 - said[at], said[at]) if task.kind == "binary" else said[at]
            best = int(probability.argmax())
            words = task.classes[int(truth[at, 0])], f"{task.classes[best]} ({probability[best]:.2f})"
        else:
            words = f"{truth[at, 0]:.3g}", f"{said[at, 0]:.3g}"
        found.append(WorstImage(_png(figure), str(graph["image"]), *words, f"{scores.says} = {scores.total:.3f}"))
    return found


def _of_cells(trained: TrainedTissue, most: int) -> list[WorstImage]:
    """Images by the share of their labelled cells that is called wrongly, which are drawn in red."""
    problem, tested = trained.problem, trained.tested
    assert tested is not None
    said, start, wrong = next(iter(tested.said.values())), 0, dict[int, np.ndarray]()
    called = said.argmax(1) if problem.task.kind == "multiclass" else (said[:, 0] > 0.5).astype(int)
    for row in tested.rows.tolist():
        truth = problem.truth(np.array([row]))[0][:, 0]
        wrong[row] = called[start : start + len(truth)] != truth
        start += len(truth)
    order = sorted((row for row in wrong if len(wrong[row])), key=lambda row: -wrong[row].mean())
    found = []
    for row in order[:most]:
        figure = Figure(figsize=(5, 4), layout="constrained", dpi=80)
        axes = figure.subplots()
        draw_cells(axes, _marked(problem.graphs[row], problem.lesson(row, 0)[0][1], wrong[row]))
        axes.set_title("")
        share = f"{wrong[row].mean():.1%} of {len(wrong[row]):,} cells called wrongly"
        image = str(problem.graphs[row]["image"])
        found.append(
            WorstImage(
                _png(figure), image, f"{len(wrong[row]):,} labelled cells", share, "cells by whether called rightly"
            )
        )
    return found


def _marked(graph: Data, y: torch.Tensor, wrong: np.ndarray) -> Data:
    """A graph whose cells are right, wrong, or without a class."""
    made = graph.clone()
    kinds = torch.full((graph.num_nodes or 0,), -1)
    if len(y) == graph.num_nodes and int((y >= 0).sum()) == len(wrong):
        kinds[y >= 0] = torch.from_numpy(wrong.astype(np.int64))
    made.cell_type, made.cell_type_names = kinds, ["right", "wrong"]
    made.cell_type_colors = {"right": "#9aa5b1", "wrong": "#d55e00"}
    return made


def _png(figure: Figure) -> str:
    held = io.BytesIO()
    figure.savefig(held, format="png")
    return base64.b64encode(held.getvalue()).decode("ascii")
