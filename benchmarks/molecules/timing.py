"""Training time of several models on the same machine and split, one after the other, round by round."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.molecules import bbb, report
from benchmarks.molecules.model import OURS, SECONDS
from benchmarks.records import ROOT

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run(models: Sequence[str], options: Sequence[str], seed: int, rounds: int, threads: int, folder: Path) -> None:
    """Measures each model on bbb in a fresh process with as many `threads`, but for what `folder` has."""
    environment = os.environ | dict.fromkeys(_THREADS, str(threads))
    for turn in range(rounds):
        for model in models:
            words = [sys.executable, "-m", "benchmarks.molecules", "bbb", "--model", model, *options]
            words += ["--first", str(seed), "--seeds", "1", "--threads", str(threads)]
            words += ["--results", str((folder / "timing" / f"{threads} threads" / str(turn)).resolve())]
            subprocess.run(words, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def tables(folder: Path) -> str:
    """Seconds of each model and our shares of the peers', one pair of tables per number of threads."""
    return "".join(map(_tables, sorted((folder / "timing").glob("* threads"))))


def _tables(folder: Path) -> str:
    rounds = [bbb.results(path.parent).frame().assign(round=path.parent.name) for path in folder.glob("*/bbb.csv")]
    if not rounds:
        return ""
    frame = pd.concat(rounds)
    frame["whole_wall_s"] = frame["train_wall_s"] + frame["prepare_wall_s"]
    load = f"{frame['load'].min():.1f} to {frame['load'].max():.1f}"
    parts = [
        f"### Time on one split of bbb, interleaved: {folder.name}, {len(rounds)} rounds, load {load}",
        report.markdown(report.summary(frame, [], [*SECONDS, "whole_wall_s"])),
        "Ours as a share of the peer's",
        report.markdown(report.ratios(frame, ["round", "seed"], [*SECONDS[:2], "whole_wall_s"], OURS)),
        "",
    ]
    return "\n\n".join(parts)
