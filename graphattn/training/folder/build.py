"""From the words of ``model.json`` to a network."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from graphattn.models import MoleculeTransformer

MODELS: dict[str, Callable[..., nn.Module]] = {"MoleculeTransformer": MoleculeTransformer}
"""Molecule models by name; each takes ``outputs``, ``descriptors`` and arguments of its own."""


_MOST = {
    "channels": 65_536,
    "heads": 4_096,
    "layers": 1_000,
    "outputs": 100_000,
    "descriptors": 100_000,
    "totals": 65_536,
}


def build(architecture: Mapping[str, Any], outputs: int, descriptors: int) -> nn.Module:
    """The network that ``architecture`` names ("name" and the model's own arguments), with fresh weights.

    Raises:
        ValueError: a name that is not in ``MODELS``, or arguments that its model does not take.
    """
    arguments = dict(architecture)
    name = arguments.pop("name", None)
    if name not in MODELS:
        raise ValueError(f"graphattn.models has no model named {name!r}")
    _check_sizes(arguments | {"outputs": outputs, "descriptors": descriptors})
    try:
        return MODELS[name](outputs=outputs, descriptors=descriptors, **arguments)
    except TypeError as error:
        raise ValueError(f"{name} cannot be built from {arguments}: {error}") from error


def _check_sizes(arguments: Mapping[str, Any]) -> None:
    """Bounds far above what anybody trains, so that no description builds for hours."""
    for name, most in _MOST.items():
        value = arguments.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise ValueError(f"expected {name} as a whole number from 0 to {most:,}, got {value!r}")
