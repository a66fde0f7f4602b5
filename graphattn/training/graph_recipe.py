"""How a model is trained on graphs, and what is seen on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from graphattn.training.craft import Average, Schedule, warmup_cosine


@dataclass(frozen=True)
class GraphRecipe:
    """How a model is trained on graphs.

    - `epochs`, of `passes` over the training graphs each, in batches of `batch_size`; after each epoch it is validated.
    - `learning_rate` along `schedule`, `weight_decay` (AdamW; not of biases and norms), gradients cut at norm `clip`.
    - `patience`: epochs without a lower `val_loss` after which training stops; the weights of the best epoch are kept. None
      trains to the end and keeps the last ones.
    - `average`: of the weights, which is then what is validated and kept.
    - `seed`: of the order of graphs and of dropout. The model's weights are drawn before, by the caller.

    Raises `ValueError` for values out of range.

    >>> GraphRecipe(epochs=5).epochs
    5
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    passes: int = 1
    patience: int | None = None
    schedule: Schedule = field(default_factory=warmup_cosine)
    average: Average | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "passes"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of 1 or more, got {getattr(self, name)}")
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} above 0, got {getattr(self, name)}")
        if self.weight_decay < 0 or (self.patience is not None and self.patience < 1):
            raise ValueError(
                "expected weight_decay of 0 or more and patience of 1 or more or None, "
                f"got weight_decay={self.weight_decay} and patience={self.patience}"
            )


class Curves(NamedTuple):
    """What was seen after each epoch by name (`step`, `loss`, `val_loss`, `val_...`, `rate`), the seconds it all took, and the
    epoch whose weights were kept, counted from 0.
    """

    epochs: list[dict[str, float]]
    seconds: float
    kept: int

    def column(self, name: str) -> list[float]:
        """One of them, epoch by epoch."""
        return [epoch[name] for epoch in self.epochs]
