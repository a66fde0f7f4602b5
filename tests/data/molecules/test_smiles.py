import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from torch_geometric.data import Batch
from torch_geometric.utils import from_smiles

from graphattn.data.molecules.smiles import (
    UNREACHABLE,
    UnreadableError,
    keep_largest_fragment,
    molecule_problem,
    parse_smiles,
    rdkit_molecule,
    smiles_problem,
    to_data,
)

VARIED = [
    "C[C@H](N)C(=O)O",
    "F/C=C/C=C\\F",
    "O[C@H]1CC[C@@H](C)CC1",
    "CC(=O)[O-].[Na+]",
    "C[C@]12CC[C@H]3[C@@H](CCc4cc(O)ccc34)[C@@H]1CC[C@@H]2O",
    "[2H]C([2H])([2H])Oc1ccncc1",
    "C1CC12CCC2",
    "N->[Pt](Cl)Cl",
]
ODD = ["[H+]", "[U]", "C", "[Na+].[Cl-]", "*", "*CC*", "[H][H]", "F[Pt@SP1](Cl)(Br)I", "[Zr+7]", "[Fe+2].[O-2]"]


def index_of(molecule, order):
    """The molecule with atom `order[i]` as atom i."""
    return to_data(Chem.RenumberAtoms(molecule, order))


@given(st.data())
def test_atoms_in_another_order_give_the_same_graph_in_that_order(data):
    molecule = parse_smiles(data.draw(st.sampled_from(VARIED)))
    order = data.draw(st.permutations(range(molecule.GetNumAtoms())))
    ours, theirs = to_data(molecule), index_of(molecule, order)
    n = len(order)
    assert torch.equal(theirs.x, ours.x[order])
    assert torch.equal(theirs.distance.view(n, n), ours.distance.view(n, n)[order][:, order])
    torch.testing.assert_close(theirs.random_walk, ours.random_walk[order])
    edges = {(i, j): row for (i, j), row in zip(ours.edge_index.T.tolist(), ours.edge_attr.tolist(), strict=True)}
    assert {
        (order[i], order[j]): row
        for (i, j), row in zip(theirs.edge_index.T.tolist(), theirs.edge_attr.tolist(), strict=True)
    } == edges
    assert theirs.smiles == ours.smiles


@pytest.mark.parametrize("smiles", VARIED)
def test_a_smiles_written_otherwise_gives_the_same_features(smiles):
    molecule = parse_smiles(smiles)
    expected = sorted(to_data(molecule).x.tolist())
    for seed in range(5):
        other = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0]
        assert sorted(to_data(parse_smiles(other)).x.tolist()) == expected


@pytest.mark.parametrize("smiles", ODD + VARIED)
def test_every_molecule_is_a_whole_graph(smiles):
    data = to_data(parse_smiles(smiles))
    n = data.num_nodes
    assert n >= 1
    assert data.x.shape == (n, 19)
    assert data.edge_attr.shape == (data.edge_index.shape[1], 4)
    assert data.random_walk.shape == (n, 16)
    assert data.random_walk.dtype == torch.float32
    assert data.random_walk.isfinite().all()
    assert data.distance.shape == (n * n,)
    assert {data[key].dtype for key in ("x", "edge_index", "edge_attr", "distance")} == {torch.int64}
    assert data.validate()


@pytest.mark.parametrize("smiles", ["F[Pt@SP1](Cl)(Br)I", "[Zr+7]"])
def test_what_pyg_refuses_is_a_graph(smiles):
    with pytest.raises(ValueError, match="is not in list"):
        from_smiles(smiles)
    assert to_data(parse_smiles(smiles)).num_nodes >= 1


def test_edges_are_sorted_and_go_both_ways():
    data = to_data(parse_smiles("C=CC#N"))
    assert data.edge_index.tolist() == [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]
    assert data.edge_attr[:, 0].tolist() == [3, 3, 2, 2, 4, 4]
    assert torch.equal(data.edge_index, from_smiles("C=CC#N").edge_index)


def test_one_atom():
    data = to_data(parse_smiles("C"))
    assert data.edge_index.shape == (2, 0)
    assert data.edge_attr.shape == (0, 4)
    assert data.distance.tolist() == [0]
    assert data.random_walk.tolist() == [[0.0] * 16]


def test_distances_count_bonds_up_to_20_and_know_other_fragments():
    distance = to_data(parse_smiles("C" * 30 + ".O")).distance.view(31, 31)
    assert distance[0].tolist() == [*range(20), *[20] * 10, UNREACHABLE]
    assert distance[30].tolist() == [UNREACHABLE] * 30 + [0]
    assert torch.equal(distance, distance.T)


def test_a_molecule_without_atoms_is_no_graph():
    with pytest.raises(ValueError, match="a molecule without atoms has no graph"):
        to_data(Chem.MolFromSmiles(""))


