"""Networks trained on parts of images, and what they say of others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.graphs import misfits
from graphattn.data.splits import Split
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.whole import architecture
from graphattn.training.craft import cross_entropy, squared_error
from graphattn.training.fitted_graphs import FittedNetwork, Training
from graphattn.training.folder.checks import CHECKPOINTS
from graphattn.training.recipe import Recipe
from graphattn.training.runs import Curves
from graphattn.training.tissue.answering import MOST_NODES
from graphattn.training.tissue.plan import TissuePlan
from graphattn.training.tissue.problems import TissueProblem

CHANNELS, LAYERS, HEADS = 16, 2, 4


def learn(
    problem: TissueProblem, split: Split, plan: TissuePlan, folder: Path, verbose: bool
) -> tuple[FittedNetwork, Curves]:
    """A network trained on a part; images of the test part are not looked at."""
    rows = np.unique(np.concatenate([split.train, split.validation])).tolist()
    lessons = {row: problem.lesson(row, LAYERS) for row in rows}
    places = dict(zip(rows, np.split(np.arange(sum(map(len, lessons.values()))), _ends(lessons)), strict=True))
    graphs = [graph for each in lessons.values() for graph, _ in each]
    configuration = architecture(plan.model)
    form, wrong = misfits(graphs, reads=configuration.reads)
    assert form is not None
    assert not wrong, wrong
    values = problem.task.kind == "regression"
    given = Training(
        [int(at) for row in split.train.tolist() for at in places[row]],
        [int(at) for row in split.validation.tolist() for at in places[row]],
        dataclasses.replace(plan.recipe, batch_size=_batch_size(plan.recipe, graphs)),
        squared_error if values else cross_entropy(),
        level=problem.level,
        outputs=1 if values else len(problem.task.classes),
        hardware=plan.hardware,
        folder=folder,
        resume=plan.resume and (folder / CHECKPOINTS).is_dir(),
        verbose=verbose,
    )
    y = [answer for each in lessons.values() for _, answer in each]
    size = Size(CHANNELS, 2 * CHANNELS, LAYERS, HEADS)
    return FittedNetwork.learned(graphs, y, form, configuration, size, given)


def _ends(lessons: Mapping[int, Sequence[object]]) -> NDArray[np.int64]:
    """Where the graphs of one image end and those of the next begin."""
    return np.cumsum([len(each) for each in lessons.values()])[:-1]


def _batch_size(recipe: Recipe, graphs: Sequence[Data]) -> int:
    """Images of a step: as many in each, of large images fewer."""
    largest = max(graph.num_nodes or 0 for graph in graphs)
    most = max(1, min(recipe.batch_size, MOST_NODES // max(1, largest)))
    return math.ceil(len(graphs) / math.ceil(len(graphs) / most))
