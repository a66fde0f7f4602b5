"""What every measured model is: a function of molecules, a split and a seed."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.records import Spent
from graphattn.data.splits import Split, stratified

SECONDS = ("train_wall_s", "train_cpu_s", "prepare_wall_s", "prepare_cpu_s")
OURS = ("graphattn", "graphattn ensemble")


class Problem(NamedTuple):
    """Molecules and the class of each, numbered from 0."""

    smiles: list[str]
    labels: NDArray[np.int64]


class Outcome(NamedTuple):
    """Probabilities [molecules, classes], None where a model gives none, and what they cost."""

    validation: NDArray[np.float64] | None
    test: NDArray[np.float64]
    training: Spent
    preparing: Spent
    versions: str

    def seconds(self) -> dict[str, float]:
        """The columns `SECONDS`."""
        times = (self.training.wall, self.training.cpu, self.preparing.wall, self.preparing.cpu)
        return dict(zip(SECONDS, times, strict=True))


class Model(Protocol):
    """Trains on `split.train` (and chooses on `split.validation`, if it chooses), predicts `split.test`."""

    def __call__(self, problem: Problem, split: Split, seed: int) -> Outcome: ...


class HoldOut:
    """A model that chooses on a tenth of its training part, stratified by class."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __call__(self, problem: Problem, split: Split, seed: int) -> Outcome:
        smiles = [problem.smiles[i] for i in split.train]
        parts = stratified(smiles, problem.labels[split.train], fractions=(0.9, 0.1, 0.0), seed=seed)
        return self.model(problem, Split(split.train[parts.train], split.train[parts.validation], split.test), seed)
