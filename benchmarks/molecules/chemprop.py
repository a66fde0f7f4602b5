"""chemprop's command, run in its own environment."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.molecules.model import Outcome, Problem
from benchmarks.records import Spent, timed
from graphattn.data.splits import Split

_VERSIONS = """
import platform
from importlib.metadata import version
names = ("chemprop", "torch", "rdkit")
print("; ".join([f"python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)]))
"""


@dataclass(frozen=True)
class Chemprop:
    """`chemprop train` with its defaults (50 epochs, batches of 64, best epoch by validation loss), our split and seed.

    `training` is the wall time from the start of its trainer to the end of its last epoch, by the times of its files;
    `preparing` is the rest of the command: imports, reading, graphs, test predictions. Of the CPU time the command
    took as a whole, `preparing` is charged as much as it lasted, which is all that one busy thread can have used.
    Raises `RuntimeError` with the end of its log when the command fails, and on predictions of other molecules.
    """

    executable: Path
    options: tuple[str, ...] = ()

    def __call__(self, problem: Problem, split: Split, seed: int) -> Outcome:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = self._command(problem, split, seed, folder)
            with timed() as spent, (folder / "log").open("w") as log:
                code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, check=False).returncode
            if code:
                raise RuntimeError(f"chemprop ended with code {code}: {(folder / 'log').read_text()[-1500:]}")
            model = folder / "out" / "model_0"
            seconds, found = _trainer_seconds(model), pd.read_csv(model / "test_predictions.csv")
        if found["smiles"].tolist() != [problem.smiles[i] for i in split.test]:
            raise RuntimeError(
                f"chemprop predicted {len(found)} molecules, not the {len(split.test)} of the test part in order"
            )
        positive = found["label"].to_numpy(np.float64)
        rest = max(spent.wall - seconds, 0.0)
        preparing = Spent(rest, min(rest, spent.cpu))
        training = Spent(seconds, spent.cpu - preparing.cpu)
        return Outcome(None, np.stack([1 - positive, positive], axis=1), training, preparing, self._versions())

    def _command(self, problem: Problem, split: Split, seed: int, folder: Path) -> list[str]:
        pd.DataFrame({"smiles": problem.smiles, "label": problem.labels}).to_csv(folder / "data.csv", index=False)
        parts = dict(zip(("train", "val", "test"), (part.tolist() for part in split), strict=True))
        (folder / "split.json").write_text(json.dumps([parts]))
        words = [
            os.fspath(self.executable.resolve()),
            "train",
            "--task-type",
            "classification",
            "--data-path",
            "data.csv",
        ]
        words += ["--smiles-columns", "smiles", "--target-columns", "label", "--splits-file", "split.json"]
        return [*words, "--output-dir", "out", "--data-seed", str(seed), "--pytorch-seed", str(seed), *self.options]

    def _versions(self) -> str:
        python = self.executable.resolve().parent / "python"
        return subprocess.run([python, "-c", _VERSIONS], capture_output=True, text=True, check=True).stdout.strip()


def _trainer_seconds(model: Path) -> float:
    """From the making of the trainer's log folder to the last epoch's line in its log."""
    logs = model / "trainer_logs"
    return (logs / "version_0" / "metrics.csv").stat().st_mtime - logs.stat().st_mtime
