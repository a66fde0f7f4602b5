"""Graph networks as scikit-learn estimators: PyG graphs in, labels or values out.

Samples are a list of PyG ``Data``. Labels are those given as ``y``; what graphs hold as ``data.y`` is looked at only where no
``y`` is given. Graphs are not changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.data.graphs import Form, gaps, misfits, weighted
from graphattn.estimators.base import Estimator, Lesson, Usable, Words
from graphattn.estimators.checking import positive, share, whole
from graphattn.estimators.kinds import Classifier, ClassWeight, Regressor
from graphattn.estimators.targets import Targets, of_graphs_themselves, of_nodes
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.whole import Architecture, NamedModel, architecture
from graphattn.training.craft import cross_entropy, squared_error
from graphattn.training.fitted_graphs import FittedNetwork, Training
from graphattn.training.recipe import Recipe

_HEADS = 4
_MOST_NAMED = 20


class _Graphs(Estimator):
    """How graphs are read and learned."""

    words = Words("graph", "graphs", "used", "one label per graph")
    balances = False
    model_: FittedNetwork

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

    def _parameters(self) -> dict[str, Any]:
        own = isinstance(self._configuration(), NamedModel)
        if own and self.dropout != 0.0:
            raise ValueError(f"{self.layer} has its own dropout: expected dropout=0.0, got dropout={self.dropout!r}")
        return {
            "layer": self.layer,
            "topology": self.topology,
            "channels": whole("channels", self.channels, multiple=_HEADS),
            "layers": whole("layers", self.layers),
            "dropout": share("dropout", self.dropout),
            "epochs": whole("epochs", self.epochs),
            "learning_rate": positive("learning_rate", self.learning_rate),
            "seed": whole("seed", self.seed, least=0),
        }

    def _configuration(self) -> Architecture:
        if self.topology == "shuffled":
            raise ValueError("expected a topology of the data, got 'shuffled', which is drawn anew for other graphs")
        return architecture(self.layer, self.topology)

    def _listed(self, given: Any) -> list[Any]:
        if isinstance(given, Batch):
            return given.to_data_list()
        if isinstance(given, Data) or not isinstance(given, Iterable):
            raise TypeError(f"expected a list of PyG Data, got one {type(given).__name__}; write [data]")
        return list(given)

    def _read(self, samples: Sequence[Any], model: FittedNetwork | None = None) -> Usable:
        configuration = self._configuration() if model is None else model.configuration
        if model is not None:
            self._check_width(samples, model.form)
        form, problems = misfits(samples, None if model is None else model.form, configuration.reads)
        positions = np.array([i for i in range(len(samples)) if i not in problems], dtype=np.int64)
        usable = [samples[i] for i in positions]
        _tell(usable, configuration, form)
        return Usable(usable, positions, problems)

    def _check_width(self, samples: Sequence[Any], form: Form) -> None:
        """Refuse graphs that all have another number of features than those of the fit: then it is not a graph that is wrong."""
        held = [each.x for each in samples if isinstance(each, Data) and isinstance(each.x, Tensor) and each.x.dim()]
        widths = {x.size(1) if x.dim() > 1 else 1 for x in held}
        if not form.x or len(widths) != 1 or form.columns in widths:
            return
        message = (
            f"X has {widths.pop()} features, but {type(self).__name__} is expecting {form.columns} features as input"
        )
        flat = (
            f". Reshape your data: x {list(held[0].shape)} is one feature of as many nodes"
            if held[0].dim() == 1
            else ""
        )
        raise ValueError(message + flat)

    @property
    def n_features_in_(self) -> int:
        """Features of each node, as in the fit."""
        check_is_fitted(self, "model_")
        return self.model_.form.columns

    def __sklearn_tags__(self) -> Tags:
        """Graphs, of which numbers may be missing, and no table of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.allow_nan = False, True
        return tags

    def _labelled(self, samples: Sequence[Any], y: Any, values: bool) -> tuple[Any, Targets | None]:
        y, choosing = of_graphs_themselves(samples, type(self).__name__) if y is None else (y, None)
        rows = of_nodes(samples, y, values)
        return y, None if rows is None else Targets(rows, "node", choosing)

    def _nodes(self, model: FittedNetwork, samples: Sequence[Any]) -> list[int] | None:
        if model.level == "graph":
            return None
        return [int(graph.num_nodes or 0) if isinstance(graph, Data) else 0 for graph in samples]

    def _keys(self, samples: Sequence[Data]) -> list[str]:
        return [str(number) for number in range(len(samples))]

    def _learn(self, lesson: Lesson, parameters: dict[str, Any]) -> FittedNetwork:
        configuration = self._configuration()
        form, _ = misfits(lesson.samples, reads=configuration.reads)
        assert form is not None
        width, epochs = parameters["channels"], parameters["epochs"]
        size = Size(width, 2 * width, parameters["layers"], _HEADS, parameters["dropout"])
        recipe = Recipe(epochs, learning_rate=parameters["learning_rate"], patience=epochs, seed=parameters["seed"])
        loss = cross_entropy() if lesson.classes else squared_error
        weights = None if lesson.weights is None else [torch.from_numpy(weight).float() for weight in lesson.weights]
        training = Training(
            lesson.train.tolist(), lesson.validation.tolist(), recipe, loss, lesson.level, weights=weights
        )
        y = [torch.from_numpy(row) for row in lesson.y]
        return FittedNetwork.learned(lesson.samples, y, form, configuration, size, training)[0]

    def _answers(self, model: FittedNetwork, samples: list[Any]) -> NDArray[np.float64]:
        return model(samples)

    def _write(self, folder: str | Path, described: dict[str, Any]) -> Path:
        return self.model_.save(folder, {"parameters": self._parameters(), **described})

    @classmethod
    def _stored(cls, folder: str | Path, trust: bool, classes: bool) -> tuple[Self, dict[str, Any]]:
        model, described = FittedNetwork.load(folder, trust)
        if ("classes" in described) is not classes:
            held, expected = ("a regressor", "a classifier") if classes else ("a classifier", "a regressor")
            raise ValueError(f"{folder} holds {held}; expected {expected}")
        given, known = described.get("parameters"), set(cls().get_params()) - {"class_weight"}
        if not isinstance(given, dict) or set(given) != known:
            raise ValueError(f"{folder} is damaged: expected the parameters {', '.join(sorted(known))}, got {given!r}")
        if classes and (not isinstance(described["classes"], list) or len(described["classes"]) != model.columns):
            raise ValueError(f"{folder} is damaged: expected {model.columns} classes, got {described['classes']!r}")
        estimator = cls(**given)
        estimator.model_ = model
        return estimator, described


