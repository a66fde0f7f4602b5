"""Networks trained on parts of images, and what they say of others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
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
from graphattn.training.tissue.plan import TissuePlan
from graphattn.training.tissue.slides import Slides, tensors

CHANNELS, LAYERS, HEADS = 16, 2, 4
_MOST_NODES = 200_000  # in a batch

Floats = NDArray[np.float64]


def predictions(model: FittedNetwork, graphs: Sequence[Data]) -> Floats:
    """Probabilities ``[N, K]``, of two classes that of the second ``[N, 1]``, or values ``[N, 1]``, of images that fit."""
    largest = max((graph.num_nodes or 0 for graph in graphs), default=1)
    found = model(graphs, batch_size=max(1, min(64, _MOST_NODES // max(1, largest))))
    return found[:, 1:] if "y" not in model.scales and found.shape[1] == 2 else found


def learn(slides: Slides, split: Split, plan: TissuePlan, folder: Path, verbose: bool) -> tuple[FittedNetwork, Curves]:
    """A network trained on a part; images of the test part are not looked at."""
    rows = np.unique(np.concatenate([split.train, split.validation]))
    place = {int(row): at for at, row in enumerate(rows)}
    graphs = [slides.graphs[row] for row in rows]
    configuration = architecture(plan.model)
    form, wrong = misfits(graphs, reads=configuration.reads)
    assert form is not None
    assert not wrong, wrong
    values = slides.task.kind == "regression"
    given = Training(
        [place[int(row)] for row in split.train],
        [place[int(row)] for row in split.validation],
        dataclasses.replace(plan.recipe, batch_size=_batch_size(plan.recipe, graphs)),
        squared_error if values else cross_entropy(),
        outputs=1 if values else len(slides.task.classes),
        hardware=plan.hardware,
        folder=folder,
        resume=plan.resume and (folder / CHECKPOINTS).is_dir(),
        verbose=verbose,
    )
    y = tensors(slides.y[rows], slides.task)
    size = Size(CHANNELS, 2 * CHANNELS, LAYERS, HEADS)
    return FittedNetwork.learned(graphs, y, form, configuration, size, given)


def _batch_size(recipe: Recipe, graphs: Sequence[Data]) -> int:
    """Images of a step: as many in each, of large images fewer."""
    largest = max(graph.num_nodes or 0 for graph in graphs)
    most = max(1, min(recipe.batch_size, _MOST_NODES // max(1, largest)))
    return math.ceil(len(graphs) / math.ceil(len(graphs) / most))
