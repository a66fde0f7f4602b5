"""Molecules on disk, some thousand in a file, and the order in which a training reads them."""

import json
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast, final

import numpy as np
import torch
from joblib import Parallel, delayed
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch.utils.data import Dataset
from torch_geometric.data import Batch

from graphattn import files
from graphattn.data.molecules.chemistry import AS_WRITTEN, WORTH_PROCESSES, Chemistry
from graphattn.training.batches import SizeBatches
from graphattn.training.molecules.packed import Packed, Standardiser
from graphattn.training.pretraining.targets import Described, described, joined

SHARD = 8192
"""Texts in a file: one file is in memory at a time, some 50 MB."""
_CHUNK = 128
_STATISTICS = "statistics.json"


class Became(NamedTuple):
    """What became of texts: the number of molecules, the positions of those that cannot be read, how many were excluded."""

    molecules: int
    unreadable: tuple[int, ...]
    excluded: int


@dataclass(frozen=True)
class Shards:
    """The files of a corpus, one for each of some thousand ``texts``, described by all cores.

    Descriptors are written as standardised normal scores (float16), whose statistics are those of the first file.

    Args:
        folder: of the files; what a run before has written there is not made again.
        texts: SMILES, in the order of the files.
        excluded: first blocks of InChIKeys of molecules that are left out.
        chemistry: how SMILES become atoms.
        statistics: of the descriptors, where another run's are to be used.
        size: maximum number of texts in a file.
        processes: that describe molecules; -1 is one per core.
    """

    folder: Path
    texts: Sequence[str]
    excluded: Collection[str] = frozenset()
    chemistry: Chemistry = AS_WRITTEN
    statistics: Standardiser | None = None
    size: int = SHARD
    processes: int = -1

    def __len__(self) -> int:
        return math.ceil(len(self.texts) / self.size)

    @property
    def mean(self) -> float:
        """Texts in a file, on average."""
        return len(self.texts) / len(self)

    def write(self) -> Iterator[Became]:
        """Writes the files that are not there yet; yields what became of each one's texts.

        Raises:
            ValueError: a file without molecules.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(len(self)):
            if not self._path(number).is_file():
                self._write(number)
            with safe_open(self._path(number), "pt") as file:
                molecules, excluded = len(file.get_tensor("nodes")), int(file.get_tensor("excluded"))
                yield Became(molecules, tuple(file.get_tensor("unreadable").tolist()), excluded)

    def read(self, number: int) -> Packed:
        """The molecules of one file, with ``descriptors`` float32 and ``counts`` uint8 beside each."""
        tensors = load_file(self._path(number))
        del tensors["unreadable"], tensors["excluded"]
        nodes, edges = tensors.pop("nodes"), tensors.pop("edges")
        beside = {"descriptors": tensors.pop("descriptors").float(), "counts": tensors.pop("counts")}
        return Packed(nodes, edges, tensors, beside)

    def standardiser(self) -> Standardiser:
        """The statistics of the descriptors, once the first file is written."""
        if self.statistics is not None:
            return self.statistics
        return Standardiser.from_dict(json.loads((self.folder / _STATISTICS).read_text(encoding="utf-8")))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:05d}.safetensors"

    def _write(self, number: int) -> None:
        bounds = np.linspace(0, len(self.texts), len(self) + 1).astype(int)
        texts = self.texts[bounds[number] : bounds[number + 1]]
        chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
        work = (delayed(described)(chunk, self.excluded, self.chemistry) for chunk in chunks)
        processes = self.processes if len(texts) >= WORTH_PROCESSES else 1
        parts = cast(list[Described], Parallel(n_jobs=processes)(work))
        made = [part.tensors for part in parts if part.tensors]
        unreadable = [int(bounds[number]) + i * _CHUNK + row for i, part in enumerate(parts) for row in part.unreadable]
        excluded = sum(part.excluded for part in parts)
        if not made:
            raise ValueError(
                f"nothing can be learned from {len(texts):,} SMILES of {len(self.texts):,}: {len(unreadable):,} cannot be read, "
                f"{excluded:,} are excluded; the first is {texts[0]!r}; give more molecules, or exclude fewer"
            )
        tensors = joined(made)
        if number == 0 and self.statistics is None:
            statistics = Standardiser.of(tensors["descriptors"]).to_dict()
            files.write(self.folder / _STATISTICS, json.dumps(statistics))
        missing = ~tensors["descriptors"].isfinite()
        tensors["descriptors"] = self.standardiser()(tensors["descriptors"]).masked_fill(missing, torch.nan).half()
        aside = {"unreadable": torch.tensor(unreadable, dtype=torch.int64), "excluded": torch.tensor(excluded)}
        files.write(self._path(number), save({**tensors, **aside}))


@final
class ShardBatches:
    """One file an epoch: batches of molecules of similar size, files in an order drawn anew each time all were read.

    Args:
        molecules: of the files.
        chosen: numbers of those to read.
        batch_size: molecules of a batch, on average at most.
        seed: of all orders.
    """

    def __init__(self, molecules: "ShardMolecules", chosen: Sequence[int], batch_size: int, seed: int) -> None:
        self.molecules, self.chosen, self.batch_size, self.seed = molecules, list(chosen), batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(self.molecules.shards.mean / self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        reading, position = divmod(self.epoch, len(self.chosen))
        number = self.chosen[np.random.default_rng((self.seed, reading)).permutation(len(self.chosen))[position]]
        sizes = self.molecules.of(number).nodes.numpy()
        batches = SizeBatches(sizes, math.ceil(len(sizes) / len(self)), self.seed)
        batches.epoch = self.epoch
        return (self.molecules.first(number) + rows for rows in batches)


@final
class ShardMolecules(Dataset):
    """The molecules of all files, of which ``molecules[positions]`` is a batch; positions of a batch are of one file."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        self._held: tuple[int, Packed] | None = None

    def of(self, number: int) -> Packed:
        """The molecules of a file, which is the one that is held in memory from then on."""
        if self._held is None or self._held[0] != number:
            self._held = (number, self.shards.read(number))
        return self._held[1]

    def first(self, number: int) -> int:
        """Position of the first molecule of a file."""
        return number * self.shards.size

    def __getitem__(self, positions: np.ndarray) -> Batch:
        number = int(positions[0]) // self.shards.size
        return self.of(number)[positions - self.first(number)]
