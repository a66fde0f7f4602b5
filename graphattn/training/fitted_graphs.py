"""A trained network by name with all that turns PyG graphs into answers, in memory and as a folder. Nothing is pickled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from graphattn import files
from graphattn.data.graphs import Form, plain
from graphattn.environment import versions
from graphattn.models.by_name.features import FeatureColumns, Features
from graphattn.models.by_name.network import Level, Size, named_network
from graphattn.models.by_name.topologies import Configuration, configurations, prepared
from graphattn.models.network import Network
from graphattn.training.craft import Loss
from graphattn.training.fitting import fit
from graphattn.training.folder.card import graph_card
from graphattn.training.folder.checks import FORMAT, description_of, read_description
from graphattn.training.folder.former import BY_NAME, renamed
from graphattn.training.folder.weights import filled, read_weights, weight_files, write_folder
from graphattn.training.recipe import Recipe

_MOST = {"width": 65_536, "hidden": 1_000_000, "depth": 1_000, "heads": 4_096}
_MOST_COLUMNS = 1_000_000


class Scale(NamedTuple):
    """Mean and deviation of columns; a column that is constant has the deviation 1."""

    mean: list[float]
    deviation: list[float]

    @classmethod
    def of(cls, rows: Tensor) -> Scale:
        """Of the columns of ``[N, columns]``, without what is missing (NaN).

        >>> Scale.of(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
        Scale(mean=[2.0, 5.0], deviation=[1.0, 1.0])
        """
        if not len(rows):
            return cls([0.0] * rows.size(1), [1.0] * rows.size(1))
        if bool(rows.isnan().any()):
            mean = rows.double().nanmean(0)
            deviation = (rows - mean).square().nanmean(0).sqrt()
        else:
            deviation, mean = torch.std_mean(rows.double(), dim=0, correction=0)
        return cls(mean.tolist(), torch.where(deviation > 1e-9, deviation, 1.0).tolist())

    def scaled(self, rows: Tensor) -> Tensor:
        """``[N, columns]``, less the mean, over the deviation."""
        mean, deviation = (torch.tensor(each, dtype=torch.float64) for each in self)
        return ((rows.double() - mean) / deviation).float()


@final
@dataclass(frozen=True)
class FittedNetwork:
    """A trained network.

    Args:
        network: of :mod:`graphattn.models.by_name.network`.
        configuration, size: the layer and topology, and how large.
        form: what its graphs consist of.
        features: how many columns and categories these have.
        scales: of ``y`` where that is a value, by name; the network knows those of its inputs.
        level: whether each graph or each node is answered.
    """

    network: Network
    configuration: Configuration
    size: Size
    form: Form
    features: Features
    scales: dict[str, Scale]
    level: Level = "graph"

    @classmethod
    def learned(
        cls,
        graphs: Sequence[Data],
        y: Sequence[Tensor],
        form: Form,
        configuration: Configuration,
        size: Size,
        given: Training,
    ) -> Self:
        """Trains a network on graphs of one form.

        Args:
            graphs: to train on and to choose the epoch by.
            y: of each graph classes ``[1]`` or ``[n]``, -100 where there is none, or values ``[1, T]`` or ``[n, 1]``.
            form: of the graphs.
            configuration, size: the layer and topology, and how large.
            given: how it is trained.
        """
        every = torch.cat(list(y))
        values = every.is_floating_point()
        copies = [plain(graph, form, configuration.reads) for graph in graphs]
        scales = {"y": Scale.of(every)} if values else {}
        features = Features.of(copies)
        outputs = every.size(1) if values else int(every.max()) + 1
        network = named_network(configuration, size, features, outputs, given.level, seed=given.recipe.seed)
        fitted = cls(network, configuration, size, form, features, scales, given.level)
        asked = [prepared(graph, [configuration]) for graph in copies]
        for data, answer in zip(asked, y, strict=True):
            data.y = scales["y"].scaled(answer) if values else answer
        train, validation = ([asked[i] for i in part] for part in (given.train, given.validation))
        fit(network, train, validation, given.recipe, given.loss, measures={})
        return fitted

    def prepared(self, graph: Data) -> Data:
        """Copy with the attributes that the network reads."""
        return prepared(plain(graph, self.form, self.configuration.reads), [self.configuration])

    @torch.inference_mode()
    def __call__(self, graphs: Sequence[Data], batch_size: int = 256) -> NDArray[np.float64]:
        """Probabilities ``[N, classes]``, or values ``[N, T]``, of each graph or of all nodes one graph behind the other."""
        batches = DataLoader([self.prepared(graph) for graph in graphs], batch_size=batch_size)
        found = [self.network(batch).double() for batch in batches]
        said = torch.cat(found) if found else torch.zeros(0, self.outputs, dtype=torch.float64)
        if "y" not in self.scales:
            return said.softmax(1).numpy()
        mean, deviation = self.scales["y"]
        return said.numpy() * np.array(deviation) + np.array(mean)

    @property
    def outputs(self) -> int:
        """Classes or values."""
        head = self.network.head
        assert isinstance(head, torch.nn.Sequential)
        last = head[-1]
        assert isinstance(last, torch.nn.Linear)
        return last.out_features

    def save(self, folder: str | Path, more: Mapping[str, Any]) -> Path:
        """Writes a model folder with ``more`` in its description."""
        described = {
            "format": FORMAT,
            "kind": "graphs",
            "versions": versions(),
            "cell": self.configuration,
            "size": dataclasses.asdict(self.size),
            "form": self.form,
            "features": self.features,
            "outputs": self.outputs,
            "scales": self.scales,
            "level": self.level,
            **more,
        }
        return write_folder(folder, described, [self.network], graph_card(described))

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> tuple[FittedNetwork, dict[str, Any]]:
        """The network in a folder, and all that its description holds; with ``trust`` also when files were changed since.

        Raises:
            ValueError: a folder without a model, a changed, damaged or missing file, another format.
        """
        folder = Path(folder)
        described = read_description(folder, "graphs")
        if not trust:
            files.verify(folder, required=described["format"] > 1)
        try:
            empty = _described(described)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
            path = folder / description_of(folder, "graphs")
            raise ValueError(f"{path} is damaged: {type(error).__name__} {error}") from error
        (path,) = weight_files({"weights": ["model.safetensors"], **described}, folder)[:1]
        weights = renamed(read_weights(path), BY_NAME)
        network = filled(lambda: empty.build(int(described["outputs"])), weights, path)
        return dataclasses.replace(empty, network=network), described

    def build(self, outputs: int) -> Network:
        """A network like this one, with fresh weights."""
        return named_network(self.configuration, self.size, self.features, outputs, self.level)


class Training(NamedTuple):
    """How a network is trained: positions of the graphs to learn from and to choose the epoch by, the recipe and the loss, and
    whether each graph or each node has an answer.
    """

    train: Sequence[int]
    validation: Sequence[int]
    recipe: Recipe
    loss: Loss
    level: Level = "graph"


def _described(described: Mapping[str, Any]) -> FittedNetwork:
    """The model without its weights; raises whatever a value raises that no model of this version has."""
    size = Size(**described["size"])
    for name, most in _MOST.items():
        value = getattr(size, name)
        if isinstance(value, bool) or not isinstance(value, int) or value > most:
            raise ValueError(f"expected {name} as a whole number up to {most:,}, got {value!r}")
    outputs, level = described["outputs"], described.get("level", "graph")
    if isinstance(outputs, bool) or not isinstance(outputs, int) or not 1 <= outputs <= _MOST_COLUMNS:
        raise ValueError(f"expected outputs from 1 to {_MOST_COLUMNS:,}, got {outputs!r}")
    if level not in ("graph", "node"):
        raise ValueError(f"expected the level graph or node, got {level!r}")
    nodes, edges, *places = described["features"]
    features = Features(_columns(nodes), edges and _columns(edges), *places)
    configuration = Configuration(*described["cell"])
    configurations([configuration.layer], [configuration.topology])
    scales = {name: Scale(*each) for name, each in described["scales"].items()}
    for scale in scales.values():
        mean, deviation = torch.tensor(scale.mean), torch.tensor(scale.deviation)
        finite = bool((mean.isfinite() & deviation.isfinite() & (deviation > 0)).all())
        if mean.shape != (outputs,) or deviation.shape != (outputs,) or not finite:
            raise ValueError(f"expected {outputs} means and positive deviations, got {scale}")
    form = Form(*described["form"]).read(configuration.reads)
    with torch.device("meta"):
        network = named_network(configuration, size, features, outputs, level)
    return FittedNetwork(network, configuration, size, form, features, scales, level)


def _columns(stored: Sequence[Any]) -> FeatureColumns:
    missing = tuple(stored[4]) if len(stored) > 4 else ()
    columns = FeatureColumns(stored[0], tuple(stored[1]), missing=missing)
    counts = (columns.numbers, len(columns.categories), *columns.categories, *columns.missing)
    if any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= _MOST_COLUMNS for n in counts):
        raise ValueError(f"expected counts of columns up to {_MOST_COLUMNS:,}, got {counts[:20]}")
    return columns
