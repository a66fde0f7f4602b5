"""How a model is built and trained: every default of graphattn's training stands in this file."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from graphattn.training.craft import Schedule


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    - ``epochs``, of ``passes`` over the training graphs each, in batches of ``batch_size``; after each epoch it is validated.
    - ``learning_rate`` along ``schedule``, with ``warmup`` as a share of all steps (:func:`~graphattn.training.craft.scheduled`);
      ``weight_decay`` of AdamW (not of biases and norms), whose steps are one kernel if ``fused``; gradients are clipped at the
      norm ``gradient_clip``.
    - ``patience``: epochs without a better validation ``monitor`` ("score" or "loss") after which training stops; the weights of
      the best epoch are kept. None trains to the end and keeps the last ones.
    - ``average``: decay per step of an exponential moving average of the weights (Polyak & Juditsky 1992), which is then what is
      validated and kept; 0 keeps the weights themselves, 1 averages all steps equally (Izmailov et al. 2018). Averaging begins
      after the share ``average_from`` of the steps.
    - ``seed``: of the order of graphs and of dropout.

    Raises:
        ValueError: values out of range.

    >>> Recipe(epochs=5).epochs
    5
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    patience: int | None = None
    gradient_clip: float = 1.0
    average: float = 0.0
    average_from: float = 0.0
    monitor: Literal["score", "loss"] = "loss"
    passes: int = 1
    schedule: Schedule = "warmup_cosine"
    fused: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self._counts():
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < 1:
                raise ValueError(f"{name} must be a whole number from 1 up, got {value!r}")
        for name in ("learning_rate", "gradient_clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)!r}")
        for name in self._shares():
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be from 0 to below 1, got {getattr(self, name)!r}")
        if not 0 <= self.average <= 1:
            raise ValueError(f"average must be from 0 to 1, got {self.average!r}")
        for name in self._not_negative():
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)!r}")
        for name, words in (("monitor", ("score", "loss")), ("schedule", get_args(Schedule))):
            if getattr(self, name) not in words:
                expected = " or ".join(map(repr, words)) if len(words) == 2 else f"one of {', '.join(words)}"
                raise ValueError(f"{name} must be {expected}, got {getattr(self, name)!r}")

    def _counts(self) -> tuple[str, ...]:
        return ("epochs", "batch_size", "passes", *(("patience",) if self.patience is not None else ()))

    def _shares(self) -> tuple[str, ...]:
        return ("warmup", "average_from")

    def _not_negative(self) -> tuple[str, ...]:
        return ("weight_decay", "seed")


@dataclass(frozen=True)
class MoleculeRecipe(Recipe):
    """How molecule models are trained. All of it is written to ``model.json``.

    Beside what :class:`Recipe` says:

    - ``batch_size``: maximum number of molecules per step; small data are cut into ten batches, of 8 or more.
    - ``atom_mask``: share of atoms whose features are hidden in a training step. It regularises, and the explanations need a
      model that has met masked atoms.
    - ``balance``: classes are weighted by ``frequency ** -balance``; 0 weights all rows alike.
    - ``members``: models in the ensemble; their probabilities are averaged.

    >>> MoleculeRecipe(epochs=5).members
    1
    """

    epochs: int = 15
    batch_size: int = 128
    learning_rate: float = 2e-3
    patience: int | None = 8
    average: float = 0.99
    monitor: Literal["score", "loss"] = "score"
    fused: bool = True
    atom_mask: float = 0.15
    balance: float = 1.0
    members: int = 1

    def batch_size_for(self, molecules: int) -> int:
        """Molecules per step when there are ``molecules`` to train on.

        >>> [MoleculeRecipe(batch_size=64).batch_size_for(n) for n in (3000, 200, 20)]
        [64, 20, 8]
        """
        return min(self.batch_size, max(8, math.ceil(molecules / 10)))

    def _counts(self) -> tuple[str, ...]:
        return (*super()._counts(), "members")

    def _shares(self) -> tuple[str, ...]:
        return (*super()._shares(), "atom_mask")

    def _not_negative(self) -> tuple[str, ...]:
        return (*super()._not_negative(), "balance")


@dataclass(frozen=True)
class Hardware:
    """Where training runs; the three words are Lightning's own and are passed on to its ``Trainer``.

    ``threads`` is torch's number of threads in training on a CPU; None leaves it as it is. A fixed number fixes every bit of the
    result, and one does not compete with other programs for shared cores; on idle cores more may be faster.

    Raises:
        ValueError: more than one device.
    """

    accelerator: str = "auto"
    devices: str = "1"
    precision: str = "32-true"
    threads: int | None = 1

    def __post_init__(self) -> None:
        several = [each for each in self.devices.strip("[] ").split(",") if each.strip()]
        listed = self.devices.strip().startswith("[")
        if len(several) != 1 or (not listed and several[0].strip() != "1"):
            raise ValueError(
                f"expected one device, as 1 or the number of a GPU in brackets, [0], got {self.devices!r}: training on "
                "several is not supported yet"
            )


@dataclass(frozen=True)
class Architecture:
    """The network: the name of a molecule model and the sizes it is built with."""

    name: str = "MoleculeTransformer"
    channels: int = 64
    heads: int = 4
    layers: int = 2
    dropout: float = 0.1
    totals: int = 0

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for ``build.build`` and for ``model.json``."""
        return dataclasses.asdict(self)
