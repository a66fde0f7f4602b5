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
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from graphattn import files
from graphattn.data.graphs import Form, plain
from graphattn.data.wording import listed
from graphattn.environment import versions
from graphattn.models.by_name.features import FeatureColumns, Features
from graphattn.models.by_name.network import Level, Size
from graphattn.models.by_name.topologies import Configuration
from graphattn.models.by_name.whole import Architecture, Inputs, architecture, network, prepared, read_inputs
from graphattn.models.tissue.table import TissueInputs
from graphattn.training.craft import Loss
from graphattn.training.fitting import fit
from graphattn.training.folder.card import graph_card
from graphattn.training.folder.checks import FORMAT, description_of, read_description
from graphattn.training.folder.former import BY_NAME, renamed
from graphattn.training.folder.weights import filled, read_weights, weight_files, write_folder
from graphattn.training.recipe import Hardware, Recipe
from graphattn.training.runs import Curves, Interrupted

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
        network: of :func:`graphattn.models.by_name.whole.network`.
        configuration, size: the layer and topology, or the whole model, and how large.
        form: what its graphs consist of.
        inputs: what the network knows of them: how many columns and categories they have.
        scales: of ``y`` where that is a value, by name, or of the ``score`` whose logistic function is the probability of the
            second of two classes; the network knows those of its inputs.
        outputs: classes or values.
        level: whether each graph or each node is answered.
        others: further members of an ensemble, whose answers are averaged with those of the network.
    """

    network: nn.Module
    configuration: Architecture
    size: Size
    form: Form
    inputs: Inputs
    scales: dict[str, Scale]
    outputs: int
    level: Level = "graph"
    others: tuple[nn.Module, ...] = ()

    @property
    def members(self) -> tuple[nn.Module, ...]:
        """All networks, one or those of an ensemble."""
        return (self.network, *self.others)

    @property
    def columns(self) -> int:
        """Of its answers: the outputs of the network, of a score the probabilities of both classes."""
        return 2 if "score" in self.scales else self.outputs

    @classmethod
    def learned(
        cls,
        graphs: Sequence[Data],
        y: Sequence[Tensor],
        form: Form,
        configuration: Architecture,
        size: Size,
        given: Training,
    ) -> tuple[Self, Curves]:
        """Trains a network on graphs of one form, and returns it with its curves.

        Args:
            graphs: to train on and to choose the epoch by.
            y: of each graph classes ``[1]`` or ``[n]``, -100 where there is none, or values ``[1, T]`` or ``[n, 1]``.
            form: of the graphs.
            configuration, size: the layer and topology, or the whole model, and how large.
            given: how it is trained.

        Raises:
            ValueError: as :func:`~graphattn.training.fitting.fit` does.
            Interrupted: Ctrl-C or SIGTERM; its model is the fitted network until then.
        """
        every = torch.cat(list(y))
        values = every.is_floating_point()
        copies = [plain(graph, form, configuration.reads) for graph in graphs]
        scales = given.scales if given.scales is not None else {"y": Scale.of(every)} if values else {}
        inputs = read_inputs(configuration, copies)
        outputs = given.outputs or (every.size(1) if values else int(every.max()) + 1)
        model = network(configuration, size, inputs, outputs, given.level, seed=given.recipe.seed)
        fitted = cls(model, configuration, size, form, inputs, scales, outputs, given.level)
        asked = [prepared(graph, [configuration]) for graph in copies]
        for data, answer in zip(asked, y, strict=True):
            data.y = scales["y"].scaled(answer) if values and given.scales is None else answer
        for data, weight in zip(asked, given.weights or (), strict=given.weights is not None):
            data.weight = weight
        train, validation = ([asked[i] for i in part] for part in (given.train, given.validation))
        where = {"hardware": given.hardware, "folder": given.folder, "resume": given.resume, "verbose": given.verbose}
        try:
            return fitted, fit(model, train, validation, given.recipe, given.loss, {}, **where)
        except Interrupted as stop:
            stop.model = fitted
            raise

    def prepared(self, graph: Data) -> Data:
        """Copy with the attributes that the network reads."""
        return prepared(plain(graph, self.form, self.configuration.reads), [self.configuration])

    @torch.inference_mode()
    def __call__(self, graphs: Sequence[Data], batch_size: int = 256) -> NDArray[np.float64]:
        """Probabilities ``[N, classes]``, or values ``[N, T]``, of each graph or of all nodes one graph behind the other."""
        return self.each(graphs, batch_size).mean(0)

    @torch.inference_mode()
    def each(self, graphs: Sequence[Data], batch_size: int = 256) -> NDArray[np.float64]:
        """The answers of every member, ``[members, N, columns]``."""
        batches = DataLoader([self.prepared(graph) for graph in graphs], batch_size=batch_size)
        found = [torch.stack([member(batch).double() for member in self.members]) for batch in batches]
        empty = torch.zeros(len(self.members), 0, self.outputs, dtype=torch.float64)
        return self.answered(torch.cat(found, dim=1) if found else empty).numpy()

    def answered(self, outputs: Tensor) -> Tensor:
        """What outputs ``[..., outputs]`` mean: probabilities or values ``[..., columns]``."""
        if not self.scales:
            return outputs.double().softmax(-1)
        name, scale = next(iter(self.scales.items()))
        mean, deviation = (torch.tensor(each, dtype=torch.float64) for each in scale)
        if name == "y":
            return outputs.double() * deviation + mean
        positive = ((outputs.double() - mean) / deviation).sigmoid()
        return torch.cat([1 - positive, positive], dim=-1)

    def save(self, folder: str | Path, more: Mapping[str, Any]) -> Path:
        """Writes a model folder with ``more`` in its description."""
        described = {
            "format": FORMAT,
            "kind": "graphs",
            "versions": versions(),
            "cell": self.configuration,
            "size": dataclasses.asdict(self.size),
            "form": self.form,
            **_of_inputs(self.inputs),
            "outputs": self.outputs,
            "scales": self.scales,
            "level": self.level,
            **more,
        }
        return write_folder(folder, described, self.members, graph_card(described))

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
        paths = weight_files({"weights": ["model.safetensors"], **described}, folder)
        first, *others = (filled(empty.build, renamed(read_weights(path), BY_NAME), path) for path in paths)
        return dataclasses.replace(empty, network=first, others=tuple(others)), described

    def build(self) -> nn.Module:
        """A network like this one, with fresh weights."""
        return network(self.configuration, self.size, self.inputs, self.outputs, self.level)


class Training(NamedTuple):
    """How a network is trained: positions of the graphs to learn from and to choose the epoch by, the recipe and the loss,
    whether each graph or each node has an answer; how many classes or values, if not those of the answers; weights of these, if
    any; scales of the outputs in place of those of the answers, which are then learned as they are; and where, as
    :func:`~graphattn.training.fitting.fit` takes it.
    """

    train: Sequence[int]
    validation: Sequence[int]
    recipe: Recipe
    loss: Loss
    level: Level = "graph"
    outputs: int | None = None
    weights: Sequence[Tensor] | None = None
    scales: dict[str, Scale] | None = None
    hardware: Hardware | None = None
    folder: Path | None = None
    resume: bool = False
    verbose: bool = False


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
    configuration = architecture(*described["cell"])
    inputs = _inputs(described, configuration)
    scales = {name: Scale(*each) for name, each in described["scales"].items()}
    if len(scales) > 1 or set(scales) - {"y", "score"}:
        raise ValueError(f"expected a scale of y or of a score, or none, got {listed(scales)}")
    for scale in scales.values():
        mean, deviation = torch.tensor(scale.mean), torch.tensor(scale.deviation)
        finite = bool((mean.isfinite() & deviation.isfinite() & (deviation > 0)).all())
        if mean.shape != (outputs,) or deviation.shape != (outputs,) or not finite:
            raise ValueError(f"expected {outputs} means and positive deviations, got {scale}")
    form = Form(*described["form"]).read(configuration.reads)
    with torch.device("meta"):
        model = network(configuration, size, inputs, outputs, level)
    return FittedNetwork(model, configuration, size, form, inputs, scales, outputs, level)


def _of_inputs(inputs: Inputs) -> dict[str, Any]:
    if isinstance(inputs, Features):
        return {"features": inputs}
    return {"features": inputs.features, "degrees": inputs.degrees, "largest": inputs.largest}


def _inputs(described: Mapping[str, Any], configuration: Architecture) -> Inputs:
    nodes, edges, *places = described["features"]
    features = Features(_columns(nodes), edges and _columns(edges), *places)
    if isinstance(configuration, Configuration):
        return features
    degrees, largest = tuple(described["degrees"]), described["largest"]
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in (*degrees, largest)) or len(degrees) < 2:
        raise ValueError(
            f"expected counts of nodes by their senders, and of the largest graph, got {degrees}, {largest!r}"
        )
    return TissueInputs(features, degrees, largest)


def _columns(stored: Sequence[Any]) -> FeatureColumns:
    missing = tuple(stored[4]) if len(stored) > 4 else ()
    columns = FeatureColumns(stored[0], tuple(stored[1]), missing=missing)
    counts = (columns.numbers, len(columns.categories), *columns.categories, *columns.missing)
    if any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= _MOST_COLUMNS for n in counts):
        raise ValueError(f"expected counts of columns up to {_MOST_COLUMNS:,}, got {counts[:20]}")
    return columns
