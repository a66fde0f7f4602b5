import pytest
from rdkit import Chem

from graphattn.explain.molecules.cutting import as_carbon, without


def left(smiles, atoms=(), bonds=()):
    return Chem.MolToSmiles(without(Chem.MolFromSmiles(smiles), atoms, bonds))


@pytest.mark.parametrize(
    ("smiles", "atoms", "expected"),
    [
        ("CCO", [2], "CC"),
        ("CCO", [1], "C.O"),
        ("C[N+](=O)[O-]", [3], "C[NH+]=O"),
        ("C[N+](=O)[O-]", [1, 2, 3], "C"),
        ("C[C@H](F)Cl", [0], "FCCl"),
        ("C/C=C/C", [0], "C=CC"),
        ("[Na+].[Cl-]", [0], "[Cl-]"),
        ("[2H]OC", [0], "CO"),
        ("*C", [1], "*"),
        ("F[P-](F)(F)(F)(F)F", [0], "F[PH-](F)(F)(F)F"),
        ("C[N+](C)(C)C", [0], "C[NH+](C)C"),
        ("c1cc[nH]c1", [3], "C=CC=C"),
        ("c1ccc2[nH]ccc2c1", [4], "C=Cc1ccccc1"),
        ("N->[Pt](Cl)Cl", [0], "[Cl][PtH][Cl]"),
        ("C", [0], ""),
    ],
)
def test_hydrogens_take_the_place_of_what_is_taken_out(smiles, atoms, expected):
    assert left(smiles, atoms) == expected


def test_a_bond_is_cut_and_all_atoms_stay():
    molecule = Chem.MolFromSmiles("C=CO")
    cut = without(molecule, bonds=[0])
    assert Chem.MolToSmiles(cut) == "C.CO"
    assert [atom.GetSymbol() for atom in cut.GetAtoms()] == ["C", "C", "O"]
    assert molecule.GetNumBonds() == 2


def test_the_given_molecule_stays_aromatic():
    molecule = Chem.MolFromSmiles("c1ccccc1O")
    assert Chem.MolToSmiles(without(molecule, [6])) == "c1ccccc1"
    assert Chem.MolToSmiles(molecule) == "Oc1ccccc1"


def test_explicit_hydrogens_are_atoms():
    molecule = Chem.AddHs(Chem.MolFromSmiles("CO"))
    assert Chem.MolToSmiles(without(molecule, [1])) == "[HH].[H]C([H])[H]"


def test_valences_that_no_molecule_has_are_no_error():
    odd = Chem.MolFromSmiles("C[N+](=O)[O-]", sanitize=True)
    for atoms in ([0], [1], [2], [0, 2], [1, 3]):
        assert without(odd, atoms).GetNumAtoms() == 4 - len(atoms)


@pytest.mark.parametrize(
    ("smiles", "atoms", "expected"),
    [
        ("c1ccncc1", [3], "c1ccccc1"),
        ("c1cc[nH]c1", [3], "C1=CCC=C1"),
        ("C[N+](=O)[O-]", [1], "CC(=O)[O-]"),
        ("C[N+](=O)[O-]", [1, 2, 3], "C=C(C)C"),
        ("CS(=O)(=O)N", [1], "CC(N)(O)O"),
        ("C[N+](C)(C)C", [1], "CC(C)(C)C"),
        ("[Na+].[Cl-]", [0], "C.[Cl-]"),
        ("C[C@H](F)Cl", [2], "CC(C)Cl"),
        ("C/C=C/O", [3], "C/C=C/C"),
        ("[2H]OC", [0], "[2H]OC"),
        ("FS(F)(F)(F)(F)F", [1], "F.F.F.F.F.F"),
        ("*C", [0], "CC"),
        ("[13CH4]", [0], "C"),
        ("CCO", [], "CCO"),
    ],
)
def test_carbon_takes_the_place_of_atoms(smiles, atoms, expected):
    molecule = Chem.MolFromSmiles(smiles)
    assert Chem.MolToSmiles(as_carbon(molecule, atoms)) == Chem.CanonSmiles(expected)
    assert Chem.MolToSmiles(molecule) == Chem.CanonSmiles(smiles)
