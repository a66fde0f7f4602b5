"""Molecule models as scikit-learn estimators: SMILES in, labels or values out.

They work where scikit-learn's own do: `cross_val_score`, `GridSearchCV`, `Pipeline`, `clone`, joblib.

A SMILES that cannot be read is left out of `fit` with a warning that names its position. In prediction its row is NaN,
with a warning as well; `MoleculeClassifier.predict` has no label for "unknown" and raises instead.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from graphattn.data import splits
from graphattn.data.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.tasks import Task
from graphattn.data.wording import list_problems
from graphattn.training import saved
from graphattn.training.fit import fit
from graphattn.training.inputs import graphs_of, read
from graphattn.training.recipe import Architecture, Recipe
from graphattn.training.saved import FittedModel

_RECIPE, _ARCHITECTURE = Recipe(), Architecture()
_HELD_OUT = 0.1
_FEWEST_TO_HOLD_OUT = 20


class MoleculeClassifier(ClassifierMixin, BaseEstimator):
    """Graph transformer that predicts a class from a molecule's SMILES.

    Args:
        channels: width of the network.
        layers: number of transformer blocks.
        dropout: share of activations dropped in training.
        epochs: passes over the training molecules; a tenth of them is held out and chooses the best epoch.
        learning_rate: highest rate of the schedule.
        descriptors: also read RDKit's 2D descriptors at the readout.
        ensemble: number of models whose probabilities are averaged.
        seed: of weights, order and the molecules held out. Equal seeds give equal models.

    Labels may be numbers, booleans or texts. After `fit`: `classes_` (sorted) and `model_`, a `FittedModel`.

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
    ) -> None:
        self.channels, self.layers, self.dropout, self.epochs = channels, layers, dropout, epochs
        self.learning_rate, self.descriptors, self.ensemble, self.seed = learning_rate, descriptors, ensemble, seed

    def fit(self, smiles: ArrayLike, y: ArrayLike) -> "MoleculeClassifier":
        """Learns the classes `y` [N] of `smiles` [N].

        Raises `ValueError` when there are not as many labels as SMILES, a label is missing, there is one class only, or
        no SMILES can be read.
        """
        texts, labels = _texts(smiles), _column(y)
        _check_lengths(texts, labels)
        missing = [i for i, label in enumerate(labels) if label is None or label != label]
        if missing:
            raise ValueError(f"every molecule needs a label; position {missing[0]} has none ({len(missing)} in all)")
        self.classes_, numbers = np.unique(np.asarray(labels.tolist()), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs two classes or more, got one: {self.classes_.tolist()[0]!r}")
        kind = "binary" if len(self.classes_) == 2 else "multiclass"
        task = Task(kind, ("y",), tuple(map(str, self.classes_.tolist())))
        self.model_ = _learn(self.get_params(), task, texts, numbers[:, None].astype(np.float32))
        self.model_.record["labels"] = self.classes_.tolist()
        return self

    def predict_proba(self, smiles: ArrayLike) -> NDArray[np.float64]:
        """Probability of each of `classes_` [N, K]; NaN, and a warning, for SMILES that cannot be read."""
        check_is_fitted(self, "model_")
        return _apply(self.model_, _texts(smiles))

    def predict(self, smiles: ArrayLike) -> NDArray:
        """The likeliest of `classes_` [N]. Raises `ValueError` naming the positions of SMILES that cannot be read."""
        check_is_fitted(self, "model_")
        texts = _texts(smiles)
        _, _, problems = read(texts, self.model_.chemistry)
        if problems:
            raise ValueError(
                f"no class for SMILES that cannot be read (predict_proba gives NaN): {list_problems(problems)}"
            )
        return self.classes_[_apply(self.model_, texts).argmax(1)]

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder that `load`, and `graphattn predict`, read. Nothing in it is pickled."""
        check_is_fitted(self, "model_")
        return self.model_.save(folder)

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> "MoleculeClassifier":
        """The classifier in a folder made by `save` or by `graphattn train`; with `trust` also when files were changed.

        Raises `ValueError` for a model of another task, and as `graphattn.training.saved.load` does.
        """
        model = saved.load(folder, trust)
        if model.task.kind not in ("binary", "multiclass"):
            raise ValueError(f"{folder} holds a {model.task.kind} model; expected binary or multiclass")
        estimator = cls(**_parameters(model))
        estimator.model_ = model
        estimator.classes_ = np.array(model.record.get("labels", model.task.classes))
        return estimator


class MoleculeRegressor(RegressorMixin, BaseEstimator):
    """Graph transformer that predicts a number, or several, from a molecule's SMILES.

    The arguments are those of `MoleculeClassifier`. After `fit`: `model_`, a `FittedModel`.

    >>> model = MoleculeRegressor(channels=16, layers=1, epochs=2, descriptors=False)
    >>> model.fit(["C", "CC", "CCC", "CCCC"], [1.0, 2.0, 3.0, 4.0]).predict(["CCCCC"]).shape
    (1,)
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
    ) -> None:
        self.channels, self.layers, self.dropout, self.epochs = channels, layers, dropout, epochs
        self.learning_rate, self.descriptors, self.ensemble, self.seed = learning_rate, descriptors, ensemble, seed

    def fit(self, smiles: ArrayLike, y: ArrayLike) -> "MoleculeRegressor":
        """Learns the values `y` [N] or [N, T] of `smiles` [N]; NaN is a missing value of several.

        Raises `ValueError` when there are not as many values as SMILES, a value is infinite, a molecule has no value,
        or no SMILES can be read.
        """
        texts = _texts(smiles)
        values = np.asarray(y, dtype=np.float32)
        _check_lengths(texts, values)
        table = values.reshape(len(texts), -1)
        bad = np.flatnonzero(np.isinf(table).any(1) | np.isnan(table).all(1))
        if len(bad):
            raise ValueError(f"every molecule needs a finite value, got {table[bad[0]].tolist()} at position {bad[0]}")
        names = tuple(f"y{t + 1}" for t in range(table.shape[1])) if table.shape[1] > 1 else ("y",)
        self.model_ = _learn(self.get_params(), Task("regression", names), texts, table)
        self.model_.record["one_dimensional"] = values.ndim == 1
        return self

    def predict(self, smiles: ArrayLike) -> NDArray[np.float64]:
        """Values [N], or [N, T] after a fit to several; NaN, and a warning, for SMILES that cannot be read."""
        check_is_fitted(self, "model_")
        values = _apply(self.model_, _texts(smiles))
        one = self.model_.record.get("one_dimensional", values.shape[1] == 1)
        return values[:, 0] if one else values

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder that `load`, and `graphattn predict`, read. Nothing in it is pickled."""
        check_is_fitted(self, "model_")
        return self.model_.save(folder)

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> "MoleculeRegressor":
        """The regressor in a folder made by `save` or by `graphattn train`; with `trust` also when files were changed.

        Raises `ValueError` for a model of another task, and as `graphattn.training.saved.load` does.
        """
        model = saved.load(folder, trust)
        if model.task.kind != "regression":
            raise ValueError(f"{folder} holds a {model.task.kind} model; expected regression")
        estimator = cls(**_parameters(model))
        estimator.model_ = model
        return estimator


def _learn(parameters: dict[str, Any], task: Task, texts: Sequence[object], y: NDArray[np.float32]) -> FittedModel:
    """What both estimators do: read, hold a tenth out, train."""
    molecules, positions, problems = read(texts)
    if not molecules:
        raise ValueError(f"none of the {len(texts)} SMILES can be read: {list_problems(problems)}")
    if problems:
        warnings.warn(f"left out of training: {list_problems(problems)}", stacklevel=3)
    seed = parameters["seed"]
    train, validation = _hold_out(molecules, y[positions], task, seed)
    graphs = graphs_of(molecules, y[positions], with_descriptors=parameters["descriptors"])
    architecture = replace(_ARCHITECTURE, **{name: parameters[name] for name in ("channels", "layers", "dropout")})
    schedule = {name: parameters[name] for name in ("epochs", "learning_rate", "seed")}
    model = fit(
        [graphs[i] for i in train],
        [graphs[i] for i in validation],
        task,
        architecture=architecture.to_dict(),
        recipe=replace(_RECIPE, **schedule, members=parameters["ensemble"]),
    )
    model.descriptor_names = DESCRIPTOR_NAMES if parameters["descriptors"] else ()
    return model


def _hold_out(molecules: Sequence[Chem.Mol], y: NDArray, task: Task, seed: int) -> tuple[NDArray, NDArray]:
    """Positions to train on and to validate on; of very few molecules all do both."""
    everything = np.arange(len(molecules))
    if len(molecules) < _FEWEST_TO_HOLD_OUT:
        return everything, everything
    smiles = [Chem.MolToSmiles(molecule) for molecule in molecules]
    if len(set(smiles)) < _FEWEST_TO_HOLD_OUT:
        return everything, everything
    rule = splits.random if task.kind == "regression" else splits.stratified
    parts = rule(smiles, y, fractions=(1 - _HELD_OUT, _HELD_OUT, 0.0), seed=seed)
    return parts.train, parts.validation


def _apply(model: FittedModel, texts: Sequence[object]) -> NDArray[np.float64]:
    """Probabilities or values of all texts, NaN where there is no molecule."""
    molecules, positions, problems = read(texts, model.chemistry)
    if problems:
        warnings.warn(f"NaN for SMILES that cannot be read: {list_problems(problems)}", stacklevel=3)
    graphs = graphs_of(molecules, with_descriptors=model.standardiser is not None)
    found = model.predict(graphs) if model.task.kind == "regression" else model.probabilities(graphs)
    result = np.full((len(texts), found.shape[1]), np.nan)
    result[positions] = found
    return result


def _parameters(model: FittedModel) -> dict[str, Any]:
    sizes = {name: model.architecture[name] for name in ("channels", "layers", "dropout")}
    schedule = {name: getattr(model.recipe, name) for name in ("epochs", "learning_rate", "seed")}
    return sizes | schedule | {"descriptors": model.standardiser is not None, "ensemble": model.recipe.members}


def _texts(smiles: ArrayLike) -> list[object]:
    """One SMILES per molecule; raises `TypeError` for one text and `ValueError` for a table of several columns."""
    if isinstance(smiles, str):
        raise TypeError(f"expected a list of SMILES, got one text {smiles!r}; write [{smiles!r}]")
    return list(_column(smiles))


def _column(values: ArrayLike) -> NDArray:
    array = np.asarray(values, dtype=object)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1:
        raise ValueError(f"expected one value per molecule, got an array of shape {array.shape}")
    return array


def _check_lengths(texts: Sequence[object], y: Sequence[object] | NDArray) -> None:
    if len(texts) != len(y):
        raise ValueError(f"expected as many labels as SMILES, got {len(y)} labels for {len(texts)} SMILES")
