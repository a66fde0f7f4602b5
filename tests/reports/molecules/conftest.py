"""Untrained models with all that a training leaves for a report."""

import numpy as np
import pandas as pd
import pytest
import torch

from graphattn.data.molecules.prepare import collect
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.folder.build import build
from graphattn.training.molecules.judging import Trained, judge
from graphattn.training.molecules.reliability.measuring import Wanted
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import Architecture, MoleculeRecipe

RINGS = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCOC1"]
SMILES = [f"{'C' * n}{ring}{end}" for n in range(1, 6) for ring in RINGS for end in ("", "O", "N")]
TASKS = {
    "binary": Task("binary", ("permeable",), ("no <b>", "yes")),
    "multiclass": Task("multiclass", ("solubility",), ("high", "low", "medium")),
    "multilabel": Task("multilabel", ("p", "q"), ("0", "1")),
    "regression": Task("regression", ("logS", "logP"), ()),
}


def cells(task, row):
    if task.kind == "regression":
        return [str(row % 11), "" if row % 5 == 0 else str(row % 7)]
    if task.kind == "multilabel":
        return [str(row % 2), "" if row % 5 == 0 else str(row // 2 % 2)]
    return [task.classes[row % len(task.classes)]]


@pytest.fixture(scope="session")
def make_trained():
    def make(kind, test=20, neighbours=True):
        torch.manual_seed(0)
        task = TASKS[kind]
        rows = [[text, *cells(task, row)] for row, text in enumerate([*SMILES, "C1CC"])]
        frame = pd.DataFrame(rows, columns=["smiles", *task.names])
        molecules = collect(MoleculeTable(frame, np.arange(2, 2 + len(rows)), "smiles", task.names), task)
        places = np.random.default_rng(0).permutation(60)
        split = Split(places[: 40 - test // 2], places[40 - test // 2 : 60 - test], places[60 - test :])
        words = Architecture(channels=8, heads=2, layers=1).to_dict()
        target = torch.zeros(len(task.names)), torch.ones(len(task.names))
        model = FittedModel(task, words, MoleculeRecipe(), [build(words, task.outputs, 0).eval()], target)
        sizes = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
        model.record = {
            "data": {"source": "a_file_with_a_name_that_is_longer_than_a_phone_is_wide.csv", "rows": 61, "rejected": 1},
            "split": {"rule": "random", "seed": 0, **sizes},
            "training": [{"best_epoch": 2, "seconds": 1.0}],
            "curves": [[{"step": 1.0, "loss": 1.0, "val_loss": 0.9, "val_score": 0.5 + e / 10} for e in range(3)]],
        }
        found = judge(model, molecules, split, Wanted(neighbours=neighbours), None, "test part", lambda said: None)
        return Trained(model, molecules, split, found)

    return make
