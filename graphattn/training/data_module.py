"""Batches of molecules of similar size."""

import math
from collections.abc import Iterator

import lightning.pytorch as pl
import numpy as np
from torch.utils.data import DataLoader, Sampler

from graphattn.training.packed import Packed


class SizeBatches(Sampler):
    """Positions of one batch after the other: shuffled, then sorted by size within pools of `pool` batches.

    Attention pads every molecule of a batch to the largest one, so molecules of one size belong together; the shuffled
    pools keep batches different from epoch to epoch. The order is a function of `seed` and the epoch alone.

    >>> batches = SizeBatches(np.array([9, 1, 8, 2]), batch_size=2, seed=0)
    >>> sorted(batch.tolist() for batch in batches)
    [[1, 3], [2, 0]]
    """

    def __init__(self, sizes: np.ndarray, batch_size: int, seed: int, pool: int = 16) -> None:
        self.sizes, self.batch_size, self.seed, self.pool = np.asarray(sizes), batch_size, seed, pool
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(len(self.sizes) / self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        generator = np.random.default_rng((self.seed, self.epoch))
        shuffled = generator.permutation(len(self.sizes))
        pools = np.array_split(shuffled, math.ceil(len(self) / self.pool))
        order = np.concatenate([pool[np.argsort(self.sizes[pool], kind="stable")] for pool in pools])
        batches = np.array_split(order, len(self))
        return iter([batches[i] for i in generator.permutation(len(batches))])


class MoleculeData(pl.LightningDataModule):
    """Training and validation molecules, cut into batches of similar size.

    Batches are numbered alike on every device; device `rank` of `world` takes each `world`-th.
    """

    def __init__(self, train: Packed, validation: Packed, batch_size: int, seed: int) -> None:
        super().__init__()
        self.train, self.validation, self.batch_size, self.seed = train, validation, batch_size, seed

    def train_dataloader(self) -> DataLoader:
        """Batches in a new order every epoch."""
        assert self.trainer is not None
        sampler = SizeBatches(self.train.nodes.numpy(), self.batch_size, self.seed)
        return DataLoader(self.train, batch_size=None, sampler=_Share(sampler, self.trainer))

    def val_dataloader(self) -> DataLoader:
        """Batches in the order of size, four times as large: nothing is kept for a backward pass."""
        batches = by_size(self.validation.nodes.numpy(), 4 * self.batch_size)
        return DataLoader(self.validation, batch_size=None, sampler=batches)


class _Share(Sampler):
    """Every `world`-th batch, from `rank` on; devices get equally many, as their steps wait for each other.

    The epoch is the trainer's step over the number of batches, read when the first batch is drawn: Lightning sets up
    the iterator of a resumed run before it restores the counters.
    """

    def __init__(self, batches: SizeBatches, trainer: pl.Trainer) -> None:
        self.batches, self.trainer = batches, trainer
        self.rank, self.world = trainer.global_rank, trainer.world_size

    def __len__(self) -> int:
        return max(1, len(self.batches) // self.world)

    def __iter__(self) -> Iterator[np.ndarray]:
        self.batches.epoch = self.trainer.global_step // len(self)
        batches = list(self.batches)
        for i in range(len(self)):
            yield batches[(self.rank + i * self.world) % len(batches)]


def by_size(sizes: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Positions sorted by size and cut into batches of at most `batch_size`, for prediction.

    >>> [batch.tolist() for batch in by_size(np.array([3, 1, 2]), 2)]
    [[1, 2], [0]]
    """
    order = np.argsort(sizes, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
