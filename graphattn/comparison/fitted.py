"""A trained network of the comparison with all that turns graphs into answers, in memory and as a folder. Nothing is pickled."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from graphattn import files
from graphattn.data.graphs import Form, plain
from graphattn.models.by_name.features import Columns, Features
from graphattn.models.by_name.network import Level, Size, named_network
from graphattn.models.by_name.topologies import Cell, prepared
from graphattn.models.network import Network
from graphattn.training.craft import Loss
from graphattn.training.fitting import fit
from graphattn.training.former import BY_NAME, renamed
from graphattn.training.recipe import Recipe

FORMAT = 1
_DESCRIPTION, _WEIGHTS = "graph_model.json", "model.safetensors"
_MISSING = "expected a folder that GraphClassifier or GraphRegressor saved"


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
        cell, size: the layer and topology, and how large.
        form: what its graphs consist of.
        features: how many columns and categories these have.
        scales: of ``y`` where that is a value, by name; the network knows those of its inputs.
        level: whether each graph or each node is answered.
    """

    network: Network
    cell: Cell
    size: Size
    form: Form
    features: Features
    scales: dict[str, Scale]
    level: Level = "graph"

    @classmethod
    def learned(
        cls, graphs: Sequence[Data], y: Sequence[Tensor], form: Form, cell: Cell, size: Size, given: Training
    ) -> Self:
        """Trains a network on graphs of one form.

        Args:
            graphs: to train on and to choose the epoch by.
            y: of each graph classes ``[1]`` or ``[n]``, -100 where there is none, or values ``[1, T]`` or ``[n, 1]``.
            form: of the graphs.
            cell, size: the layer and topology, and how large.
            given: how it is trained.
        """
        every = torch.cat(list(y))
        values = every.is_floating_point()
        copies = [plain(graph, form, cell.reads) for graph in graphs]
        scales = {"y": Scale.of(every)} if values else {}
        features = Features.of(copies)
        outputs = every.size(1) if values else int(every.max()) + 1
        network = named_network(cell, size, features, outputs, given.level, seed=given.recipe.seed)
        fitted = cls(network, cell, size, form, features, scales, given.level)
        asked = [prepared(graph, [cell]) for graph in copies]
        for data, answer in zip(asked, y, strict=True):
            data.y = scales["y"].scaled(answer) if values else answer
        train, validation = ([asked[i] for i in part] for part in (given.train, given.validation))
        fit(network, train, validation, given.recipe, given.loss, measures={})
        return fitted

    def heard(self, graph: Data) -> Data:
        """A copy with what the network hears."""
        return prepared(plain(graph, self.form, self.cell.reads), [self.cell])

    @torch.inference_mode()
    def __call__(self, graphs: Sequence[Data], batch_size: int = 256) -> NDArray[np.float64]:
        """Probabilities ``[N, classes]``, or values ``[N, T]``, of each graph or of all nodes one graph behind the other."""
        batches = DataLoader([self.heard(graph) for graph in graphs], batch_size=batch_size)
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
        """Writes ``model.safetensors``, ``graph_model.json`` with ``more`` in it, and ``manifest.json``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.contiguous().clone() for name, value in self.network.state_dict().items()}
        files.write(folder / _WEIGHTS, save(weights))
        described = {
            "format": FORMAT,
            "cell": self.cell,
            "size": dataclasses.asdict(self.size),
            "form": self.form,
            "features": self.features,
            "outputs": self.outputs,
            "scales": self.scales,
            "level": self.level,
            **more,
        }
        files.write(folder / _DESCRIPTION, json.dumps(described, indent=1, allow_nan=False) + "\n")
        files.seal(folder, [_WEIGHTS, _DESCRIPTION])
        return folder

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> tuple[Self, dict[str, Any]]:
        """The network in a folder, and all that its description holds; with `trust` also when files were changed since.

        Raises:
            ValueError: a folder without a model, a changed, damaged or missing file, another format.
        """
        path = Path(folder) / _DESCRIPTION
        if not path.is_file():
            raise ValueError(f"{folder} holds no graph model: {_MISSING}, with {path.name} in it")
        if not trust:
            files.verify(Path(folder))
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
            if described["format"] != FORMAT:
                raise ValueError(f"format {described['format']!r}, and this version reads {FORMAT}")
            nodes, edges, *places = described["features"]
            features = Features(_columns(nodes), edges and _columns(edges), *places)
            cell = Cell(*described["cell"])
            form = Form(*described["form"]).read(cell.reads)
            scales = {name: Scale(*each) for name, each in described["scales"].items()}
            size = Size(**described["size"])
            level = described.get("level", "graph")
            network = named_network(cell, size, features, described["outputs"], level)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} is damaged or of another version: {type(error).__name__} {error}") from error
        weights = Path(folder) / _WEIGHTS
        try:
            network.load_state_dict(renamed(load_file(weights), BY_NAME))
        except FileNotFoundError as error:
            raise ValueError(f"{folder} is incomplete: {weights.name} is missing") from error
        except (SafetensorError, RuntimeError, OSError) as error:
            raise ValueError(f"{weights} is damaged: {str(error).splitlines()[0]}") from error
        return cls(network.eval(), cell, size, form, features, scales, level), described


class Training(NamedTuple):
    """How a network is trained: positions of the graphs to learn from and to choose the epoch by, the recipe and the loss, and
    whether each graph or each node has an answer.
    """

    train: Sequence[int]
    validation: Sequence[int]
    recipe: Recipe
    loss: Loss
    level: Level = "graph"


def _columns(stored: Sequence[Any]) -> Columns:
    missing = tuple(stored[4]) if len(stored) > 4 else ()
    return Columns(stored[0], tuple(stored[1]), missing=missing)
