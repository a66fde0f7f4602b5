import numpy as np
import pytest
import torch
from rdkit import Chem

from graphattn.data.molecules import chemistry
from graphattn.data.molecules.chemistry import Chemistry, attach, describe, label, parse, read
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.molecules.smiles import MOST_ATOMS, UnreadableError
from graphattn.data.wording import list_problems


def test_unreadable_smiles_keep_the_positions_of_the_others():
    found = read(["CCO", "C1CC(((", None, "", "C"])
    assert [molecule.GetNumAtoms() for molecule in found.molecules] == [3, 1]
    assert [graph.num_nodes for graph in found.graphs] == [3, 1]
    assert found.positions.tolist() == [0, 4]
    assert list(found.problems) == [1, 2, 3]
    assert "'C1CC((('" in str(found.problems[1])
    assert str(found.problems[2]) == "expected SMILES as a text, got None"
    assert found.problems[3].reason == "empty SMILES"


def test_chemistry_is_applied():
    salt = parse("CCO.[Na+]", Chemistry(largest_fragment=True, explicit_hydrogens=True))
    assert salt.GetNumAtoms() == 9


def test_problems_are_listed_up_to_a_number():
    assert list_problems({1: "a", 5: "b"}) == "position 1: a; position 5: b"
    assert list_problems(dict.fromkeys(range(7), "a")).endswith("position 4: a; and 2 more")


def test_graphs_carry_labels_and_descriptors():
    found = read(["CCO", "C"])
    label(found.graphs, np.array([[1.0, np.nan], [0.0, 2.0]]))
    assert found.graphs[1].y.tolist() == [[0.0, 2.0]]
    assert found.graphs[0].y.dtype == torch.float32
    attach(found.graphs, describe(found.molecules))
    weight = DESCRIPTOR_NAMES.index("MolWt")
    assert found.graphs[0].descriptors[0, weight] == pytest.approx(46.069, abs=0.01)
    assert found.graphs[1].descriptors.shape == (1, len(DESCRIPTOR_NAMES))


def test_what_a_library_raises_is_the_reason_of_that_molecule(monkeypatch):
    found = read(["CCO", "[#999]", "CCN"])
    assert found.positions.tolist() == [0, 2]
    assert found.problems[1].reason.startswith("unreadable SMILES: ")

    def exhausted(molecule):
        if molecule.GetNumAtoms() > 2:
            raise MemoryError("no room\n\nfor it\nat all")
        return to_data(molecule)

    to_data = chemistry.to_data
    monkeypatch.setattr(chemistry, "to_data", exhausted)
    found = read(["CC", "CCO" + "C" * 80])
    assert found.positions.tolist() == [0]
    assert found.problems[1].reason == "unreadable SMILES: MemoryError: no room: for it"
    assert str(found.problems[1]).startswith("RDKit cannot read SMILES 'CCO" + "C" * 57 + "...'")


def test_a_molecule_of_too_many_atoms_is_refused_before_it_takes_minutes():
    found = read(["C" * 20_000, "N=C" * 30_000, "C" * MOST_ATOMS])
    assert found.positions.tolist() == [2]
    assert found.problems[0].reason == "too large a molecule: 20,000 atoms, more than 1,000 (--max-atoms)"
    assert read(["CCCC", "CCC"], Chemistry(max_atoms=3)).positions.tolist() == [1]
    with pytest.raises(UnreadableError, match="SMILES 'CC' has 8 atoms, more than 4 "):
        parse("CC", Chemistry(explicit_hydrogens=True, max_atoms=4))
    assert Chem.MolToSmiles(parse("CCO.C", Chemistry(largest_fragment=True))) == "CCO"


def test_few_molecules_need_no_processes(monkeypatch):
    asked = []
    monkeypatch.setattr(chemistry, "descriptors", lambda molecules, n_jobs: asked.append((len(molecules), n_jobs)))
    for count in (299, 300):
        describe([Chem.MolFromSmiles("C")] * count)
    assert asked == [(299, 1), (300, -1)]