def test_molecules_batch():
    one, two = to_data(parse_smiles("CCO")), to_data(parse_smiles("C"))
    batch = Batch.from_data_list([one, two])
    assert batch.ptr.tolist() == [0, 3, 4]
    assert batch.distance.shape == (3 * 3 + 1,)
    assert batch.smiles == ["CCO", "C"]


def test_explicit_hydrogens_are_atoms():
    molecule = parse_smiles("CO", explicit_hydrogens=True)
    assert to_data(molecule).x[:, 0].tolist() == [7, 9, 2, 2, 2, 2]
    assert to_data(molecule).x[:2, 4].tolist() == to_data(parse_smiles("CO")).x[:, 4].tolist()


@pytest.mark.parametrize("smiles", ["CCN.Cl.[Na+]", "Cl.CCN.[Na+]", "[Na+].Cl.CCN"])
def test_the_largest_fragment(smiles):
    assert Chem.MolToSmiles(parse_smiles(smiles, largest_fragment=True)) == "CCN"


def test_of_fragments_with_equally_many_atoms_the_heaviest_stays():
    assert Chem.MolToSmiles(keep_largest_fragment(Chem.MolFromSmiles("CI.CO"))) == "CI"
    assert Chem.MolToSmiles(keep_largest_fragment(Chem.MolFromSmiles("CCO.COC"))) == "COC"
    assert Chem.MolToSmiles(keep_largest_fragment(Chem.MolFromSmiles("CCO"))) == "CCO"


@pytest.mark.parametrize(
    "text",
    [
        " CCO ",
        "CCO ethanol",
        "CCO\tname",
        "CCO |$;;alcohol$|",
        "\tCCO\n",
        "\ufeffCCO\u00a0",
        "\u200bCCO\u200b\n",
        "CCO \u00e9thanol",
        "CCO |$;;\u00e9$|",
        "CCO |$;;O$| \u00e9thanol \u2122",
    ],
)
def test_what_may_stand_around_a_smiles(text):
    assert Chem.MolToSmiles(parse_smiles(text)) == "CCO"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C1CC", "ring 1 is not closed"),
        ("C%12CC", "ring %12 is not closed"),
        ("CC((O)", "2 opening and 1 closing parentheses"),
        ("C[NH", "a square bracket is not closed"),
        ("aspirin", "not SMILES syntax"),
        ("12.5", "not SMILES syntax"),
        ("compound 2", "not SMILES syntax"),
        ("[Xx]", "not SMILES syntax"),
        ("CN(C)(C)C", "Explicit valence for atom # 1 N, 4, is greater than permitted"),
        ("c1cccc1N", "Can't kekulize mol. Unkekulized atoms: 0 1 2 3 4"),
    ],
)
def test_unreadable_smiles_say_why_and_rdkit_stays_silent(text, reason, capfd):
    with pytest.raises(ValueError, match="RDKit cannot read SMILES") as error:
        parse_smiles(text)
    assert str(error.value) == f"RDKit cannot read SMILES {text!r}: {reason}"
    assert smiles_problem(text) == reason
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "character", "position"),
    [
        ("CC\u041e", "\u041e", 3),
        ("CC\u00e9", "\u00e9", 3),
        ("CC\u03bc", "\u03bc", 3),
        ("CC\u2013", "\u2013", 3),
        ("CCN\u2192", "\u2192", 4),
        ("CCO\u2122 ethanol", "\u2122", 4),
        (" CCO\x01", "\x01", 5),
        ("\u041eCC", "\u041e", 1),
        ("\x01CCO", "\x01", 1),
        ("CCO\nCCN", "\n", 4),
        ("CCO\u00a0CCN", "\u00a0", 4),
        ("InChI=1S/CH4/h1H4\u00e9", "\u00e9", 18),
    ],
)
def test_characters_that_rdkit_passes_over_are_named_with_their_position(text, character, position):
    with pytest.raises(UnreadableError) as error:
        parse_smiles(text)
    assert error.value.reason == f"unreadable SMILES: character {character!r} at position {position}"
    assert str(error.value) == f"RDKit cannot read SMILES {text!r}: character {character!r} at position {position}"
    assert rdkit_molecule(text) is None


def test_rdkits_warnings_stay_silent(capfd):
    parse_smiles("[H+].[Zr+7]", largest_fragment=True, explicit_hydrogens=True)
    assert capfd.readouterr() == ("", "")


def test_a_molecule_without_faults_has_no_problem_to_name():
    assert molecule_problem(Chem.MolFromSmiles("CCO", sanitize=False)) == "not a valid molecule"


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_smiles(text):
    with pytest.raises(ValueError, match=rf"SMILES '{text}' has no atoms"):
        parse_smiles(text)


@pytest.mark.parametrize(("text", "kind"), [(None, "NoneType"), (float("nan"), "float"), (12, "int")])
def test_a_smiles_is_a_string(text, kind):
    with pytest.raises(TypeError, match=rf"a SMILES is a string; got {text} of type {kind}"):
        parse_smiles(text)
