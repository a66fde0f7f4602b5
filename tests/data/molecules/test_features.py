import numpy as np
import pytest
from rdkit import Chem
from torch_geometric.utils import smiles as pyg

from graphattn.data.molecules import features
from graphattn.data.molecules.features import ATOM_FEATURES, BOND_FEATURES, atom_indices, bond_indices

MOLECULES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[N+](C)(C)CC(O)CC(=O)[O-]",
    "O=S(=O)(N)c1ccc2[nH]ccc2c1",
    "F/C=C\\F",
    "[Na+].[Cl-]",
    "C#N",
    "[CH3]",
    "*CC",
]


def atoms(smiles, feature):
    column = list(ATOM_FEATURES).index(feature)
    return [ATOM_FEATURES[feature][index - 1] for index in atom_indices(Chem.MolFromSmiles(smiles))[:, column]]


def bonds(smiles, feature):
    column = list(BOND_FEATURES).index(feature)
    return [BOND_FEATURES[feature][index - 1] for index in bond_indices(Chem.MolFromSmiles(smiles))[1][:, column]]


@pytest.mark.parametrize("smiles", MOLECULES)
@pytest.mark.parametrize(
    ("feature", "theirs"),
    [
        ("element", "atomic_num"),
        ("degree", "degree"),
        ("formal_charge", "formal_charge"),
        ("hydrogens", "num_hs"),
        ("radical_electrons", "num_radical_electrons"),
        ("hybridization", "hybridization"),
        ("aromatic", "is_aromatic"),
        ("in_ring", "is_in_ring"),
    ],
)
def test_atoms_are_as_in_pyg(smiles, feature, theirs):
    column = pyg.from_smiles(smiles).x[:, list(pyg.x_map).index(theirs)].tolist()
    assert atoms(smiles, feature) == [pyg.x_map[theirs][index] for index in column]


