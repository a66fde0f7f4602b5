"""One side of the comparison of epochs: makes bbb ready, and trains an epoch for every line that it is given.

Run by its path, with the tree of some commit in PYTHONPATH: it imports only what all commits from e9e003a on have.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import TextIO
from unittest.mock import patch

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch_geometric.data import Data

import graphattn
from graphattn.data.molecules import embedded
from graphattn.data.molecules.chemistry import attach, describe, label, read
from graphattn.data.splits import scaffold_balanced
from graphattn.data.tasks import Task
from graphattn.training.module import LearningModule
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.recipe import Hardware, MoleculeRecipe

Parts = tuple[list[Data], list[Data]]


class OnRequest(Callback):
    """Waits for a line before every epoch, and answers with the seconds that it took, validation and all."""

    def __init__(self, requests: TextIO, answers: TextIO) -> None:
        self.requests, self.answers = requests, answers
        self.cpu = self.wall = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the process when nobody asks any more."""
        if not self.requests.readline():
            raise SystemExit
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called after the callbacks of the training itself."""
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        answer = {"cpu": cpu, "wall": wall, "steps": int(trainer.num_training_batches)}
        print(json.dumps(answer), file=self.answers, flush=True)


def bbb(most: int | None = None) -> Parts:
    """Training and validation part of the scaffold-balanced split with seed 0, with descriptors."""
    frame = embedded.load("bbb").frame[:most]
    smiles, labels = frame["smiles"].tolist(), np.asarray(frame["permeable"], dtype=np.float64)
    found = read(smiles)
    graphs = found.graphs
    label(graphs, labels[:, None])
    attach(graphs, describe(found.molecules))
    split = scaffold_balanced(smiles, seed=0)
    return [graphs[i] for i in split.train], [graphs[i] for i in split.validation]


def train(parts: Parts, epochs: int, threads: int, callback: Callback) -> None:
    """So many epochs as `graphattn train` trains them, with its defaults."""
    recipe, hardware = MoleculeRecipe(epochs=epochs, patience=epochs), Hardware(accelerator="cpu", threads=threads)
    with patch.object(LearningModule, "configure_callbacks", lambda self: [callback]):
        fit_molecules(*parts, Task("binary", ("permeable",), ("0", "1")), recipe=recipe, hardware=hardware)


def main(words: Sequence[str] | None = None) -> None:
    """Says where graphattn is and how many molecules it trains on; then one line for each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("epochs", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("--molecules", type=int)
    given = parser.parse_args(words)
    answers, sys.stdout = sys.stdout, sys.stderr  # so that nothing else is said there
    torch.set_num_threads(given.threads)
    parts = bbb(given.molecules)
    print(json.dumps({"file": graphattn.__file__, "molecules": len(parts[0])}), file=answers, flush=True)
    train(parts, given.epochs, given.threads, OnRequest(sys.stdin, answers))


if __name__ == "__main__":
    main()
