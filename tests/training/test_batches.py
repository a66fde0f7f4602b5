from types import SimpleNamespace

import numpy as np
import torch

from graphattn.training.batches import ShuffledBatches, SizeBatches
from graphattn.training.molecules.ensemble import _batches
from graphattn.training.molecules.packed import Packed
from graphattn.training.recipe import MoleculeRecipe


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


MODULE = SimpleNamespace(recipe=MoleculeRecipe(), member=0)


def batches(data, rank, world, step):
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world, global_step=step, lightning_module=MODULE)
    return [(*batch.ptr.tolist(), *batch.y.flatten().tolist()) for batch in data.train_dataloader()]


def test_devices_share_the_batches(make_graphs):
    data = _batches(Packed.of(make_graphs(24)), Packed.of(make_graphs(5)), MoleculeRecipe(batch_size=4))
    together = batches(data, 0, 1, 0)
    assert len(together) == 6
    assert batches(data, 0, 2, 0) == together[0::2]
    assert batches(data, 1, 2, 0) == together[1::2]


def test_epoch_follows_from_the_step(make_graphs):
    data = _batches(Packed.of(make_graphs(24)), Packed.of(make_graphs(5)), MoleculeRecipe(batch_size=4))
    assert batches(data, 0, 1, 0) != batches(data, 0, 1, 6)
    assert batches(data, 0, 1, 6) == batches(data, 0, 1, 11)


def test_validation_covers_every_molecule(make_graphs):
    data = _batches(Packed.of(make_graphs(24)), Packed.of(make_graphs(11)), MoleculeRecipe(batch_size=2))
    batches = list(data.val_dataloader())
    assert [batch.num_graphs for batch in batches] == [8, 3]
    sizes = torch.cat([batch.ptr.diff() for batch in batches])
    assert torch.equal(sizes, sizes.sort().values)


def test_shuffled_batches_are_whole_passes_in_another_order_each_epoch():
    batches, again = (ShuffledBatches(5, batch_size=3, passes=2, seed=1) for _ in range(2))
    first = list(batches)
    assert [len(batch) for batch in first] == [3, 3, 3, 1]
    order = [position for batch in first for position in batch]
    assert sorted(order[:5]) == sorted(order[5:]) == list(range(5))
    assert list(again) == first
    batches.epoch = again.epoch = 1
    assert list(batches) == list(again) != first


def test_the_order_of_an_epoch_goes_on_with_the_generator_of_those_before():
    generator, batches = torch.Generator().manual_seed(4), ShuffledBatches(6, batch_size=6, passes=1, seed=4)
    for epoch in range(3):
        batches.epoch = epoch
        assert list(batches) == [torch.randperm(6, generator=generator).tolist()]
