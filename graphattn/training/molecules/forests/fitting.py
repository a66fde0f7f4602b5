"""Forests on fingerprints and descriptors: fitted by scikit-learn, chosen on the validation part, kept as arrays.

What a forest reads is a table: counts of the ECFP4 of a molecule and, where graphs have any, RDKit's descriptors. Each target has
a forest of its own, of the molecules whose label is known; rows and classes count as in the loss of networks. The same seed gives
the same trees, by any number of processes.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor
from torch_geometric.data import Data

from graphattn import files
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.tasks import Task
from graphattn.models.forest import Forest, forest_of
from graphattn.training.folder.checks import CHECKPOINTS
from graphattn.training.folder.weights import read_weights
from graphattn.training.molecules.forests.arrays import KINDS, Fitted, ForestPart, answers_of, as_forest
from graphattn.training.molecules.objective import Objective, score
from graphattn.training.molecules.packed import table_of
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import MoleculeRecipe
from graphattn.training.runs import TrainingRun, digest

TREES = 500
CHOICES = (("extra trees", 1), ("extra trees", 3), ("random forest", 1))
"""What is compared on the validation part: a kind of forest and the least number of molecules in a leaf."""


class _Lesson(NamedTuple):
    """What forests are fitted on: a table ``[N, D]``, labels or standardised values ``[N, T]`` and the weights of these."""

    table: NDArray[np.float32]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]


def fit_forest(
    train: Sequence[Data],
    validation: Sequence[Data],
    task: Task,
    *,
    recipe: MoleculeRecipe | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
) -> FittedModel:
    """Forests fitted on ``train``; the one that does best on ``validation`` is kept.

    Graphs come from ``graphattn.data.to_data`` with ``y`` [1, T] (NaN: missing), ``fingerprint`` [1, 2048] and, to use them,
    ``weight`` [1] and raw ``descriptors`` [1, D]. With a ``folder``, forests that are finished go to ``folder/training``, and
    ``resume`` goes on from there.

    Raises:
        ValueError: empty parts, graphs without fingerprints; a ``resume`` without a checkpoint folder or with other settings or
            data than the interrupted run's.
    """
    recipe = recipe or MoleculeRecipe()
    settings = {"architecture": {"name": "Forest"}, "task": task.to_dict(), **dataclasses.asdict(recipe)}
    for name, part in (("training molecules", train), ("validation molecules", validation)):
        table, y = table_of(part, "descriptors" in part[0]), torch.cat([graph["y"] for graph in part])
        settings[name] = f"{len(part)}, sha256 {digest((table, y, _weights(part)))}"
    run = TrainingRun(Path(folder) if folder is not None else None)
    run.prepare(settings, resume)
    return best_forest(train, validation, task, recipe, run.folder and run.folder / CHECKPOINTS)


def best_forest(
    train: Sequence[Data], validation: Sequence[Data], task: Task, recipe: MoleculeRecipe, folder: Path | None = None
) -> FittedModel:
    """The same, in the middle of a run: finished forests are kept in, and read from, ``folder``."""
    y = torch.cat([graph["y"] for graph in train])
    objective = Objective(task, y, recipe.balance)
    lesson = _lesson(train, objective, y)
    truth = torch.cat([graph["y"] for graph in validation])
    found: list[tuple[float, FittedModel]] = []
    for number, (name, leaf) in enumerate(CHOICES):
        part = ForestPart(name, lesson.table.shape[1], TREES, leaf)
        path = folder / f"member-forest-{number + 1}.safetensors" if folder else None
        forest = _kept(path, part, task) or _grown(lesson, part, task, recipe.seed)
        if path is not None and not path.is_file():
            files.write(path, save(forest.state_dict()))
        target = (objective.mean.clone(), objective.deviation.clone())
        names = DESCRIPTOR_NAMES if "descriptors" in train[0] else ()
        model = FittedModel(task, {}, recipe, [forest.eval()], target, None, names, forest=part)
        value = score(task, torch.from_numpy(model.predict(list(validation))), truth)
        found.append((value, model))
    best = max(found, key=lambda each: rank(each[0]))[1]
    best.record |= {"training": [], "curves": [], "forests": [_told(value, model) for value, model in found]}
    return best


def rank(value: float) -> float:
    """A score to compare: undefined is least, and what float32 leaves of equal ones is no difference."""
    return -np.inf if np.isnan(value) else round(value, 6)


def _told(value: float, model: FittedModel) -> dict[str, Any]:
    assert model.forest is not None
    return {"name": model.forest.name, "leaf": model.forest.leaf, "validation": value}


def _kept(path: Path | None, part: ForestPart, task: Task) -> Forest | None:
    """One that is finished."""
    return forest_of(read_weights(path), part.inputs, answers_of(task)) if path and path.is_file() else None


def _lesson(train: Sequence[Data], objective: Objective, y: Tensor) -> _Lesson:
    rows = _weights(train)[:, None]
    if objective.task.kind == "regression":
        values, weight = (y.double() - objective.mean.double()) / objective.deviation.double(), rows.expand(y.shape)
    elif objective.task.kind == "multiclass":
        values, weight = y, rows * objective.weight[y.long()]
    else:
        values, weight = y, rows * torch.where(y == 1, objective.weight[1], objective.weight[0])
    table = table_of(train, "descriptors" in train[0])
    return _Lesson(table.numpy(), values.double().numpy(), weight.double().numpy())


def _weights(graphs: Sequence[Data]) -> Tensor:
    return torch.cat([graph["weight"] if "weight" in graph else torch.ones(1) for graph in graphs])


def _grown(lesson: _Lesson, part: ForestPart, task: Task, seed: int) -> Forest:
    fitted: list[Fitted] = []
    regression = task.kind == "regression"
    for target, (y, weight) in enumerate(zip(lesson.y.T, lesson.weight.T, strict=True)):
        known = ~np.isnan(y)
        forest = KINDS[part.name][regression](
            part.trees,
            min_samples_leaf=part.leaf,
            max_features=1 / 3 if regression else "sqrt",
            n_jobs=-1,
            random_state=(seed + target) % 2**32,
        )
        labels = y[known] if regression else y[known].astype(np.int64)
        fitted.append(forest.fit(lesson.table[known], labels, sample_weight=weight[known]))
    return as_forest(fitted, answers_of(task), task.outputs, part.inputs)
