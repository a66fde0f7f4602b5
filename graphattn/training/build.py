"""From the words of `model.json` to a network."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from graphattn.models import MoleculeTransformer

MODELS: dict[str, Callable[..., nn.Module]] = {"MoleculeTransformer": MoleculeTransformer}
"""Molecule models by name; each takes `outputs`, `descriptors` and arguments of its own."""


def build(architecture: Mapping[str, Any], outputs: int, descriptors: int) -> nn.Module:
    """The network that `architecture` names ("name" and the model's own arguments), with fresh weights.

    Raises `ValueError` for a name that is not in `MODELS` and for arguments that its model does not take.
    """
    arguments = dict(architecture)
    name = arguments.pop("name", None)
    if name not in MODELS:
        raise ValueError(f"graphattn.models has no model named {name!r}")
    try:
        return MODELS[name](outputs=outputs, descriptors=descriptors, **arguments)
    except TypeError as error:
        raise ValueError(f"{name} cannot be built from {arguments}: {error}") from error
