import itertools

import numpy as np
import pytest
import torch

from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.training.molecules.packed import Standardiser
from graphattn.training.pretraining.shards import ShardBatches, ShardMolecules, Shards
from graphattn.training.pretraining.targets import described

TEXTS = ["C" * n + tail for n in range(1, 12) for tail in ("O", "N", "Cl")] + ["bad"]


@pytest.fixture
def shards(tmp_path):
    made = Shards(tmp_path / "shards", TEXTS, size=10)
    list(made.write())
    return made


def test_every_text_is_in_one_file(shards):
    became = list(shards.write())
    assert len(became) == len(shards) == 4
    assert [each.molecules for each in became] == [8, 9, 8, 8]
    assert [position for each in became for position in each.unreadable] == [33]
    sizes = [int(shards.read(number).nodes.sum()) for number in range(4)]
    assert sum(sizes) == sum(len(text) - (text[-2:] == "Cl") for text in TEXTS[:-1])


def test_descriptors_are_normal_scores_of_the_first_files_statistics(shards):
    raw = [described(TEXTS[first : first + 8]).tensors["descriptors"] for first in (0, 8)]
    fitted = Standardiser.of(raw[0])
    expected = fitted(raw[1])
    found = shards.read(1).beside["descriptors"]
    known = ~found.isnan()
    assert known.float().mean() > 0.9
    assert torch.allclose(found[:8][known[:8]], expected[known[:8]], atol=2e-3)


def test_values_that_rdkit_lacks_stay_missing(tmp_path):
    made = Shards(tmp_path, ["CCO", "[Pt]", "CCN"])
    list(made.write())
    column = DESCRIPTOR_NAMES.index("BCUT2D_MWHI")
    assert made.read(0).beside["descriptors"][:, column].isnan().tolist() == [False, True, False]


def test_given_statistics_are_used(tmp_path):
    raw = described(["CCO", "CCCCCCO", "CCN"]).tensors["descriptors"]
    made = Shards(tmp_path, ["CCO", "CCCC"], statistics=Standardiser.of(raw))
    list(made.write())
    assert torch.equal(made.standardiser().knots, Standardiser.of(raw).knots)


def test_files_that_are_there_are_not_made_again(shards):
    before = {path: path.stat().st_mtime_ns for path in shards.folder.iterdir()}
    (shards.folder / "00002.safetensors").unlink()
    list(shards.write())
    after = {path: path.stat().st_mtime_ns for path in shards.folder.iterdir()}
    assert [path.name for path in before if before[path] != after[path]] == ["00002.safetensors"]


def test_a_file_without_molecules_is_refused(tmp_path):
    with pytest.raises(ValueError, match="from 2 SMILES of 2: 2 cannot be read, 0 are excluded; the first is 'C1CC'"):
        list(Shards(tmp_path, ["C1CC", "?"]).write())


def test_each_epoch_reads_one_file_and_all_files_come_before_one_comes_again(shards):
    molecules = ShardMolecules(shards)
    order = ShardBatches(molecules, range(1, 4), batch_size=3, seed=0)
    seen = []
    for epoch in range(12):
        order.epoch = epoch
        batches = list(order)
        assert len(batches) <= len(order) == 3
        rows = np.concatenate(batches)
        number = int(rows[0]) // shards.size
        assert sorted(rows - molecules.first(number)) == list(range(len(shards.read(number))))
        seen.append(number)
    passes = [seen[first : first + 3] for first in range(0, 12, 3)]
    assert all(sorted(each) == [1, 2, 3] for each in passes)
    assert len({tuple(each) for each in passes}) > 1


def test_orders_depend_on_the_seed_alone(shards):
    def orders(seed):
        order = ShardBatches(ShardMolecules(shards), range(4), 4, seed)
        order.epoch = 1
        return [batch.tolist() for batch in order]

    assert orders(0) == orders(0)
    assert orders(0) != orders(1)


def test_a_batch_has_the_molecules_of_its_positions(shards):
    molecules = ShardMolecules(shards)
    for number, row in itertools.product((2, 0), (0, 3)):
        batch = molecules[np.array([molecules.first(number) + row])]
        assert len(batch["x"]) == int(shards.read(number).nodes[row])
        assert torch.equal(batch["counts"][0], shards.read(number).beside["counts"][row])
