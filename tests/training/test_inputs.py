import numpy as np
import pytest
import torch

from graphattn.data.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.wording import list_problems
from graphattn.training.inputs import Chemistry, graphs_of, read


def test_unreadable_smiles_keep_the_positions_of_the_others():
    molecules, positions, problems = read(["CCO", "C1CC(((", None, "", "C"])
    assert [molecule.GetNumAtoms() for molecule in molecules] == [3, 1]
    assert positions.tolist() == [0, 4]
    assert list(problems) == [1, 2, 3]
    assert "'C1CC((('" in problems[1]
    assert problems[2] == "expected SMILES as a text, got None"


def test_chemistry_is_applied():
    (salt,), _, _ = read(["CCO.[Na+]"], Chemistry(largest_fragment=True, explicit_hydrogens=True))
    assert salt.GetNumAtoms() == 9


def test_problems_are_listed_up_to_a_number():
    assert list_problems({1: "a", 5: "b"}) == "position 1: a; position 5: b"
    assert list_problems(dict.fromkeys(range(7), "a")).endswith("position 4: a; and 2 more")


@pytest.mark.parametrize("with_descriptors", [True, False])
def test_graphs_carry_labels_and_descriptors(with_descriptors):
    molecules, _, _ = read(["CCO", "C"])
    graphs = graphs_of(molecules, np.array([[1.0, np.nan], [0.0, 2.0]]), with_descriptors=with_descriptors)
    assert graphs[1].y.tolist() == [[0.0, 2.0]]
    assert graphs[0].y.dtype == torch.float32
    assert [("descriptors" in graph) for graph in graphs] == [with_descriptors] * 2
    if with_descriptors:
        weight = DESCRIPTOR_NAMES.index("MolWt")
        assert graphs[0].descriptors[0, weight] == pytest.approx(46.069, abs=0.01)
        assert graphs[1].descriptors.shape == (1, len(DESCRIPTOR_NAMES))
