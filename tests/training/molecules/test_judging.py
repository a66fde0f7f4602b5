"""Figures of models beside each other, and what is said of their differences."""

import numpy as np

from graphattn.data.tasks import Task
from graphattn.training.molecules.judging import compare


def test_one_molecule_decides_nothing():
    lines = []
    for rows in (1, 8):
        truth = np.arange(float(rows))[:, None]
        found = {"ours": truth + 1, "theirs": truth + 2 + np.arange(float(rows))[:, None] % 2}
        compare(Task("regression", ("y",)), found, truth, "test part", lines.append)
    assert "RMSE, ours minus theirs: -1.000 [-1.000, -1.000] (undecided on these molecules)" in lines
    assert lines[-1].startswith("RMSE, ours minus theirs: -1.550 [")
    assert lines[-1].endswith("] (distinguishable on these molecules)")
