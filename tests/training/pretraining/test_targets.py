import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from torch_geometric.data import Batch

from graphattn.data.molecules.chemistry import read
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.training.molecules.packed import Packed
from graphattn.training.pretraining.targets import COUNTERS, connectivity, described, joined

TEXTS = ["CCO", "c1ccccc1C(=O)[O-].[Na+]", "not a molecule", "C", "CC(N)C(=O)O"]
PARTS = ("x", "edge_index", "edge_attr", "distance", "random_walk")


def test_narrow_tensors_are_the_graphs_of_the_readable_texts():
    found = described(TEXTS)
    tensors = found.tensors
    packed = Packed(tensors["nodes"], tensors["edges"], {name: tensors[name] for name in PARTS})
    expected = Batch.from_data_list(read(TEXTS).graphs)
    batch = packed[range(4)]
    for name in PARTS:
        assert batch[name].dtype == expected[name].dtype, name
        assert torch.equal(batch[name], expected[name]), name
    assert found.unreadable == [2]
    assert found.excluded == 0


def test_counts_are_those_of_a_fingerprint_of_1024_counters():
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=COUNTERS)
    for text in ("CC(C)(C)c1ccc(O)cc1", "O=C(O)CCCCCCC"):
        expected = generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(text))
        assert np.array_equal(described([text]).tensors["counts"][0].numpy(), expected)


def test_counts_end_at_255():
    assert described(["C" * 400]).tensors["counts"].max() == 255


def test_descriptors_are_raw_values():
    values = dict(zip(DESCRIPTOR_NAMES, described(["CCO"]).tensors["descriptors"][0].tolist(), strict=True))
    assert round(values["MolWt"], 3) == 46.069


def test_stereo_isotopes_and_charge_do_not_change_the_key_of_connections():
    keys = {connectivity(Chem.MolFromSmiles(text)) for text in ("C[C@H](N)C(=O)O", "C[C@@H]([15NH2])C(=O)O")}
    assert len(keys) == 1
    assert connectivity(Chem.MolFromSmiles("CC(=O)[O-]")) == connectivity(Chem.MolFromSmiles("CC(=O)O"))


def test_excluded_molecules_are_left_out_and_counted():
    found = described(TEXTS, {connectivity(Chem.MolFromSmiles("C[C@H](N)C(=O)O"))})
    assert (len(found.tensors["nodes"]), found.unreadable, found.excluded) == (3, [2], 1)


def test_nothing_readable_gives_no_tensors():
    assert described(["C1CC", "?"]) == ({}, [0, 1], 0)


def test_parts_joined_are_the_whole():
    whole = described(["CCO", "CCN", "C"]).tensors
    parts = joined([described(["CCO", "CCN"]).tensors, described(["C"]).tensors])
    assert all(torch.equal(parts[name], whole[name]) for name in whole)
