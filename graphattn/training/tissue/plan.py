"""What a training of a model of tissue is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from graphattn.training.recipe import Hardware, Recipe
from graphattn.training.tissue.slides import Labels


def recipe(seed: int = 0, epochs: int | None = None) -> Recipe:
    """How models of tissue are trained, for at most so many epochs."""
    return Recipe(epochs=epochs or 100, batch_size=16, patience=20, seed=seed)


@final
@dataclass(frozen=True)
class TissuePlan:
    """What ``train`` does with graphs.

    ``model`` is a name of :func:`~graphattn.models.by_name.whole.architecture`; ``split`` a rule of
    :func:`~graphattn.training.tissue.dividing.divide`; ``source`` names the graphs in messages and on the card.
    """

    out: Path
    source: str = "graphs"
    labels: Labels = field(default_factory=Labels)
    model: str = "slide_graph"
    split: str = "patients"
    divide_patients: bool = False
    recipe: Recipe = field(default_factory=recipe)
    hardware: Hardware = field(default_factory=Hardware)
    compare: bool = True
    strict: bool = False
    resume: bool = False
    escape_formulas: bool = False