@pytest.mark.parametrize("smiles", MOLECULES)
def test_indices_lie_in_the_tables_and_none_is_unknown(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    for table, sizes in (
        (atom_indices(molecule), features.atom_sizes()),
        (bond_indices(molecule)[1], features.bond_sizes()),
    ):
        assert table.dtype == np.int64
        assert table.shape[1] == len(sizes)
        assert (table >= 1).all()
        assert (table < np.array(sizes)).all()


def test_sizes_count_the_unknown():
    assert features.atom_sizes() == tuple(len(values) + 1 for values in ATOM_FEATURES.values())
    assert features.atom_sizes() == (120, 12, 13, 15, 11, 7, 10, 3, 3, *[3] * 7, 13, 3, 3)
    assert features.bond_sizes() == (23, 9, 3, 3)


def test_tables_list_every_code_of_rdkit():
    assert set(ATOM_FEATURES["hybridization"]) == set(Chem.HybridizationType.names)
    assert set(BOND_FEATURES["type"]) == set(Chem.BondType.names)
    assert set(BOND_FEATURES["stereo"]) == set(Chem.BondStereo.names)
    assert set(features._CHIRALITY) == set(Chem.ChiralType.values.values()) - {Chem.ChiralType.CHI_UNSPECIFIED}


@pytest.mark.parametrize(
    ("smiles", "feature", "expected"),
    [
        ("[Zr+7]", "formal_charge", ["more"]),
        ("[C-6]", "formal_charge", ["less"]),
        ("[Zr+4]", "formal_charge", [4]),
        ("*", "element", [0]),
        ("[Og]", "element", [118]),
        ("[U](F)(F)(F)(F)(F)(F)(F)(F)(F)(F)(F)F", "degree", ["more", *[1] * 12]),
        ("[UH12]", "hydrogens", ["more"]),
        ("[2H]C([3H])[13CH2][12CH3]", "isotope", [1, "natural", 2, 1, 0]),
        ("[99C]", "isotope", ["more"]),
        ("[5C]", "isotope", ["less"]),
        ("C1CC12CCC2", "in_ring_of_3", [True, True, True, False, False, False]),
        ("C1CC12CCC2", "in_ring_of_4", [False, False, True, True, True, True]),
        ("C1CCCCCCCC1C", "in_larger_ring", [True] * 9 + [False]),
        ("C1CCCCCCC1", "in_ring_of_8", [True] * 8),
        ("C1CCCCCCC1", "in_larger_ring", [False] * 8),
        ("CC(=O)N", "hydrogen_donor", [False, False, False, True]),
        ("CC(=O)N", "hydrogen_acceptor", [False, False, True, False]),
        ("C[C@H](N)O", "chirality", ["none", "R", "none", "none"]),
        ("C[C@@H](N)O", "chirality", ["none", "S", "none", "none"]),
        ("CC(N)O", "chirality", ["none"] * 4),
        ("F[Pt@SP1](Cl)(Br)I", "chirality", ["none", "square planar", "none", "none", "none"]),
        ("F[Pt@SP1](Cl)(Br)I", "hybridization", ["SP3", "SP2D", "SP3", "SP3", "SP3"]),
        ("F[As@TB1](Cl)(Br)(N)S", "chirality", ["none", "trigonal bipyramidal", *["none"] * 4]),
        ("F[Co@OH1](Cl)(Br)(N)(S)O", "chirality", ["none", "octahedral", *["none"] * 5]),
    ],
)
def test_atom_features(smiles, feature, expected):
    assert atoms(smiles, feature) == expected


def test_ring_stereo_is_told_apart():
    column = list(ATOM_FEATURES).index("chirality")
    cis, trans = (atom_indices(Chem.MolFromSmiles(f"O[C@H]1CC[C{at}H](C)CC1"))[:, column] for at in ("@", "@@"))
    assert sorted(cis) != sorted(trans)


def test_a_centre_that_is_too_hard_to_label_is_tetrahedral(monkeypatch):
    monkeypatch.setattr(features, "_CIP_COMPARISONS", 1)
    assert atoms("CC[C@H](CCC)CCCC", "chirality").count("tetrahedral") == 1


def test_an_unknown_element_has_index_0(monkeypatch):
    monkeypatch.setitem(features._INDEX, "element", {6: 7})
    assert atom_indices(Chem.MolFromSmiles("CO"))[:, 0].tolist() == [7, 0]


@pytest.mark.parametrize(
    ("smiles", "feature", "expected"),
    [
        ("C=CC#N", "type", ["DOUBLE", "SINGLE", "TRIPLE"]),
        ("C=CC#N", "conjugated", [True, True, True]),
        ("[NH3]->[Pt]", "type", ["DATIVE"]),
        ("F/C=C/F", "stereo", ["STEREONONE", "STEREOE", "STEREONONE"]),
        ("F/C=C\\F", "stereo", ["STEREONONE", "STEREOZ", "STEREONONE"]),
        ("C1CC1C", "in_ring", [True, True, False, True]),
        ("[Na+].[Cl-]", "type", []),
    ],
)
def test_bond_features(smiles, feature, expected):
    assert bonds(smiles, feature) == expected


def test_atropisomers_have_a_stereo_code():
    codes = [set(bonds(f"Cc1cccc(I)c1-c1c(C)cccc1I |w{up}:7.6|", "stereo")) - {"STEREONONE"} for up in ("U", "D")]
    assert codes == [{"STEREOATROPCW"}, {"STEREOATROPCCW"}]


def test_bond_ends():
    ends, table = bond_indices(Chem.MolFromSmiles("CCO"))
    assert ends.tolist() == [[0, 1], [1, 2]]
    assert table.shape == (2, 4)
    assert bond_indices(Chem.MolFromSmiles("C"))[0].shape == (2, 0)


def test_the_molecule_stays_as_it_was():
    molecule = Chem.MolFromSmiles("C[C@H](N)O")
    molecule.GetAtomWithIdx(1).SetProp("_CIPCode", "mine")
    assert ATOM_FEATURES["chirality"][atom_indices(molecule)[1, 1] - 1] == "R"
    assert molecule.GetAtomWithIdx(1).GetProp("_CIPCode") == "mine"
