"""What a training of a model of tissue is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final, get_args

from graphattn.models.by_name.network import Size
from graphattn.training.recipe import Hardware, Recipe
from graphattn.training.tissue.slides import Labels

if TYPE_CHECKING:
    from graphattn.training.fitted_graphs import FittedNetwork
    from graphattn.training.tissue.dividing import Division
    from graphattn.training.tissue.problems.base import TissueProblem
    from graphattn.training.tissue.testing import Tested

LossName = Literal["cross_entropy", "ranking", "cox"]
HEADS = 4


def recipe(seed: int = 0, epochs: int | None = None) -> Recipe:
    """How models of tissue are trained, for at most so many epochs."""
    return Recipe(epochs=epochs or 100, batch_size=16, patience=20, seed=seed)


@final
@dataclass(frozen=True)
class TissueNetwork:
    """Which networks are trained.

    Args:
        name: of :func:`~graphattn.models.by_name.whole.architecture`.
        layers, channels: how deep and how wide.
        members: of an ensemble, whose answers are averaged.
        loss: ``cross_entropy`` of classes, which of values is the squared error; ``ranking`` of two classes
            (:func:`~graphattn.training.craft.pairwise_ranking`); ``cox`` of survival (:func:`~graphattn.training.craft.cox`).

    Raises:
        ValueError: numbers below 1, channels that four heads do not divide, another loss.

    >>> TissueNetwork("gland_graph", layers=3).size
    Size(width=16, hidden=32, depth=3, heads=4, dropout=0.0)
    """

    name: str = "slide_graph"
    layers: int = 2
    channels: int = 16
    members: int = 1
    loss: LossName = "cross_entropy"

    def __post_init__(self) -> None:
        if min(self.layers, self.members) < 1 or self.channels < 1 or self.channels % HEADS:
            raise ValueError(
                f"expected layers and members of 1 or more, and channels that {HEADS} divides, got {self.layers}, "
                f"{self.members} and {self.channels}"
            )
        if self.loss not in get_args(LossName):
            raise ValueError(f"expected a loss of {', '.join(get_args(LossName))}, got {self.loss!r}")

    @property
    def size(self) -> Size:
        """As networks by name have it."""
        return Size(self.channels, 2 * self.channels, self.layers, HEADS)


@final
@dataclass(frozen=True)
class TissuePlan:
    """What ``train`` does with graphs.

    ``split`` is a rule of :func:`~graphattn.training.tissue.dividing.divide`; ``source`` names the graphs in messages and on the
    card; ``report`` is called with what was trained and the folder.
    """

    out: Path
    source: str = "graphs"
    labels: Labels = field(default_factory=Labels)
    network: TissueNetwork = field(default_factory=TissueNetwork)
    split: str = "patients"
    divide_patients: bool = False
    recipe: Recipe = field(default_factory=recipe)
    hardware: Hardware = field(default_factory=Hardware)
    compare: bool = True
    strict: bool = False
    resume: bool = False
    escape_formulas: bool = False
    report: Callable[[TrainedTissue, Path], object] | None = None


class TrainedTissue(NamedTuple):
    """A trained model, what it learned, how images were divided, what it says of the tested ones, and its ``model.json``."""

    model: FittedNetwork
    problem: TissueProblem
    division: Division
    tested: Tested | None
    record: dict[str, Any]
