"""A trained model, in memory and as a folder: weights in safetensors, the rest in ``model.json``. Nothing is pickled."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn import files
from graphattn.data.molecules.chemistry import Chemistry
from graphattn.data.molecules.fingerprints import BITS
from graphattn.data.molecules.rdkit2d import own_columns
from graphattn.data.tasks import Task
from graphattn.environment import versions
from graphattn.models.forest import forest_of
from graphattn.models.network import Network
from graphattn.training.batches import by_size
from graphattn.training.folder.build import build
from graphattn.training.folder.card import card
from graphattn.training.folder.checks import DESCRIPTION, FIELDS, FORMAT, read_description
from graphattn.training.folder.features import check_features, feature_tables
from graphattn.training.folder.former import MOLECULE_TRANSFORMER, renamed
from graphattn.training.folder.weights import filled, read_weights, weight_files, write_folder
from graphattn.training.molecules.forests.arrays import ForestPart, answers_of
from graphattn.training.molecules.objective import SCORES, predictions
from graphattn.training.molecules.packed import Packed, Standardiser
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.domain import FILE as NEIGHBOURS
from graphattn.training.molecules.reliability.domain import Neighbours
from graphattn.training.recipe import MoleculeRecipe

NETWORK = "graph transformer"


@dataclass
class FittedModel:
    """Graph networks, a forest or both, with all that turns molecules into predictions.

    - ``members`` make logits of a batch: networks of one ``architecture``, behind them the forest that ``forest`` describes.
    - ``target``: mean and deviation of the training targets, which the outputs of a regression are scaled with.
    - ``standardiser``: statistics of the descriptors, None for a model without; ``descriptor_names`` are its columns, those of
      RDKit first.
    - ``reliability``: what the validation part says about its predictions; None where that was not asked.
    - ``record``: what is known about the training, to be kept in ``model.json``: "split", "metrics", "data", "training".
    """

    task: Task
    architecture: dict[str, Any]
    recipe: MoleculeRecipe
    members: list[nn.Module]
    target: tuple[Tensor, Tensor]
    standardiser: Standardiser | None = None
    descriptor_names: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)
    reliability: Reliability | None = None
    forest: ForestPart | None = None

    @property
    def name(self) -> str:
        """What it is called beside others."""
        if self.forest is None:
            return NETWORK
        return self.forest.name if self.forest.share == 1 else f"{NETWORK} and {self.forest.name}"

    @property
    def networks(self) -> list[nn.Module]:
        """The members that are no forest."""
        return self.members if self.forest is None else self.members[:-1]

    @property
    def shares(self) -> NDArray[np.float64]:
        """How much each member counts; they add up to 1."""
        if self.forest is None:
            return np.full(len(self.members), 1 / len(self.members))
        networks = len(self.members) - 1
        return np.array([(1 - self.forest.share) / max(1, networks)] * networks + [self.forest.share])

    @property
    def reads_descriptors(self) -> bool:
        """Whether it needs graphs with descriptors."""
        return self.standardiser is not None or self.table > BITS

    @property
    def reads_fingerprints(self) -> bool:
        """Whether it needs graphs with fingerprints."""
        return self.forest is not None

    @property
    def table(self) -> int:
        """Number of columns that the forest reads, fingerprints before descriptors; 0 without a forest."""
        return self.forest.inputs if self.forest else 0

    @property
    def chemistry(self) -> Chemistry:
        """How the SMILES it was trained on became atoms."""
        return Chemistry(**self.record.get("chemistry", {}))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a table that it reads as descriptors."""
        return own_columns(self.descriptor_names)

    @property
    def reads_rdkit(self) -> bool:
        """Whether it reads RDKit's descriptors."""
        read = self.standardiser.width if self.standardiser else self.table - BITS
        return self.reads_descriptors and read > len(self.columns)

    def predict(self, graphs: list[Data], batch_size: int = 256) -> NDArray[np.float64]:
        """Mean over the members of ``objective.predictions``, one row per graph, in the order of ``graphs``.

        Raises:
            ValueError: a graph lacks the descriptors the model reads.
        """
        return self.mean(self.predict_each(graphs, batch_size))

    def mean(self, each: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of predictions of the members, ``[members, ...] -> [...]``, by their shares."""
        return np.tensordot(self.shares, each, 1) if self.forest else each.mean(0)

    def predict_each(self, graphs: list[Data], batch_size: int = 256) -> NDArray[np.float64]:
        """The predictions of every member ``[members, graphs, outputs]``, of which :meth:`predict` is the mean.

        Raises:
            ValueError: as :meth:`predict`.
        """
        width = self.task.outputs
        if not graphs:
            return np.zeros((len(self.members), 0, width))
        packed = Packed.of(graphs, self.standardiser, self.table)
        result = torch.zeros(len(self.members), len(graphs), width, dtype=torch.float64)
        with torch.inference_mode():
            for positions in by_size(packed.nodes.numpy(), batch_size):
                batch = packed[positions]
                outputs = [predictions(self.task, member(batch), *self.target).double() for member in self.members]
                result[:, positions] = torch.stack(outputs)
        return result.numpy()

    def embed(self, graphs: list[Data], batch_size: int = 256) -> NDArray[np.float32]:
        """What the heads of the networks read of each graph ``[N, F]``, that of all networks side by side.

        Raises:
            ValueError: no graphs, no network, or one that is no :class:`~graphattn.models.network.Network`.
        """
        if not self.networks:
            raise ValueError(f"expected a model with a graph network, which embeds molecules; got {self.name} alone")
        packed, rows = Packed.of(graphs, self.standardiser), {}
        with torch.inference_mode():
            for positions in by_size(packed.nodes.numpy(), batch_size):
                batch: Any = packed[positions]
                read = torch.cat([_network(member).embed(batch) for member in self.networks], dim=1)
                rows |= dict(zip(positions.tolist(), read.float().numpy(), strict=True))
        return np.stack([rows[row] for row in range(len(graphs))])

    def probabilities(self, graphs: list[Data]) -> NDArray[np.float64]:
        """Probability of every class of ``task.classes`` [N, K]; of both classes for a binary task.

        Calibrated where the model has a calibration, as in the columns ``calibrated_...`` of ``graphattn predict``;
        :meth:`predict` is what the network says.

        Raises:
            ValueError: a regression model; as :meth:`predict`.
        """
        if self.task.kind == "regression":
            raise ValueError("a regression has no classes: expected a classification task, got 'regression'")
        found = self.predict(graphs)
        if self.reliability is not None:
            calibrated = self.reliability.calibrated(self.task, found)
            found = np.where(np.isnan(calibrated), found, calibrated)
        return np.hstack([1 - found, found]) if self.task.kind == "binary" else found

    def save(self, folder: str | Path) -> Path:
        """Write the weights (``model.safetensors``, of an ensemble also ``model-2.safetensors``, ...), the card ``README.md``,
        ``model.json`` and ``manifest.json``.
        """
        described = self.describe()
        known = self.reliability.neighbours if self.reliability else None
        more = {NEIGHBOURS: known.content()} if known else {}
        return write_folder(folder, described, self.members, card(described), more)

    def describe(self) -> dict[str, Any]:
        """What ``model.json`` holds, but for the names of the weight files."""
        described: dict[str, Any] = {
            "format": FORMAT,
            "kind": "molecules",
            "versions": versions(),
            "task": self.task.to_dict(),
            "architecture": self.architecture,
            "recipe": dataclasses.asdict(self.recipe),
            "seed": self.recipe.seed,
            "target": {"mean": self.target[0].tolist(), "deviation": self.target[1].tolist()},
            "features": feature_tables(),
            "parameters": sum(p.numel() for network in self.networks[:1] for p in network.parameters()),
            "descriptors": None,
        }
        if self.forest is not None:
            described["forest"] = dataclasses.asdict(self.forest)
        if self.reads_descriptors:
            statistics = self.standardiser.to_dict() if self.standardiser else {}
            described["descriptors"] = {"names": list(self.descriptor_names), **statistics}
        if self.reliability is not None:
            described["reliability"] = self.reliability.to_dict()
        return described | self.record


def load(folder: str | Path, trust: bool = False) -> FittedModel:
    """The model saved in ``folder``; with ``trust`` also when its files were changed since.

    Raises:
        ValueError: a folder without a model, a changed, damaged or missing file, a model of another format, and a model whose
            atom or bond features are not those of this version; names the file.
    """
    folder = Path(folder)
    described = read_description(folder)
    if not trust:
        files.verify(folder, required=described["format"] > 1)
    check_features(described, folder / DESCRIPTION)
    try:
        model = _described(described)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError, AttributeError) as error:
        raise ValueError(f"{folder / DESCRIPTION} is damaged: {type(error).__name__} {error}") from error
    model.reliability = _reliability(described, model.task, folder)
    paths = weight_files(described, folder)
    if model.forest is not None and (model.forest.share == 1) != (len(paths) == 1):
        of = f"a forest of share {model.forest.share}"
        raise ValueError(
            f"{folder / DESCRIPTION} is damaged: expected weights that go with {of}, got {len(paths)} files"
        )
    networks = paths if model.forest is None else paths[:-1]
    model.members = [_member(model, path) for path in networks] + [
        _forest(model, path) for path in paths[len(networks) :]
    ]
    return model


def _described(described: Mapping[str, Any]) -> FittedModel:
    """The model without its networks; raises whatever a value raises that none of this version's models has."""
    task, known = Task.from_dict(described["task"]), described.get("descriptors")
    target = (torch.tensor(described["target"]["mean"]), torch.tensor(described["target"]["deviation"]))
    if any(each.shape != (len(task.names),) for each in target) or not all(
        bool(each.isfinite().all()) for each in target
    ):
        raise ValueError(f"expected {len(task.names)} means and deviations of targets, got {described['target']}")
    if not bool((target[1] > 0).all()):
        raise ValueError(f"expected deviations of targets above 0, got {target[1].tolist()}")
    forest = ForestPart(**described["forest"]) if described.get("forest") else None
    standardiser = Standardiser.from_dict(known) if known and "knots" in known else None
    names = tuple(known["names"]) if known else ()
    if standardiser is not None and (len(names) != standardiser.width or not all(isinstance(n, str) for n in names)):
        raise ValueError(f"expected names of {standardiser.width} descriptors, got {len(names)}")
    if forest is not None and forest.inputs not in (BITS, BITS + len(names)):
        raise ValueError(
            f"expected a forest of {BITS} columns and {len(names)} descriptors, got {forest.inputs} columns"
        )
    own = {
        "format",
        "kind",
        "versions",
        "seed",
        "parameters",
        "descriptors",
        "reliability",
        "forest",
        *FIELDS["molecules"],
    }
    record = {name: value for name, value in described.items() if name not in own}
    _check_record(record, task)
    recipe, architecture = MoleculeRecipe(**described["recipe"]), dict(described["architecture"])
    return FittedModel(task, architecture, recipe, [], target, standardiser, names, record, forest=forest)


def _check_record(record: Mapping[str, Any], task: Task) -> None:
    """What later commands read of it."""
    chemistry = Chemistry(**record.get("chemistry", {}))
    kinds = {name: type(value) for name, value in dataclasses.asdict(Chemistry()).items()}
    if not all(type(value) is kinds[name] for name, value in dataclasses.asdict(chemistry).items()):
        raise ValueError(
            f"expected true or false as options of the chemistry and a whole number of atoms, got {record['chemistry']}"
        )
    validation, labels = record.get("validation"), record.get("labels", task.classes)
    if validation is not None and (
        validation["name"] not in SCORES.values() or not isinstance(validation["value"], float | int | None)
    ):
        raise ValueError(f"expected a validation score of {', '.join(sorted(set(SCORES.values())))}, got {validation}")
    if len(labels) != len(task.classes):
        raise ValueError(f"expected {len(task.classes)} labels, got {labels}")
    seen = record.get("seen", [])
    if not isinstance(seen, list) or not all(isinstance(each, str) for each in seen):
        raise ValueError("expected a list of texts as seen")


def _reliability(described: Mapping[str, Any], task: Task, folder: Path) -> Reliability | None:
    """What is known of the predictions' reliability, with the neighbours in their file; None in folders of earlier versions."""
    stored = described.get("reliability")
    if stored is None:
        return None
    known = isinstance(stored, Mapping) and stored.get("least_similarity") is not None
    neighbours = Neighbours.read(folder / NEIGHBOURS) if known else None
    try:
        return Reliability.from_dict(stored, task, neighbours)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f"{folder / DESCRIPTION} is damaged: {type(error).__name__} {error}") from error


def _network(member: nn.Module) -> Network:
    if not isinstance(member, Network):
        raise ValueError(f"expected a Network, with a head that reads an embedding, got {type(member).__name__}")
    return member


def _member(model: FittedModel, path: Path) -> nn.Module:
    weights, architecture = read_weights(path), model.architecture
    if architecture.get("name") == "MoleculeTransformer":
        weights = renamed(weights, MOLECULE_TRANSFORMER)
    return filled(lambda: build(architecture, model.task.outputs, len(model.descriptor_names)), weights, path)


def _forest(model: FittedModel, path: Path) -> nn.Module:
    arrays, part = read_weights(path), model.forest
    assert part is not None
    try:
        forest = forest_of(arrays, part.inputs, answers_of(model.task))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if forest.outputs != model.task.outputs:
        raise ValueError(f"{path} is damaged: expected a forest of {model.task.outputs} outputs, got {forest.outputs}")
    return forest.eval()
