from types import SimpleNamespace

import numpy as np
import torch

from graphattn.training.data_module import MoleculeData, SizeBatches
from graphattn.training.packed import Packed


def test_every_molecule_once_an_epoch_in_batches_of_similar_size():
    sizes = np.random.default_rng(0).integers(1, 60, 1000)
    batches = list(SizeBatches(sizes, 32, seed=0))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert {len(batch) for batch in batches} <= {31, 32}
    padded = sum(len(batch) * sizes[batch].max() for batch in batches)
    assert padded < 1.15 * sizes.sum()


def test_order_changes_with_the_epoch_and_repeats_with_the_seed():
    sampler, again, other = (SizeBatches(np.arange(100), 10, seed=seed) for seed in (3, 3, 4))
    first = [batch.tolist() for batch in sampler]
    assert first == [batch.tolist() for batch in again]
    assert first != [batch.tolist() for batch in other]
    sampler.epoch = 1
    second = [batch.tolist() for batch in sampler]
    assert second != first
    again.epoch = 1
    assert second == [batch.tolist() for batch in again]


def batches(data, rank, world, step):
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world, global_step=step)
    return [(*batch.ptr.tolist(), *batch.y.flatten().tolist()) for batch in data.train_dataloader()]


def test_devices_share_the_batches(make_graphs):
    data = MoleculeData(Packed(make_graphs(24)), Packed(make_graphs(5)), batch_size=4, seed=0)
    together = batches(data, 0, 1, 0)
    assert len(together) == 6
    assert batches(data, 0, 2, 0) == together[0::2]
    assert batches(data, 1, 2, 0) == together[1::2]


def test_epoch_follows_from_the_step(make_graphs):
    data = MoleculeData(Packed(make_graphs(24)), Packed(make_graphs(5)), batch_size=4, seed=0)
    assert batches(data, 0, 1, 0) != batches(data, 0, 1, 6)
    assert batches(data, 0, 1, 6) == batches(data, 0, 1, 11)


def test_validation_covers_every_molecule(make_graphs):
    data = MoleculeData(Packed(make_graphs(24)), Packed(make_graphs(11)), batch_size=2, seed=0)
    batches = list(data.val_dataloader())
    assert [batch.num_graphs for batch in batches] == [8, 3]
    sizes = torch.cat([batch.ptr.diff() for batch in batches])
    assert torch.equal(sizes, sizes.sort().values)
