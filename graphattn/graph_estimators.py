"""Graph networks as scikit-learn estimators: PyG graphs in, labels or values out.

They work where scikit-learn's own do, with a list of PyG `Data` as samples: `cross_val_score`, `GridSearchCV`, `Pipeline`,
`clone`, joblib. Labels are those given as `y`; what graphs hold as `data.y` is not looked at. Graphs are not changed.

A graph that cannot be used (no nodes, NaN, other columns than most) is left out of `fit` with a warning that names its position.
In prediction its row is NaN, with a warning as well; `GraphClassifier.predict` has no label for "unknown" and raises instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.comparison.fitted import FittedNetwork, Training
from graphattn.data import splits
from graphattn.data.graphs import misfits
from graphattn.data.wording import list_problems
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.topologies import Cell, cells
from graphattn.training.craft import cross_entropy, squared_error
from graphattn.training.graph_recipe import GraphRecipe

_HELD_OUT = 0.1
_FEWEST_TO_HOLD_OUT = 20
_HEADS = 4


class GraphClassifier(ClassifierMixin, BaseEstimator):
    """Predicts a class of a graph: a layer on a topology, in the network of :func:`graphattn.compare`.

    Args:
        layer: `attention`, `edge_attention` (with what edges and distances say), `gcn`, `gat`, `gatv2`, `gin`, `sage`,
            `edgeconv`, or `mlp`, which hears nobody.
        topology: who hears whom: `full` (everyone in a graph), `edges` (those of the data), `edges+hub`, or `none`.
        channels: width of the network, a multiple of 4.
        layers: number of blocks.
        dropout: share of activations dropped in training.
        epochs: passes over the training graphs; a tenth of them is held out and chooses the best epoch.
        learning_rate: highest rate of the schedule.
        seed: of weights, order and the graphs held out. Equal seeds give equal models.

    Labels may be numbers, booleans or texts. After `fit`: `classes_` (sorted) and `model_`.

    >>> from graphattn.data.generated import motif
    >>> graphs = motif(40)
    >>> labels = ["yes" if data.y else "no" for data in graphs]
    >>> model = GraphClassifier(layer="gcn", topology="edges", channels=8, layers=1, epochs=1).fit(graphs, labels)
    >>> model.classes_.tolist(), model.predict_proba(graphs[:3]).shape
    (['no', 'yes'], (3, 2))
    """

    def __init__(
        self,
        layer: str = "edge_attention",
        topology: str = "full",
        channels: int = 64,
        layers: int = 2,
        dropout: float = 0.0,
        epochs: int = 50,
        learning_rate: float = 3e-3,
        seed: int = 0,
    ) -> None:
        self.layer, self.topology, self.channels, self.layers = layer, topology, channels, layers
        self.dropout, self.epochs, self.learning_rate, self.seed = dropout, epochs, learning_rate, seed

    def fit(self, graphs: Iterable[Data], y: ArrayLike) -> GraphClassifier:
        """Learns the classes `y` [N] of `graphs` [N].

        Raises `ValueError` when there are not as many labels as graphs, a label is missing, there is one class only, no graph
        can be used, or the network cannot be made.
        """
        held, labels = _graphs(graphs), _column(y)
        _check_lengths(held, labels)
        missing = [i for i, label in enumerate(labels) if label is None or label != label]
        if missing:
            raise ValueError(f"every graph needs a label; position {missing[0]} has none ({len(missing)} in all)")
        kept = _usable(held)
        classes, numbers = np.unique(np.asarray(labels[kept].tolist()), return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"a classifier needs two classes or more, got one: {classes.tolist()[0]!r}")
        # Both or none: a fit that fails leaves the one before as it was.
        model = _learn(self.get_params(), held, kept, torch.from_numpy(numbers.astype(np.int64)))
        self.model_, self.classes_ = model, classes
        return self

    def predict_proba(self, graphs: Iterable[Data]) -> NDArray[np.float64]:
        """Probability of each of `classes_` [N, K]; NaN, and a warning, for graphs that cannot be used."""
        check_is_fitted(self, "model_")
        return _apply(self.model_, _graphs(graphs))

    def predict(self, graphs: Iterable[Data]) -> NDArray:
        """The likeliest of `classes_` [N]. Raises `ValueError` naming the positions of graphs that cannot be used."""
        check_is_fitted(self, "model_")
        held = _graphs(graphs)
        _, problems = misfits(held, self.model_.form)
        if problems:
            raise ValueError(
                f"no class for graphs that cannot be used (predict_proba gives NaN): {list_problems(problems)}"
            )
        return self.classes_[self.model_(held).argmax(1)]

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder that `load` reads. Nothing in it is pickled."""
        check_is_fitted(self, "model_")
        return self.model_.save(folder, {"parameters": self.get_params(), "classes": self.classes_.tolist()})

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> GraphClassifier:
        """The classifier in a folder made by `save`; with `trust` also when files were changed since.

        Raises `ValueError` for another model and for changed or damaged files.
        """
        model, described = FittedNetwork.load(folder, trust)
        if "classes" not in described:
            raise ValueError(f"{folder} holds a regressor; expected a classifier")
        estimator = cls(**described["parameters"])
        estimator.model_, estimator.classes_ = model, np.array(described["classes"])
        return estimator


