"""Networks trained on parts of images, one or an ensemble."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.graphs import misfits
from graphattn.data.splits import Split
from graphattn.models.by_name.whole import architecture
from graphattn.training.craft import Loss, cox, cross_entropy, pairwise_ranking, squared_error
from graphattn.training.fitted_graphs import FittedNetwork, Scale, Training
from graphattn.training.folder.checks import CHECKPOINTS
from graphattn.training.runs import Curves, Interrupted
from graphattn.training.tissue.answering import MOST_CELLS, MOST_NODES
from graphattn.training.tissue.plan import TissuePlan
from graphattn.training.tissue.problems.base import TissueProblem

_RISK_SET = 64
"""Images of a step with Cox's loss, which compares those of a batch."""


def learn(
    problem: TissueProblem, split: Split, plan: TissuePlan, folder: Path, verbose: bool
) -> tuple[FittedNetwork, list[Curves]]:
    """Networks trained on a part, with the curves of each member; images of the test part are not looked at.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; its model has the members until then.
    """
    graphs, y, given = _given(problem, split, plan, folder, verbose)
    configuration = architecture(plan.network.name)
    form, wrong = misfits(graphs, reads=configuration.reads)
    assert form is not None
    assert not wrong, wrong
    found, curves = list[FittedNetwork](), list[Curves]()
    for member in range(plan.network.members):
        where = folder if member == 0 else folder / CHECKPOINTS / f"network-{member + 1}"
        recipe = dataclasses.replace(given.recipe, seed=given.recipe.seed + member)
        resume = plan.resume and (where / CHECKPOINTS).is_dir()
        training = given._replace(folder=where, recipe=recipe, resume=resume)
        try:
            model, seen = FittedNetwork.learned(graphs, y, form, configuration, plan.network.size, training)
        except Interrupted as stop:
            stop.model = _together([*found, stop.model])
            raise
        found.append(model)
        curves.append(seen)
    ensemble = _together(found)
    return (_calibrated(ensemble, graphs, y, given) if plan.network.loss == "ranking" else ensemble), curves


def loss_of(problem: TissueProblem, plan: TissuePlan) -> tuple[Loss, dict[str, Scale] | None]:
    """The loss that is asked for, and scales of the outputs if they are not those of the answers.

    Raises:
        ValueError: ranking of what is no two classes of images.
    """
    name, task = plan.network.loss, problem.task
    if name == "ranking":
        if task.kind != "binary" or problem.level != "graph":
            what = "cells" if problem.level == "node" else f"a {task.kind} task"
            raise ValueError(f"the loss ranking compares images of two classes; got {what}")
        return pairwise_ranking, {"score": Scale([0.0], [1.0])}
    if name == "cox":
        return cox, {"y": Scale([0.0], [1.0])}
    return (squared_error if task.kind == "regression" else cross_entropy()), None


def _given(
    problem: TissueProblem, split: Split, plan: TissuePlan, folder: Path, verbose: bool
) -> tuple[list[Data], list[Tensor], Training]:
    """Graphs with their answers, and how networks are trained on them."""
    rows = np.unique(np.concatenate([split.train, split.validation])).tolist()
    lessons = {row: problem.lesson(row, plan.network.layers) for row in rows}
    places = dict(zip(rows, np.split(np.arange(sum(map(len, lessons.values()))), _ends(lessons)), strict=True))
    graphs = [graph for each in lessons.values() for graph, _ in each]
    loss, scales = loss_of(problem, plan)
    training = Training(
        [int(at) for row in split.train.tolist() for at in places[row]],
        [int(at) for row in split.validation.tolist() for at in places[row]],
        dataclasses.replace(plan.recipe, batch_size=_batch_size(problem, plan, graphs)),
        loss,
        level=problem.level,
        outputs=1 if scales is not None or problem.task.kind == "regression" else len(problem.task.classes),
        scales=scales,
        hardware=plan.hardware,
        verbose=verbose,
    )
    return graphs, [answer for each in lessons.values() for _, answer in each], training


def _together(members: Sequence[FittedNetwork]) -> FittedNetwork:
    """An ensemble of networks."""
    first, *others = members
    return dataclasses.replace(first, others=tuple(each.network for each in others))


def _calibrated(model: FittedNetwork, graphs: Sequence[Data], y: Sequence[Tensor], given: Training) -> FittedNetwork:
    """The scale of scores whose logistic function is the probability of the second class (Platt 1999), by the validation part.

    Without both classes there, or if scores are not higher in the second, it stays as it is.
    """
    raw = dataclasses.replace(model, scales={"y": Scale([0.0], [1.0])})
    scores = raw.each([graphs[at] for at in given.validation])
    labels = np.tile(np.concatenate([y[at].numpy() for at in given.validation]), len(scores))
    if len(np.unique(labels)) < 2:
        return model
    fitted = LogisticRegression().fit(scores.reshape(-1, 1), labels)
    slope, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return dataclasses.replace(model, scales={"score": Scale([-shift / slope], [1 / slope])}) if slope > 0 else model


def _ends(lessons: Mapping[int, Sequence[object]]) -> NDArray[np.int64]:
    """Where the graphs of one image end and those of the next begin."""
    return np.cumsum([len(each) for each in lessons.values()])[:-1]


def _batch_size(problem: TissueProblem, plan: TissuePlan, graphs: Sequence[Data]) -> int:
    """Images of a step: as many in each, of large images fewer."""
    largest = max(graph.num_nodes or 0 for graph in graphs)
    wanted = max(plan.recipe.batch_size, _RISK_SET) if plan.network.loss == "cox" else plan.recipe.batch_size
    nodes = MOST_CELLS if problem.level == "node" else MOST_NODES
    most = max(1, min(wanted, nodes // max(1, largest)))
    return math.ceil(len(graphs) / math.ceil(len(graphs) / most))