def _tell(graphs: Sequence[Data], configuration: Architecture, form: Form | None) -> None:
    """Warns of values that are missing and of weights that are not used."""
    if gapped := gaps(graphs, configuration.reads):
        more = (f"and {len(gapped) - _MOST_NAMED} more features",) if len(gapped) > _MOST_NAMED else ()
        warnings.warn("; ".join(gapped[:_MOST_NAMED] + more), stacklevel=5)
    if (form is None or not form.edge_weight) and any(map(weighted, graphs)):
        why = (
            f"{configuration.layer} on {configuration.topology} does not read it"
            if not configuration.reads
            else "no graph of the fit had it"
        )
        warnings.warn(f"edge_weight is not used: {why}", stacklevel=5)


@final
class GraphClassifier(Classifier, _Graphs):
    """Predicts a class of a graph: a layer on a topology, in the network of :func:`graphattn.compare`.

    Args:
        layer: ``attention``, ``edge_attention`` (with edge features and distances), ``gcn``, ``gat``, ``gatv2``, ``gin``,
            ``sage``, ``edgeconv``, or ``mlp``, which has no edges; or a whole model on the topology ``edges``, of
            :data:`~graphattn.models.tissue.TISSUE_MODELS`: ``slide_graph``, ``gland_graph``, ``tissue_transformer``,
            ``attention_mil``. These have their own number of layers and dropout.
        topology: the edges: ``full`` (all pairs of nodes in a graph), ``edges`` (those of the data), ``edges+hub``, or ``none``.
        channels: width of the network, a multiple of 4.
        layers: number of blocks.
        dropout: share of activations dropped in training.
        epochs: passes over the training graphs; a tenth of them is held out and chooses the best epoch.
        learning_rate: highest rate of the schedule.
        seed: of weights, order and the graphs held out. Equal seeds give equal models.
        class_weight: how much each class counts in the loss: ``balanced``, a weight by label, or None for all alike.

    Labels may be numbers, booleans or texts. After ``fit``: ``classes_`` (sorted), ``n_features_in_`` and
    ``model_``. Graphs that all have another number of features are refused in prediction.

    **Nodes.** With a list of arrays as ``y``, one label for each node of each graph (None, NaN or -100: none), nodes are
    classified: ``predict`` and ``predict_proba`` give a list of arrays, one for each graph. Of 20 graphs or more (with groups, of
    5 or more groups) some are held out whole, else a tenth of the labelled nodes. Without ``y``, labels are those that graphs
    hold; of nodes only those in ``train_mask`` where there is one, and those in ``val_mask`` choose the epoch.

    **Groups.** ``fit(graphs, y, groups=...)`` keeps graphs of one group (a patient) together when it holds some out; groups are a
    label for each graph, or the name of an attribute of graphs. In ``cross_val_score`` they go to the splitter:
    ``cross_val_score(model, graphs, y, groups=patients, cv=GroupKFold())``.

    **Weights.** ``fit(graphs, y, sample_weight=...)`` says how much each graph, with all its nodes, counts in the loss;
    it is multiplied by that of its class.

    **Missing numbers** (NaN) of nodes or edges are replaced by the mean, with a further column that marks them; a warning names
    them. ``edge_weight`` is read by ``gcn`` on lists of edges and, as a feature, by ``edge_attention``; with others, a warning
    states that it is not used.

    >>> from graphattn.data.generated import motif
    >>> graphs = motif(40)
    >>> labels = ["yes" if data.y else "no" for data in graphs]
    >>> model = GraphClassifier(layer="gcn", topology="edges", channels=8, layers=1, epochs=1).fit(graphs, labels)
    >>> model.classes_.tolist(), model.predict_proba(graphs[:3]).shape
    (['no', 'yes'], (3, 2))

    Nodes of one graph, two of them labelled:

    >>> ring = Data(x=torch.eye(4), edge_index=torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]]))
    >>> model.fit([ring], [["a", None, "b", None]]).predict([ring])[0].shape
    (4,)
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
        class_weight: ClassWeight = None,
    ) -> None:
        super().__init__(layer, topology, channels, layers, dropout, epochs, learning_rate, seed)
        self.class_weight = class_weight


@final
class GraphRegressor(Regressor, _Graphs):
    """Predicts a number of a graph, or several. The arguments are those of
    :class:`GraphClassifier` but for ``class_weight``. After ``fit``: ``model_``.

    >>> graphs = [Data(x=torch.ones(n, 1), edge_index=torch.zeros(2, 0).long()) for n in range(1, 9)]
    >>> model = GraphRegressor(layer="gin", topology="edges", channels=8, layers=1, epochs=1)
    >>> model.fit(graphs, [float(data.num_nodes) for data in graphs]).predict(graphs).shape
    (8,)
    """
