"""How good a trained model is: figures on the test part, beside forests, and how far to rely on its predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphattn.data.molecules.prepare import Molecules
from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.folder.reliability import reliability_sentences
from graphattn.training.folder.weights import plain
from graphattn.training.metrics import Figure, differences, figures
from graphattn.training.molecules.baselines import TREES, baselines
from graphattn.training.molecules.objective import SCORES, score
from graphattn.training.molecules.reliability.measuring import Wanted, assess_on, measure_on
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.telling import Say, tell_figures


@dataclass(frozen=True)
class Trained:
    """A trained model, the molecules and their parts, and what it and the forests beside it predict for the test part.

    ``predictions`` are by name, the model's own first; without a test part they are empty.
    """

    model: FittedModel
    molecules: Molecules
    split: Split
    predictions: Mapping[str, NDArray[np.float64]]

    @property
    def own(self) -> NDArray[np.float64]:
        """The model's predictions for the test part."""
        return self.predictions[self.model.name]

    @property
    def truth(self) -> NDArray[np.float64]:
        """Labels of the test part, [N, T]."""
        return labels_of(self.molecules)[self.split.test].astype(float)


def labels_of(molecules: Molecules) -> NDArray[np.float32]:
    """Labels [N, T] of all molecules."""
    return torch.cat([graph["y"] for graph in molecules.graphs]).numpy()


def judge(
    model: FittedModel,
    molecules: Molecules,
    split: Split,
    wanted: Wanted,
    descriptors: NDArray[np.float32] | None,
    title: str,
    say: Say,
    beside: Sequence[FittedModel] = (),
) -> dict[str, NDArray[np.float64]]:
    """Says what the validation part tells of the model's predictions and how they do on the test part; notes it in the record.

    The models ``beside`` it and, if ``descriptors`` are given, the baselines are tested on the same molecules. Returns all
    predictions for the test part by name.
    """
    y = labels_of(molecules).astype(float)
    found = model.predict([molecules.graphs[i] for i in split.validation])
    model.record |= {"validation": _validation(model, found, y[split.validation])}
    model.reliability = assess_on(molecules, split, found, y[split.validation], wanted)
    predictions = predicted(model, molecules, split, descriptors, beside)
    if len(split.test):
        model.record["metrics"] = compare(model.task, predictions, y[split.test], title, say)
        model.record["measured"] = measure_on(
            molecules, split, model.reliability, predictions[model.name], y[split.test]
        )
    for sentence in reliability_sentences(plain(model.describe())):
        say(sentence)
    return predictions


def predicted(
    model: FittedModel,
    molecules: Molecules,
    split: Split,
    descriptors: NDArray[np.float32] | None,
    beside: Sequence[FittedModel] = (),
) -> dict[str, NDArray[np.float64]]:
    """Predictions for the test part by name, the model's own first; of the baselines, too, where ``descriptors`` are given."""
    tested = [molecules.graphs[i] for i in split.test]
    predictions = {model.name: model.predict(tested)}
    if tested:
        predictions |= {other.name: other.predict(tested) for other in beside}
        if descriptors is not None:
            inputs, seed = (model.task, molecules.mols, labels_of(molecules).astype(float)), model.recipe.seed
            parts = (split.train, split.test)
            predictions |= baselines(*inputs, *parts, descriptors=descriptors, trees=TREES, seed=seed)
    return predictions


def compare(
    task: Task, predictions: Mapping[str, NDArray[np.float64]], truth: NDArray[np.float64], title: str, say: Say
) -> dict[str, Any]:
    """Says the figures of predictions by name, our own first, and its paired difference to each other; returns them for JSON."""
    found = {name: figures(task, prediction, truth) for name, prediction in predictions.items()}
    tell_figures(found, title, say)
    (ours, own), *others = predictions.items()
    for name, prediction in others:
        measure, figure = next(iter(differences(task, own, prediction, truth).items()))
        say(f"{measure}, {ours} minus {name}: {figure} ({_verdict(figure)} on these molecules)")
    return {name: {measure: figure._asdict() for measure, figure in row.items()} for name, row in found.items()}


def _verdict(figure: Figure) -> str:
    """An interval without width, as that of one molecule, or an undefined one decides nothing."""
    if figure.low <= 0 <= figure.high:
        return "not distinguishable"
    return "distinguishable" if figure.low < figure.high else "undecided"


def _validation(model: FittedModel, found: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    """The score that later tells whether the model is good enough for its explanations to mean something."""
    value = score(model.task, torch.from_numpy(found), torch.from_numpy(y))
    return {"name": SCORES[model.task.kind], "value": value}
