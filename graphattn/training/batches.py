"""Batches: which graphs stand together, in which order, and the loaders of a training."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast, final

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler
from torch_geometric.loader.dataloader import Collater

from graphattn.training.module import LearningModule, seed


class BatchOrder(Protocol):
    """Positions of one training batch after the other; a function of its seed and of ``epoch`` alone."""

    epoch: int

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sequence[int] | np.ndarray]: ...


@final
class SizeBatches:
    """Batches of graphs of similar size: shuffled, then sorted by size within pools of ``pool`` batches.

    Attention pads every graph of a batch to the largest one, so graphs of one size belong together; the shuffled pools keep
    batches different from epoch to epoch.

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


@final
class ShuffledBatches:
    """Batches of ``count`` graphs in a random order, ``passes`` times over; another order in each epoch.

    >>> batches = ShuffledBatches(3, batch_size=2, passes=2, seed=0)
    >>> len(batches), sorted(sum(batches, []))
    (3, [0, 0, 1, 1, 2, 2])
    """

    def __init__(self, count: int, batch_size: int, passes: int, seed: int) -> None:
        self.count, self.batch_size, self.passes, self.seed = count, batch_size, passes, seed
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(self.count * self.passes / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.epoch * self.passes):
            torch.randperm(self.count, generator=generator)
        order = torch.cat([torch.randperm(self.count, generator=generator) for _ in range(self.passes)])
        return (positions.tolist() for positions in order.split(self.batch_size))


@final
class Collated(Dataset):
    """Graphs, of which ``collated[positions]`` is a PyG batch.

    >>> from torch_geometric.data import Data
    >>> Collated([Data(x=torch.zeros(n, 1)) for n in (1, 2, 3)])[[2, 0]].ptr
    tensor([0, 3, 4])
    """

    def __init__(self, graphs: Sequence[Any]) -> None:
        self.graphs, self.collate = graphs, Collater(graphs, None, None)  # pyright: ignore[reportArgumentType]

    def __getitem__(self, positions: Sequence[int]) -> Any:
        return self.collate([self.graphs[position] for position in positions])


@final
class BatchData(pl.LightningDataModule):
    """The batches of a training: ``train[positions]`` in ``order``, and of ``validation``, if there is one, those of ``checked``.

    Batches are numbered alike on every device; device ``rank`` of ``world`` takes each ``world``-th. Random numbers that loading
    a training batch draws come from the seed, the member and the step alone.
    """

    def __init__(
        self,
        train: Dataset,
        order: BatchOrder,
        validation: Dataset | None = None,
        checked: Sequence[Sequence[int] | np.ndarray] = (),
    ) -> None:
        super().__init__()
        self.train, self.order, self.validation, self.checked = train, order, validation, checked

    def train_dataloader(self) -> DataLoader:
        """Batches in a new order every epoch."""
        assert self.trainer is not None
        return DataLoader(self.train, batch_size=None, sampler=_EpochOf(self.order, self.trainer))

    def val_dataloader(self) -> DataLoader:
        """Batches in a fixed order."""
        assert self.validation is not None
        return DataLoader(self.validation, batch_size=None, sampler=self.checked)  # pyright: ignore[reportArgumentType]


class _EpochOf(Sampler):
    """Every ``world``-th batch, from ``rank`` on; devices get equally many, as their steps wait for each other.

    The epoch is the trainer's step over the number of batches, read when the first batch is drawn: Lightning sets up
    the iterator of a resumed run before it restores the counters.
    """

    def __init__(self, order: BatchOrder, trainer: pl.Trainer) -> None:
        self.order, self.trainer = order, trainer
        self.rank, self.world = trainer.global_rank, trainer.world_size

    def __len__(self) -> int:
        return max(1, len(self.order) // self.world)

    def __iter__(self) -> Iterator[Any]:
        first, module = self.trainer.global_step, cast(LearningModule, self.trainer.lightning_module)
        self.order.epoch = first // len(self)
        batches = list(self.order)
        for i in range(len(self)):
            seed((module.recipe.seed, module.member, first + i, 1), torch.device("cpu"))
            yield batches[(self.rank + i * self.world) % len(batches)]


def by_size(sizes: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Positions sorted by size and cut into batches of at most ``batch_size``, for prediction.

    >>> [batch.tolist() for batch in by_size(np.array([3, 1, 2]), 2)]
    [[1, 2], [0]]
    """
    order = np.argsort(sizes, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def in_order(count: int, batch_size: int) -> list[list[int]]:
    """Positions of ``count`` graphs, cut into batches of at most ``batch_size``.

    >>> in_order(3, 2)
    [[0, 1], [2]]
    """
    return [list(range(start, min(start + batch_size, count))) for start in range(0, count, batch_size)]
