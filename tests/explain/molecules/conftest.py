"""A model whose answer is known."""

import pytest
import torch

from graphattn.data.tasks import Task
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import MoleculeRecipe


class CountsOxygen(torch.nn.Module):
    """Logit of class or target k: (k + 1) * (oxygens - 1), as embedding index 9 of column 0 is element 8."""

    def __init__(self, outputs=1, sign=1):
        super().__init__()
        self.outputs, self.sign = outputs, sign

    def forward(self, data):
        oxygen = (data.x[:, 0] == 9).float()
        count = torch.zeros(data.num_graphs).index_add(0, data.batch, oxygen) - 1
        return self.sign * count[:, None] * torch.arange(1, self.outputs + 1)


@pytest.fixture(scope="session")
def model():
    """Makes a model of one kind of task, which counts oxygens; several members count with other signs or not."""

    def made(kind="binary", names=("y",), classes=("no", "yes"), signs=(1,), **record):
        task = Task(kind, names, classes)
        target = torch.zeros(len(names)), torch.ones(len(names))
        members = [CountsOxygen(task.outputs, sign) for sign in signs]
        return FittedModel(task, {}, MoleculeRecipe(), members, target, record=record)

    return made
