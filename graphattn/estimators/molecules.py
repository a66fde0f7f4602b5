"""Molecule models as scikit-learn estimators: SMILES in, labels or values out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from sklearn.utils import Tags
from torch_geometric.data import Data

from graphattn.data.molecules.chemistry import attach, attach_fingerprints, describe, label, read
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.tasks import Kind, Task
from graphattn.estimators.base import Estimator, Lesson, Usable, Words
from graphattn.estimators.checking import column, positive, share, whole
from graphattn.estimators.kinds import Classifier, ClassWeight, Regressor
from graphattn.training.molecules import saved
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import Architecture, MoleculeRecipe

_Sample = tuple[Chem.Mol, Data]
_RECIPE, _ARCHITECTURE = MoleculeRecipe(), Architecture()


class _Molecules(Estimator):
    """How SMILES are read and learned."""

    words = Words("molecule", "SMILES", "read", "one value per molecule")
    balances = True
    model_: FittedModel

    def __init__(
        self,
        channels: int = _ARCHITECTURE.channels,
        layers: int = _ARCHITECTURE.layers,
        dropout: float = _ARCHITECTURE.dropout,
        epochs: int = _RECIPE.epochs,
        learning_rate: float = _RECIPE.learning_rate,
        descriptors: bool = True,
        ensemble: int = _RECIPE.members,
        seed: int = _RECIPE.seed,
    ) -> None:
        self.channels, self.layers, self.dropout, self.epochs = channels, layers, dropout, epochs
        self.learning_rate, self.descriptors, self.ensemble, self.seed = learning_rate, descriptors, ensemble, seed

    def _parameters(self) -> dict[str, Any]:
        if not isinstance(self.descriptors, bool | np.bool_):
            raise TypeError(f"expected True or False as descriptors, got {self.descriptors!r}")
        return {
            "channels": whole("channels", self.channels, multiple=_ARCHITECTURE.heads),
            "layers": whole("layers", self.layers),
            "dropout": share("dropout", self.dropout),
            "epochs": whole("epochs", self.epochs),
            "learning_rate": positive("learning_rate", self.learning_rate),
            "descriptors": bool(self.descriptors),
            "ensemble": whole("ensemble", self.ensemble),
            "seed": whole("seed", self.seed, least=0),
        }

    def _listed(self, given: Any) -> list[Any]:
        if isinstance(given, str):
            raise TypeError(f"expected a list of SMILES, got one text {given!r}; write [{given!r}]")
        return list(column(given, self.words.label))

    def _read(self, samples: Sequence[Any], model: FittedModel | None = None) -> Usable:
        found = read(samples) if model is None else read(samples, model.chemistry)
        pairs = list(zip(found.molecules, found.graphs, strict=True))
        return Usable(pairs, found.positions, {position: str(error) for position, error in found.problems.items()})

    def _labelled(self, samples: Sequence[Any], y: Any, values: bool) -> tuple[Any, None]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        if not values:
            _check_classes(y)
        return y, None

    def __sklearn_tags__(self) -> Tags:
        """Texts, one for each sample, and no table of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, True, False
        return tags

    def _nodes(self, model: FittedModel, samples: Sequence[Any]) -> None:
        return None

    def _keys(self, samples: Sequence[_Sample]) -> list[str]:
        return [graph["smiles"] for _, graph in samples]

    def _learn(self, lesson: Lesson, parameters: dict[str, Any]) -> FittedModel:
        y = np.stack([row.reshape(-1) for row in lesson.y]).astype(np.float32)
        graphs = _graphs(lesson.samples, parameters["descriptors"], fingerprints=False)
        label(graphs, y)
        for graph, weight in zip(graphs, lesson.weights or (), strict=lesson.weights is not None):
            graph.weight = torch.from_numpy(weight).float()
        architecture = replace(_ARCHITECTURE, **{name: parameters[name] for name in ("channels", "layers", "dropout")})
        schedule = {name: parameters[name] for name in ("epochs", "learning_rate", "seed")}
        model = fit_molecules(
            [graphs[i] for i in lesson.train],
            [graphs[i] for i in lesson.validation],
            _task(lesson.classes, y.shape[1]),
            architecture=architecture.to_dict(),
            recipe=replace(
                _RECIPE,
                **schedule,
                members=parameters["ensemble"],
                balance=0.0 if lesson.unbalanced else _RECIPE.balance,
            ),
        )
        model.descriptor_names = DESCRIPTOR_NAMES if parameters["descriptors"] else ()
        return model

    def _answers(self, model: FittedModel, samples: list[Any]) -> NDArray[np.float64]:
        graphs = _graphs(samples, model.reads_descriptors, model.reads_fingerprints)
        return model.predict(graphs) if model.task.kind == "regression" else model.probabilities(graphs)

    def _write(self, folder: str | Path, described: dict[str, Any]) -> Path:
        self.model_.record |= {"labels" if name == "classes" else name: value for name, value in described.items()}
        return self.model_.save(folder)

    @classmethod
    def _stored(cls, folder: str | Path, trust: bool, classes: bool) -> tuple[Self, dict[str, Any]]:
        model = saved.load(folder, trust)
        kinds: tuple[Kind, ...] = ("binary", "multiclass") if classes else ("regression",)
        if model.task.kind not in kinds:
            raise ValueError(f"{folder} holds a {model.task.kind} model; expected {' or '.join(kinds)}")
        sizes = {
            name: model.architecture.get(name, getattr(_ARCHITECTURE, name))
            for name in ("channels", "layers", "dropout")
        }
        schedule = {name: getattr(model.recipe, name) for name in ("epochs", "learning_rate", "seed")}
        more = {"descriptors": model.reads_descriptors, "ensemble": model.recipe.members}
        estimator = cls(**sizes, **schedule, **more)
        estimator.model_ = model
        one = model.record.get("one_dimensional", model.task.outputs == 1)
        weights = model.record.get("class_weight", "balanced" if model.recipe.balance else None)
        labels = model.record.get("labels") or _typed(model.task.classes)
        return estimator, {"classes": labels, "class_weight": weights, "one_dimensional": one}


