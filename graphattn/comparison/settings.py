"""Settings of a comparison, equal for all layers: parts, budget, size, tuning effort."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, final

_COUNTS = ("repeats", "epochs", "patience", "batch_size", "width", "hidden", "depth", "heads", "trees")
_NOT_OF_A_FIT = ("repeats", "seeds", "split", "seed", "rope", "controls")


@final
@dataclass(frozen=True)
class Settings:
    """Settings that are equal for all layers of a comparison.

    Args:
        repeats: number of random splits; given splits are all used, once each.
        seeds: fits of every configuration per split, each with its own weights; if not given, 1, or as many as make up the
            repeats where splits are given.
        split: ``random``, ``stratified``, ``scaffold_balanced``, ``scaffold`` or ``given``; chosen by the data if not given.
        fractions: shares of the training, the validation and the test part.
        trials: tuning trials per configuration and split; 0 leaves the settings below as they are.
        epochs: maximum number of epochs.
        patience: epochs without a lower validation loss before training stops; the weights of the best epoch are kept.
        batch_size, learning_rate, weight_decay, dropout: of every fit; tuning chooses the last three anew.
        width, hidden, depth, heads: of the first attention network; the others' widths follow from its number of parameters.
        seed: of parts, weights, order and dropout.
        rope: region of practical equivalence: largest difference of scores that counts as none.
        trees: of random forests.
        controls: whether the first graph of each layer is fitted on permuted labels as well.

    Raises:
        ValueError: values out of range.

    >>> Settings(epochs=5).epochs
    5
    """

    repeats: int = 10
    seeds: int | None = None
    split: str | None = None
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    trials: int = 0
    epochs: int = 60
    patience: int = 10
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    dropout: float = 0.1
    width: int = 48
    hidden: int = 96
    depth: int = 3
    heads: int = 4
    seed: int = 0
    rope: float = 0.01
    trees: int = 500
    controls: bool = True

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of 1 or more, got {getattr(self, name)}")
        if self.seeds is not None and self.seeds < 1:
            raise ValueError(f"expected seeds of 1 or more, got {self.seeds}")
        if self.trials < 0 or self.seed < 0:
            raise ValueError(f"expected trials and seed of 0 or more, got {self.trials} and {self.seed}")
        if not (self.learning_rate > 0 and self.weight_decay >= 0 and 0 <= self.dropout < 1 and self.rope >= 0):
            raise ValueError(
                "expected learning_rate above 0, weight_decay and rope of 0 or more, dropout from 0 to 1, got "
                f"{self.learning_rate}, {self.weight_decay}, {self.rope}, {self.dropout}"
            )
        if self.width % self.heads:
            raise ValueError(f"expected width to be a multiple of heads, got {self.width} and {self.heads}")
        shares = self.fractions
        if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"expected three shares above 0 that add up to 1, got fractions={shares}")

    def of_fits(self) -> dict[str, Any]:
        """Settings that the result of a fit depends on; neither the number of repeats nor the rope is one of them."""
        return {name: value for name, value in asdict(self).items() if name not in _NOT_OF_A_FIT}


def quick(settings: Settings) -> Settings:
    """Small networks, few epochs and repeats, which stay where they are smaller already; with 600 graphs, about three minutes.

    >>> quick(Settings(epochs=3)).epochs, quick(Settings()).repeats
    (3, 3)
    """
    most = {"repeats": 3, "epochs": 12, "patience": 6, "width": 24, "hidden": 48, "depth": 2, "trees": 100}
    smaller: dict[str, Any] = {name: min(value, getattr(settings, name)) for name, value in most.items()}
    return replace(settings, heads=math.gcd(settings.heads, smaller["width"]), **smaller)
