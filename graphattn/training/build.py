"""From the words of `model.json` to a network."""

from collections.abc import Mapping
from typing import Any

from torch import nn

import graphattn.models


def build(architecture: Mapping[str, Any], outputs: int, descriptors: int) -> nn.Module:
    """The network that `architecture` names ("name" and the model's own arguments), with fresh weights.

    Raises `ValueError` for a name that `graphattn.models` does not have and for arguments that its model does not take.
    """
    arguments = dict(architecture)
    name = arguments.pop("name", None)
    model = getattr(graphattn.models, str(name), None)
    if not (isinstance(model, type) and issubclass(model, nn.Module)):
        raise ValueError(f"graphattn.models has no model named {name!r}")
    try:
        return model(outputs=outputs, descriptors=descriptors, **arguments)
    except TypeError as error:
        raise ValueError(f"{name} cannot be built from {arguments}: {error}") from error