def _check_classes(y: Any) -> None:
    """Refuse more than two different floats of which one has a fraction: they are values."""
    floats = sorted(
        {label for label in np.asarray(y, dtype=object).ravel() if isinstance(label, float) and label == label}
    )
    if len(floats) > 2 and any(label % 1 for label in floats):
        raise ValueError(
            f"expected classes, got {len(floats)} different floats in y, such as {floats[0]:g} and {floats[1]:g}: "
            "MoleculeRegressor learns values; classes are integers or texts, not continuous"
        )


def _typed(classes: tuple[str, ...]) -> list[Any]:
    """Classes that are whole numbers as integers, so that labels of a file compare with them as pandas reads them.

    >>> _typed(("0", "1")), _typed(("01", "1")), _typed(("no", "yes"))
    ([0, 1], ['01', '1'], ['no', 'yes'])
    """
    whole = all(re.fullmatch(r"0|-?[1-9]\d*", name) for name in classes)
    return [int(name) for name in classes] if whole else list(classes)


def _graphs(samples: Sequence[_Sample], descriptors: bool, fingerprints: bool) -> list[Data]:
    molecules, graphs = [molecule for molecule, _ in samples], [graph for _, graph in samples]
    if descriptors:
        attach(graphs, describe(molecules))
    if fingerprints:
        attach_fingerprints(graphs, molecules)
    return graphs


def _task(classes: tuple[str, ...], columns: int) -> Task:
    if classes:
        return Task("binary" if len(classes) == 2 else "multiclass", ("y",), classes)
    return Task("regression", tuple(f"y{t + 1}" for t in range(columns)) if columns > 1 else ("y",))


@final
class MoleculeClassifier(Classifier, _Molecules):
    """Graph transformer that predicts a class from a molecule's SMILES.

    Args:
        channels: width of the network, a multiple of 4.
        layers: number of transformer blocks.
        dropout: share of activations dropped in training.
        epochs: passes over the training molecules; a tenth of them is held out and chooses the best epoch.
        learning_rate: highest rate of the schedule.
        descriptors: also read RDKit's 2D descriptors at the readout.
        ensemble: number of models whose probabilities are averaged.
        seed: of weights, order and the molecules held out. Equal seeds give equal models.
        class_weight: how much each class counts in the loss: ``balanced``, a weight by label, or None for all alike.

    ``fit(smiles, y, groups=...)`` keeps molecules of one group (a scaffold, a batch) together when it holds some out;
    ``sample_weight`` says how much each molecule counts.

    ``predict_proba`` is calibrated where the model has a calibration, which ``graphattn train`` fits and ``fit`` does not; it is
    then the column ``calibrated_...`` of ``graphattn predict``. ``predict`` gives the likeliest class by it; the command line's
    ``predicted_...`` follows the model's threshold instead.

    Labels may be numbers, booleans or texts. After ``fit``: ``classes_`` (sorted) and ``model_``, a ``FittedModel``.
    ``load`` also reads a folder made by ``graphattn train``, with a forest, too; ``fit`` always trains graph networks.

    >>> smiles = ["CCO", "CCCO", "OCCO", "CO", "CCN", "CCCN", "NCCN", "CN"]
    >>> model = MoleculeClassifier(channels=16, layers=1, epochs=2, descriptors=False)
    >>> model.fit(smiles, ["alcohol"] * 4 + ["amine"] * 4).predict_proba(["CCCCO"]).shape
    (1, 2)
    """

    def __init__(
        self,
        channels: int = _ARCHITECTURE.channels,
        layers: int = _ARCHITECTURE.layers,
        dropout: float = _ARCHITECTURE.dropout,
        epochs: int = _RECIPE.epochs,
        learning_rate: float = _RECIPE.learning_rate,
        descriptors: bool = True,
        ensemble: int = _RECIPE.members,
        seed: int = _RECIPE.seed,
        class_weight: ClassWeight = "balanced",
    ) -> None:
        super().__init__(channels, layers, dropout, epochs, learning_rate, descriptors, ensemble, seed)
        self.class_weight = class_weight


@final
class MoleculeRegressor(Regressor, _Molecules):
    """Graph transformer that predicts a number, or several, from a molecule's SMILES; NaN is a missing one of several.

    The arguments are those of :class:`MoleculeClassifier` but for ``class_weight``. After ``fit``: ``model_``, a ``FittedModel``.

    >>> model = MoleculeRegressor(channels=16, layers=1, epochs=2, descriptors=False)
    >>> model.fit(["C", "CC", "CCC", "CCCC"], [1.0, 2.0, 3.0, 4.0]).predict(["CCCCC"]).shape
    (1,)
    """