class GraphRegressor(RegressorMixin, BaseEstimator):
    """Predicts a number of a graph, or several. The arguments are those of `GraphClassifier`. After `fit`: `model_`.

    >>> graphs = [Data(x=torch.ones(n, 1), edge_index=torch.zeros(2, 0).long()) for n in range(1, 9)]
    >>> model = GraphRegressor(layer="gin", topology="edges", channels=8, layers=1, epochs=1)
    >>> model.fit(graphs, [float(data.num_nodes) for data in graphs]).predict(graphs).shape
    (8,)
    """

    def __init__(
        self,
        layer: str = "edge_attention",
        topology: str = "full",
        channels: int = 64,
        layers: int = 2,
        dropout: float = 0.0,
        epochs: int = 50,
        learning_rate: float = 3e-3,
        seed: int = 0,
    ) -> None:
        self.layer, self.topology, self.channels, self.layers = layer, topology, channels, layers
        self.dropout, self.epochs, self.learning_rate, self.seed = dropout, epochs, learning_rate, seed

    def fit(self, graphs: Iterable[Data], y: ArrayLike) -> GraphRegressor:
        """Learns the values `y` [N] or [N, T] of `graphs` [N].

        Raises `ValueError` when there are not as many values as graphs, a value is not finite or missing, no graph can be used,
        or the network cannot be made.
        """
        held, values = _graphs(graphs), np.asarray(y, dtype=np.float64)
        _check_lengths(held, values)
        if values.ndim > 2 or 0 in values.shape[1:]:
            raise ValueError(f"expected one value per graph, or a row of values, got an array of shape {values.shape}")
        bad = np.flatnonzero(~np.isfinite(values[:, None] if values.ndim == 1 else values).all(1))
        if len(bad):
            raise ValueError(f"every graph needs a finite value, got {values[bad[0]].tolist()} at position {bad[0]}")
        kept = _usable(held)
        model = _learn(self.get_params(), held, kept, torch.from_numpy(values.reshape(len(held), -1)[kept]))
        self.model_, self.one_dimensional_ = model, values.ndim == 1
        return self

    def predict(self, graphs: Iterable[Data]) -> NDArray[np.float64]:
        """Values [N], or [N, T] after a fit to several; NaN, and a warning, for graphs that cannot be used."""
        check_is_fitted(self, "model_")
        values = _apply(self.model_, _graphs(graphs))
        return values[:, 0] if self.one_dimensional_ else values

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder that `load` reads. Nothing in it is pickled."""
        check_is_fitted(self, "model_")
        return self.model_.save(folder, {"parameters": self.get_params(), "one_dimensional": self.one_dimensional_})

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> GraphRegressor:
        """The regressor in a folder made by `save`; with `trust` also when files were changed since.

        Raises `ValueError` for another model and for changed or damaged files.
        """
        model, described = FittedNetwork.load(folder, trust)
        if "one_dimensional" not in described:
            raise ValueError(f"{folder} holds a classifier; expected a regressor")
        estimator = cls(**described["parameters"])
        estimator.model_, estimator.one_dimensional_ = model, described["one_dimensional"]
        return estimator


def _graphs(graphs: Iterable[Data]) -> list[Data]:
    if isinstance(graphs, Batch):
        return cast(list[Data], graphs.to_data_list())
    if isinstance(graphs, Data) or not isinstance(graphs, Iterable):
        raise TypeError(f"expected a list of PyG Data, got one {type(graphs).__name__}; write [data]")
    return list(graphs)


def _column(y: ArrayLike) -> NDArray:
    array = np.asarray(y, dtype=object)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1:
        raise ValueError(f"expected one label per graph, got an array of shape {array.shape}")
    return array


def _check_lengths(graphs: Sequence[Data], y: NDArray) -> None:
    if y.ndim == 0 or len(graphs) != len(y):
        raise ValueError(f"expected as many labels as graphs, got {y.size} labels for {len(graphs)} graphs")


def _usable(graphs: Sequence[Data]) -> NDArray[np.int64]:
    """Positions of the graphs to learn from; a warning names the others."""
    if not graphs:
        raise ValueError("expected graphs to learn from, got none")
    _, problems = misfits(graphs)
    if len(problems) == len(graphs):
        raise ValueError(f"none of the {len(graphs)} graphs can be used: {list_problems(problems)}")
    if problems:
        warnings.warn(f"left out of training: {list_problems(problems)}", stacklevel=3)
    return np.array([i for i in range(len(graphs)) if i not in problems], dtype=np.int64)


def _learn(parameters: dict[str, Any], held: Sequence[Data], kept: NDArray[np.int64], y: Tensor) -> FittedNetwork:
    """What both estimators do: hold a tenth out, train. `y` are the answers of the graphs kept."""
    graphs, seed = [held[i] for i in kept], parameters["seed"]
    form, _ = misfits(graphs)
    assert form is not None
    size = Size(parameters["channels"], 2 * parameters["channels"], parameters["layers"], _HEADS, parameters["dropout"])
    recipe = GraphRecipe(
        parameters["epochs"], learning_rate=parameters["learning_rate"], patience=parameters["epochs"], seed=seed
    )
    train, validation = _hold_out(y, seed)
    loss = squared_error if y.is_floating_point() else cross_entropy()
    cell = _cell(parameters["layer"], parameters["topology"])
    return FittedNetwork.learned(graphs, y, form, cell, size, Training(train, validation, recipe, loss))


def _cell(layer: str, topology: str) -> Cell:
    if topology == "shuffled":
        raise ValueError("expected a topology of the data, got 'shuffled', which is drawn anew for other graphs")
    (cell,) = cells([layer], [topology])
    return cell


def _hold_out(y: Tensor, seed: int) -> tuple[list[int], list[int]]:
    """Positions to train on and to validate on; of very few graphs all do both."""
    everything = list(range(len(y)))
    if len(y) < _FEWEST_TO_HOLD_OUT:
        return everything, everything
    rule = splits.random if y.is_floating_point() else splits.stratified
    parts = rule([str(i) for i in everything], y.numpy(), fractions=(1 - _HELD_OUT, _HELD_OUT, 0.0), seed=seed)
    return parts.train.tolist(), parts.validation.tolist()


def _apply(model: FittedNetwork, graphs: Sequence[Data]) -> NDArray[np.float64]:
    """What a model says of all graphs, NaN where it cannot be asked."""
    _, problems = misfits(graphs, model.form)
    if problems:
        warnings.warn(f"NaN for graphs that cannot be used: {list_problems(problems)}", stacklevel=3)
    result = np.full((len(graphs), model.outputs), np.nan)
    kept = [i for i in range(len(graphs)) if i not in problems]
    result[kept] = model([graphs[i] for i in kept])
    return result
