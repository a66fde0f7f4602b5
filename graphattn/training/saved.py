"""A trained model, in memory and as a folder: weights in safetensors, the rest in `model.json`. Nothing is pickled."""

import dataclasses
import json
import platform
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch_geometric.data import Data

import graphattn
from graphattn import files
from graphattn.data.molecules import ATOM_FEATURES, BOND_FEATURES
from graphattn.data.tasks import Task
from graphattn.training.batches import by_size
from graphattn.training.build import build
from graphattn.training.card import card
from graphattn.training.folders import FIELDS, FORMAT, read_description, retrain
from graphattn.training.former import MOLECULE_TRANSFORMER, renamed
from graphattn.training.inputs import Chemistry
from graphattn.training.objective import predictions
from graphattn.training.packed import Packed, Standardiser
from graphattn.training.recipe import MoleculeRecipe


@dataclass
class FittedModel:
    """One network, or an ensemble of them, with all that turns molecules into predictions.

    - `target`: mean and deviation of the training targets, which the outputs of a regression are scaled with.
    - `standardiser`: statistics of the descriptors, None for a model without; `descriptor_names` are its columns.
    - `record`: what is known about the training, to be kept in `model.json`: "split", "metrics", "data", "training".
    """

    task: Task
    architecture: dict[str, Any]
    recipe: MoleculeRecipe
    members: list[nn.Module]
    target: tuple[Tensor, Tensor]
    standardiser: Standardiser | None = None
    descriptor_names: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def chemistry(self) -> Chemistry:
        """How the SMILES it was trained on became atoms."""
        return Chemistry(**self.record.get("chemistry", {}))

    def predict(self, graphs: list[Data], batch_size: int = 256) -> NDArray[np.float64]:
        """Mean over the members of `objective.predictions`, one row per graph, in the order of `graphs`.

        Raises `ValueError` when a graph lacks the descriptors the model reads.
        """
        width = self.task.outputs
        if not graphs:
            return np.zeros((0, width))
        packed = Packed(graphs, self.standardiser)
        result = torch.zeros(len(graphs), width, dtype=torch.float64)
        with torch.inference_mode():
            for positions in by_size(packed.nodes.numpy(), batch_size):
                batch = packed[positions]
                outputs = [predictions(self.task, member(batch), *self.target).double() for member in self.members]
                result[positions] = torch.stack(outputs).mean(0)
        return result.numpy()

    def probabilities(self, graphs: list[Data]) -> NDArray[np.float64]:
        """Probability of every class of `task.classes` [N, K]; of both classes for a binary task.

        Raises `ValueError` for regression, and as `predict` does.
        """
        if self.task.kind == "regression":
            raise ValueError("a regression has no classes: expected a classification task, got 'regression'")
        found = self.predict(graphs)
        return np.hstack([1 - found, found]) if self.task.kind == "binary" else found

    def save(self, folder: str | Path) -> Path:
        """Writes `model.safetensors` (`model-2.safetensors`, ... of an ensemble), `README.md`, `model.json`, `manifest.json`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"model-{i + 1}.safetensors" if i else "model.safetensors" for i in range(len(self.members))]
        for name, member in zip(names, self.members, strict=True):
            # Not save_file: it makes files that only their owner can read.
            files.write(folder / name, save({key: value.contiguous() for key, value in member.state_dict().items()}))
        described = self.describe() | {"weights": names}
        files.write(folder / "README.md", card(described))
        lines = [f'"{name}": {json.dumps(_plain(value), allow_nan=False)}' for name, value in described.items()]
        files.write(folder / "model.json", "{\n" + ",\n".join(lines) + "\n}\n")
        files.seal(folder, [*names, "README.md", "model.json"])
        return folder

    def describe(self) -> dict[str, Any]:
        """What `model.json` holds, but for the names of the weight files."""
        described: dict[str, Any] = {
            "format": FORMAT,
            "versions": versions(),
            "task": self.task.to_dict(),
            "architecture": self.architecture,
            "recipe": dataclasses.asdict(self.recipe),
            "seed": self.recipe.seed,
            "target": {"mean": self.target[0].tolist(), "deviation": self.target[1].tolist()},
            "features": feature_tables(),
            "parameters": sum(p.numel() for p in self.members[0].parameters()),
            "descriptors": None,
        }
        if self.standardiser is not None:
            described["descriptors"] = {"names": list(self.descriptor_names), **self.standardiser.to_dict()}
        return described | self.record


def load(folder: str | Path, trust: bool = False) -> FittedModel:
    """The model saved in `folder`; with `trust` also when its files were changed since.

    Raises `ValueError`, naming the file, for a folder without a model, a changed, damaged or missing file, a model of
    another format, and a model whose atom or bond features are not those of this version.
    """
    folder = Path(folder)
    described = read_description(folder)
    if not trust:
        files.verify(folder)
    stored, here = described["features"], _plain(feature_tables())
    for table in here:
        if stored.get(table) != here[table]:
            text = f"its {table} features are not those of graphattn {graphattn.__version__}; {retrain(described)}"
            raise ValueError(f"{folder / 'model.json'}: {text}")
    known = described.get("descriptors")
    try:
        task, recipe = Task.from_dict(described["task"]), MoleculeRecipe(**described["recipe"])
        target = (torch.tensor(described["target"]["mean"]), torch.tensor(described["target"]["deviation"]))
        standardiser = Standardiser.from_dict(known) if known else None
        Chemistry(**described.get("chemistry", {}))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'model.json'} is damaged: {type(error).__name__} {error}") from error
    members = [_member(described, task, folder / Path(name).name) for name in described["weights"]]
    own = {"format", "versions", "seed", "parameters", "descriptors", *FIELDS}
    record = {name: value for name, value in described.items() if name not in own}
    names = tuple(known["names"]) if known else ()
    return FittedModel(task, described["architecture"], recipe, members, target, standardiser, names, record)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a model depends on."""
    packages = ("torch", "torch-geometric", "rdkit", "lightning", "scikit-learn", "numpy")
    own = {"graphattn": graphattn.__version__, "python": platform.python_version()}
    return own | {package: metadata.version(package) for package in packages}


def feature_tables() -> dict[str, dict[str, list[str]]]:
    """Names and categories of the atom and bond features, as text."""
    return {"atom": _words(ATOM_FEATURES), "bond": _words(BOND_FEATURES)}


def _words(features: dict[str, tuple]) -> dict[str, list[str]]:
    return {name: [str(category) for category in categories] for name, categories in features.items()}


def _member(described: dict[str, Any], task: Task, path: Path) -> nn.Module:
    known = described.get("descriptors")
    member = build(described["architecture"], task.outputs, len(known["names"]) if known else 0)
    try:
        weights = load_file(path)
        known_before = described["architecture"].get("name") == "MoleculeTransformer"
        member.load_state_dict(renamed(weights, MOLECULE_TRANSFORMER) if known_before else weights)
    except FileNotFoundError as error:
        raise ValueError(f"{path.parent} is incomplete: {path.name} is missing") from error
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    return member.eval()


def _plain(value: Any) -> Any:
    """JSON has no NaN, arrays or tuples: None, lists and lists."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
