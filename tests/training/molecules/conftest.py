import pytest
import torch

from graphattn.data.tasks import Task
from graphattn.training.folder.build import build
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import MoleculeRecipe


@pytest.fixture
def make_model(tiny):
    def make(kind, names=("y",), classes=()):
        torch.manual_seed(0)
        task = Task(kind, names, classes)
        zero, one = torch.zeros(len(names)), torch.ones(len(names))
        return FittedModel(task, tiny, MoleculeRecipe(), [build(tiny, task.outputs, 0).eval()], (zero, one))

    return make
