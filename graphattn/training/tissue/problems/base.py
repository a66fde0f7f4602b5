"""What is learned of tissue, whatever it is: classes or values of images, or classes of their cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.data.tissue.cells import SetAside
from graphattn.models.by_name.network import Level
from graphattn.training.comparing import Judge
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.tissue.inputs import TissueForm

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class TissueProblem(Protocol):
    """Images with what is learned of them.

    ``graphs`` are as a model reads them, ``patients`` and, of a column of splits, ``cells`` those of each image; ``form`` says
    what graphs consist of, ``set_aside`` what cannot be used, ``level`` whether each image or each cell has an answer.
    """

    @property
    def graphs(self) -> list[Data]: ...
    @property
    def task(self) -> Task: ...
    @property
    def patients(self) -> list[str]: ...
    @property
    def cells(self) -> list[str] | None: ...
    @property
    def form(self) -> TissueForm: ...
    @property
    def set_aside(self) -> list[SetAside]: ...
    @property
    def level(self) -> Level: ...
    @property
    def judge(self) -> Judge: ...
    @property
    def classes(self) -> Rows | None:
        """Class of each image, where images have one that parts can share."""
        ...

    def lesson(self, row: int, hops: int) -> list[tuple[Data, torch.Tensor]]:
        """Graphs of an image with their answers; several where its cells are learned in tiles."""
        ...

    def lacking(self, split: Split) -> list[str]:
        """Sentences about classes that a part lacks.

        Raises:
            ValueError: the training part has one class only.
        """
        ...

    def truth(self, rows: Rows) -> tuple[Floats, list[str]]:
        """What is true of some images, a row each or for each of their labelled cells, and whose it is."""
        ...

    def answers(self, model: FittedNetwork, rows: Rows) -> Floats:
        """What a model says, in the rows of :meth:`truth`."""
        ...

    def baselines(self, split: Split, seed: int) -> dict[str, Floats]:
        """What models without a graph say of the test part, in the rows of :meth:`truth`."""
        ...

    def bases(self, truth: Floats) -> Mapping[str, float]:
        """What chance gives, by measure."""
        ...
