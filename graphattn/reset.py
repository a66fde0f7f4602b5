"""Drawing parameters anew, through whatever a part of a layer holds."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Resettable(Protocol):
    """What draws its parameters anew."""

    def reset_parameters(self) -> None: ...


def reset(*parts: object) -> None:
    """Draw the parameters of all parts anew, where they have any; of a network, those of the modules inside it."""
    for part in parts:
        if isinstance(part, Resettable):
            part.reset_parameters()
        elif isinstance(part, nn.Module):
            reset(*part.children())
