"""How a model is built and trained: every default of graphattn's molecule models stands in this file."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """How one model is trained. All of it is written to `model.json`.

    - `epochs`, `learning_rate`, `weight_decay` (AdamW); the rate rises linearly over the first `warmup` (a share of all
      steps) and falls to zero along a cosine; gradients are cut at norm `gradient_clip`.
    - `batch_size`: at most so many molecules per step; small data are cut into ten batches, of 8 or more.
    - `patience`: epochs without a better validation `monitor` ("score" or "loss") after which training stops.
      The weights of the best epoch are kept.
    - `atom_mask`: share of atoms whose features are hidden in a training step. It regularises, and it makes a masked
      atom something the model knows, which the explanations need.
    - `average`: decay per step of an exponential moving average of the weights, which is then what is validated
      and kept; 0 keeps the weights themselves.
    - `balance`: classes are weighted by frequency ** -balance; 0 weights all rows alike.
    - `members`: models in the ensemble; their probabilities are averaged.

    Raises `ValueError` for values out of range.

    >>> Recipe(epochs=5).epochs
    5
    """

    epochs: int = 15
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    patience: int = 8
    gradient_clip: float = 1.0
    atom_mask: float = 0.15
    average: float = 0.99
    balance: float = 1.0
    monitor: Literal["score", "loss"] = "score"
    members: int = 1
    seed: int = 0

    def batch_size_for(self, molecules: int) -> int:
        """Molecules per step when there are `molecules` to train on.

        >>> [Recipe(batch_size=64).batch_size_for(n) for n in (3000, 200, 20)]
        [64, 20, 8]
        """
        return min(self.batch_size, max(8, math.ceil(molecules / 10)))

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "members"):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < 1:
                raise ValueError(f"{name} must be a whole number from 1 up, got {value!r}")
        for name in ("learning_rate", "gradient_clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)!r}")
        for name in ("warmup", "atom_mask", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be from 0 to below 1, got {getattr(self, name)!r}")
        for name in ("weight_decay", "balance", "seed"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)!r}")
        if self.monitor not in ("score", "loss"):
            raise ValueError(f"monitor must be 'score' or 'loss', got {self.monitor!r}")


@dataclass(frozen=True)
class Hardware:
    """Where training runs; the three words are Lightning's own and are passed on to its `Trainer`.

    `threads` is torch's number of threads in training on a CPU. A fixed number fixes every bit of the
    result, and one does not fight other programs for shared cores; on idle cores more may be faster.
    """

    accelerator: str = "auto"
    devices: str = "1"
    precision: str = "32-true"
    threads: int = 1

    def __post_init__(self) -> None:
        """Raises `ValueError` for more than one device."""
        several = [each for each in self.devices.strip("[] ").split(",") if each.strip()]
        listed = self.devices.strip().startswith("[")
        if len(several) != 1 or (not listed and several[0].strip() != "1"):
            raise ValueError(
                f"expected one device, as 1 or the number of a GPU in brackets, [0], got {self.devices!r}: training on "
                "several is not supported yet"
            )


@dataclass(frozen=True)
class Architecture:
    """The network: the name of a model in `graphattn.models` and the sizes it is built with."""

    name: str = "MoleculeTransformer"
    channels: int = 64
    heads: int = 4
    layers: int = 2
    dropout: float = 0.1

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for `build.build` and for `model.json`."""
        return dataclasses.asdict(self)
