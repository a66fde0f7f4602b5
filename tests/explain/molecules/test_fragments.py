import pytest
from rdkit import Chem

from graphattn.explain.molecules.fragments import fragments_of


def named(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    return [(each.kind, each.name_in(molecule)) for each in fragments_of(molecule)]


def test_rings_groups_and_pieces():
    found = named("CCOC(=O)c1ccc2ccccc2c1[N+](=O)[O-]")
    assert ("ring", "c1ccc2ccccc2c1") in found
    assert ("group", "O=[N+][O-]") in found
    assert ("group", "O=CO") in found
    assert [kind for kind, _ in found].count("ring") == 1


@pytest.mark.parametrize("smiles", ["C", "[Na+].[Cl-]", "c1ccccc1", "CCCC", "[Fe]"])
def test_all_of_a_molecule_and_single_atoms_are_no_fragments(smiles):
    assert named(smiles) == []


def test_equal_sets_of_atoms_are_one_fragment():
    found = fragments_of(Chem.MolFromSmiles("c1ccccc1OC1CCCCC1"))
    assert len({each.atoms for each in found}) == len(found)
