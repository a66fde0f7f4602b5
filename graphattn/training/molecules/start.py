"""Weights that a training starts from: those of a pretrained network, or of a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from graphattn import files
from graphattn.training.folder.checks import DESCRIPTION, kind_of, read_description
from graphattn.training.folder.features import check_features
from graphattn.training.folder.former import MOLECULE_TRANSFORMER, renamed
from graphattn.training.folder.weights import read_weights, weight_files
from graphattn.training.runs import digest

SHIPPED = "pretrained"
"""Stands for the network that comes with graphattn, where no folder has this name."""
TRANSFERRED = ("embedding.", "trunk.", "readout.", "edges.")
"""Weights of a molecule network that do not depend on what it predicts."""


@dataclass(frozen=True)
class StartingWeights:
    """Weights to start from.

    Attributes:
        name: of the folder they come from.
        architecture: of the network they belong to.
        weights: by name, without those that depend on what is predicted.
        frozen: whether they stay as they are.
    """

    name: str
    architecture: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    frozen: bool = False

    def into(self, network: nn.Module) -> None:
        """Give a network these weights.

        Raises:
            ValueError: a network without some of them, or with others of another form.
        """
        own = network.state_dict()
        wanted = {name: tuple(weight.shape) for name, weight in own.items() if name.startswith(TRANSFERRED)}
        found = {name: tuple(weight.shape) for name, weight in self.weights.items()}
        for name in sorted(wanted.keys() | found.keys()):
            if wanted.get(name) != found.get(name):
                raise ValueError(
                    f"{self.name} cannot be started from: expected {name} of shape {wanted.get(name, 'none')}, "
                    f"got {found.get(name, 'none')}"
                )
        network.load_state_dict({**own, **self.weights})
        for name, weight in network.named_parameters():
            weight.requires_grad_(not (self.frozen and name.startswith(TRANSFERRED)))

    def describe(self) -> dict[str, Any]:
        """What ``model.json`` says of it."""
        weights = digest(self.weights[name] for name in sorted(self.weights))
        return {"name": self.name, "sha256": weights, "frozen": self.frozen}


def shipped() -> Path:
    """Where the pretrained network of the installed package lies; its card is ``README.md`` there."""
    return Path(__file__).parents[1] / "pretraining" / "shipped"


def read_start(folder: str | Path, frozen: bool = False) -> StartingWeights:
    """The weights in a folder that ``graphattn pretrain`` or ``graphattn train`` wrote, of an ensemble the first network's; or
    those that come with graphattn, if ``folder`` is ``SHIPPED``.

    Raises:
        ValueError: a folder without such a model, or a damaged one; other atom or bond features than those of this version.
    """
    own = str(folder) == SHIPPED and not Path(folder).exists()
    folder = shipped() if own else Path(folder)
    kind = kind_of(folder)
    described = read_description(folder, "molecules" if kind == "graphs" else kind)
    files.verify(folder, required=described["format"] > 1)
    check_features(described, folder / DESCRIPTION)
    if not described["architecture"]:
        raise ValueError(f"{folder} holds a forest alone: expected a model with a network to start from")
    path = weight_files(described, folder)[0]
    bare = {name.removeprefix("network."): weight.float() for name, weight in read_weights(path).items()}
    weights = renamed(bare, MOLECULE_TRANSFORMER)
    kept = {name: weight for name, weight in weights.items() if name.startswith(TRANSFERRED)}
    return StartingWeights(SHIPPED if own else folder.resolve().name, dict(described["architecture"]), kept, frozen)
