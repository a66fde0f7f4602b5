"""A pretrained network in memory and as a folder, of the same form as those of trained models."""

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from graphattn import files
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.environment import versions
from graphattn.training.folder.card import pretrained_card
from graphattn.training.folder.checks import DESCRIPTION, FORMAT, read_description
from graphattn.training.folder.features import check_features, feature_tables
from graphattn.training.folder.weights import filled, read_weights, weight_files, write_folder
from graphattn.training.molecules.packed import Standardiser
from graphattn.training.pretraining.network import PretrainingNetwork
from graphattn.training.recipe import MoleculeRecipe


@dataclass(frozen=True)
class PretrainedNetwork:
    """A pretrained network with the statistics of the descriptors it guesses.

    Attributes:
        network: with its heads.
        architecture: of the network without them.
        recipe: how it was pretrained.
        standardiser: of the descriptors.
        record: what is known about the pretraining: "data", "figures", "curves".
    """

    network: PretrainingNetwork
    architecture: Mapping[str, Any]
    recipe: MoleculeRecipe
    standardiser: Standardiser
    record: Mapping[str, Any]

    def save(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> Path:
        """Write ``model.safetensors`` with weights as ``dtype``, ``model.json``, the card ``README.md`` and ``manifest.json``."""
        described = {
            "format": FORMAT,
            "kind": "pretrained",
            "versions": versions(),
            "architecture": dict(self.architecture),
            "recipe": dataclasses.asdict(self.recipe),
            "features": feature_tables(),
            "parameters": sum(weight.numel() for weight in self.network.transferred()),
            "descriptors": {"names": list(DESCRIPTOR_NAMES), **self.standardiser.to_dict()},
            **self.record,
        }
        return write_folder(folder, described, [copy.deepcopy(self.network).to(dtype)], pretrained_card(described))


def load(folder: str | Path) -> PretrainedNetwork:
    """The pretrained network that ``graphattn pretrain`` saved.

    Raises:
        ValueError: a folder without one; a changed, damaged or missing file; other features or descriptors than this version's.
    """
    folder = Path(folder)
    described = read_description(folder, "pretrained")
    files.verify(folder)
    check_features(described, folder / DESCRIPTION)
    path = weight_files(described, folder)[0]
    try:
        architecture, recipe = dict(described["architecture"]), MoleculeRecipe(**described["recipe"])
        names, standardiser = described["descriptors"]["names"], Standardiser.from_dict(described["descriptors"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / DESCRIPTION} is damaged: {type(error).__name__} {error}") from error
    if names != list(DESCRIPTOR_NAMES) or standardiser.width != len(names):
        raise ValueError(f"{folder / DESCRIPTION}: its descriptors are not the {len(DESCRIPTOR_NAMES)} of this version")
    weights = {name: weight.float() for name, weight in read_weights(path).items()}
    network = filled(lambda: PretrainingNetwork(architecture, len(names)), weights, path)
    own = {"format", "kind", "versions", "parameters", "architecture", "recipe", "features", "descriptors", "weights"}
    record = {name: value for name, value in described.items() if name not in own}
    return PretrainedNetwork(network, architecture, recipe, standardiser, record)
