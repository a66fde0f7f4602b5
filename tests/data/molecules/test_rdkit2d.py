import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Descriptors

from graphattn.data.molecules import rdkit2d
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES, descriptors

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "C", "[Na+].[Cl-]", "F[Pt@SP1](Cl)(Br)I", "*CC", "[H+]"]
MOLECULES = [Chem.MolFromSmiles(smiles) for smiles in SMILES]


def column(name):
    return descriptors(MOLECULES)[:, DESCRIPTOR_NAMES.index(name)]


def test_names_are_those_of_rdkit_without_the_two_that_explode():
    assert len(set(DESCRIPTOR_NAMES)) == 215
    assert set(DESCRIPTOR_NAMES) == {name for name, _ in Descriptors._descList} - {"Ipc", "AvgIpc"}


@pytest.mark.parametrize("name", ["MolWt", "TPSA", "MolLogP", "RingCount", "fr_ester", "BertzCT"])
def test_values_are_rdkits(name):
    expected = [getattr(Descriptors, name)(molecule) for molecule in MOLECULES]
    np.testing.assert_allclose(column(name), expected, rtol=1e-6)


def test_nan_where_rdkit_has_no_value_and_never_infinity(capfd):
    values = descriptors(MOLECULES)
    assert values.dtype == np.float32
    assert not np.isinf(values).any()
    assert np.isnan(values).any(axis=1).tolist() == [False, False, True, True, True, True]
    assert capfd.readouterr() == ("", "")


def test_processes_do_not_change_the_result():
    molecules = MOLECULES * 25
    np.testing.assert_array_equal(descriptors(molecules, n_jobs=2), descriptors(molecules))


def test_explicit_hydrogens_do_not_change_the_result():
    np.testing.assert_array_equal(descriptors([Chem.AddHs(MOLECULES[0])]), descriptors(MOLECULES[:1]))


def test_no_molecules():
    assert descriptors([]).shape == (0, 215)


@pytest.mark.parametrize("value", [1e300, float("inf"), float("nan")])
def test_what_float32_does_not_hold_is_nan(monkeypatch, value):
    monkeypatch.setitem(rdkit2d._FUNCTIONS, "MolWt", lambda molecule: value)
    assert np.isnan(column("MolWt")).all()


def test_a_descriptor_that_this_rdkit_lacks_is_nan(monkeypatch):
    monkeypatch.delitem(rdkit2d._FUNCTIONS, "TPSA")
    assert np.isnan(column("TPSA")).all()
    assert np.isfinite(column("MolWt")).all()
