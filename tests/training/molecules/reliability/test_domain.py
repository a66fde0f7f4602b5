import numpy as np
import pytest
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from safetensors.torch import save_file

from graphattn.training.molecules.reliability.domain import Neighbours, least_similarity

SMILES = ["CCO", "c1ccccc1", "CC(=O)O", "CCO", "CCCCN"]
MOLECULES = [Chem.MolFromSmiles(text) for text in SMILES]


@pytest.fixture
def known():
    return Neighbours.of(SMILES, MOLECULES)


def test_equal_molecules_are_kept_once(known):
    assert known.smiles == ("CCO", "c1ccccc1", "CC(=O)O", "CCCCN")
    assert len(known.vectors) == 4


def test_nearest_is_the_most_similar_of_all(known):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    asked = [Chem.MolFromSmiles(text) for text in ("CCCO", "Cc1ccccc1", "CCO", "[Na+]")]
    places, similarity = known.nearest(asked)
    for place, found, molecule in zip(places, similarity, asked, strict=True):
        every = [
            DataStructs.TanimotoSimilarity(
                generator.GetFingerprint(molecule), generator.GetFingerprint(Chem.MolFromSmiles(text))
            )
            for text in known.smiles
        ]
        assert found == max(every)
        assert place == every.index(max(every))
    assert similarity[2] == 1
    assert similarity[3] == 0


def test_no_molecules_have_no_neighbours(known):
    places, similarity = known.nearest([])
    assert (len(places), len(similarity)) == (0, 0)


def test_a_file_gives_them_back(known, tmp_path):
    path = tmp_path / "neighbours.safetensors"
    path.write_bytes(known.content())
    again = Neighbours.read(path)
    assert again == known
    assert path.stat().st_size < 4 * 256 + 500


def test_damaged_files_are_named(known, tmp_path):
    path = tmp_path / "neighbours.safetensors"
    with pytest.raises(ValueError, match=r"is incomplete: neighbours\.safetensors is missing"):
        Neighbours.read(path)
    save_file({"smiles": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="is damaged: expected fingerprints and smiles as uint8, got smiles"):
        Neighbours.read(path)
    save_file(
        {"fingerprints": torch.zeros(2, 256, dtype=torch.uint8), "smiles": torch.tensor([67], dtype=torch.uint8)}, path
    )
    with pytest.raises(
        ValueError, match=r"is damaged: expected fingerprints \[1, 256\], one for each SMILES, got \[2, 256\]"
    ):
        Neighbours.read(path)


def test_one_in_twenty_validation_molecules_is_out():
    similarity = np.random.default_rng(0).random(1000)
    assert (similarity < least_similarity(similarity)).mean() == pytest.approx(0.05, abs=0.001)
