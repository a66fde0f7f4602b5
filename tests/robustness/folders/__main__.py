"""A model folder is damaged at random; loading it says so in words, or the model predicts as one should.

::

    python -m tests.robustness.folders --cases 600 --seed 0

Prints one line for each failure with its seed, then how many were tried and how many survived. Every case is a fork with
limits on memory and time. Without trust, a folder of which any byte differs is refused with `ValueError`. With trust it is
refused with `ValueError` or it predicts: no class where a probability is no number, no other exception, no file outside the
folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch_geometric.data import Data

from graphattn import GraphClassifier, MoleculeClassifier, MoleculeRegressor
from graphattn.data.molecules.table import MoleculeTable
from graphattn.explain import explain
from graphattn.training.molecules.prediction import predict_table
from graphattn.training.molecules.saved import load

SMILES = [f"{'C' * n}{end}" for n in range(1, 9) for end in "ON"]
VALUES = [
    None,
    -1,
    0,
    1,
    2.5,
    1e30,
    10**9,
    10**400,
    True,
    "x",
    "../model.safetensors",
    [],
    {},
    [[]],
    [None],
    float("nan"),
]
TABLE = MoleculeTable(pd.DataFrame({"smiles": SMILES[:4]}), np.arange(2, 6), "smiles")

GRAPHS = [Data(x=torch.randn(n, 3), edge_index=torch.tensor([[0, 1], [1, 0]])) for n in range(2, 14)]

Damage = Callable[[random.Random, Path], str]


def models(folder: Path) -> list[Path]:
    """Three trained models: an ensemble that classifies molecules, a regression with descriptors, and a classifier of graphs."""
    sizes = {"channels": 8, "layers": 1, "epochs": 1}
    classifier = MoleculeClassifier(**sizes, descriptors=False, ensemble=2)
    regressor = MoleculeRegressor(**sizes)
    return [
        classifier.fit(SMILES, ["O" in text for text in SMILES]).save(folder / "classifier"),
        regressor.fit(SMILES, [float(len(text)) for text in SMILES]).save(folder / "regressor"),
        GraphClassifier(channels=8, layers=1, epochs=1).fit(GRAPHS, [0, 1] * 6).save(folder / "graphs"),
    ]


def file_damage(draw: random.Random, folder: Path) -> str:
    """A file is flipped in one bit, cut, emptied, taken away, or a folder or a pipe."""
    path = draw.choice(sorted(folder.iterdir()))
    kind, content = draw.choice(["flip", "cut", "empty", "gone", "folder", "pipe", "text"]), path.read_bytes()
    path.unlink()
    if kind == "flip":
        at = draw.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :])
    elif kind == "cut":
        path.write_bytes(content[: draw.randrange(len(content))])
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind in ("empty", "text"):
        path.write_bytes(b"" if kind == "empty" else b"hello\n")
    return f"{path.name}: {kind}"


def json_damage(draw: random.Random, folder: Path) -> str:
    """A value anywhere in the description is another, or gone."""
    path = folder / "model.json"
    described = json.loads(path.read_text())
    place, words = described, []
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw.choice(keys)
        words.append(str(key))
        if not isinstance(place[key], dict | list) or not place[key] or draw.random() < 0.3:
            break
        place = place[key]
    if draw.random() < 0.2:
        del place[key]
        value = "gone"
    else:
        value = place[key] = draw.choice(VALUES)
    path.write_text(json.dumps(described))
    return f"model.json: {'.'.join(words)} is {str(value)[:40]}"


def weight_damage(draw: random.Random, folder: Path) -> str:
    """Weights are NaN, huge, of another type or shape, exchanged, renamed, or gone."""
    path = draw.choice(sorted(folder.glob("*.safetensors")))
    weights = load_file(path)
    name, other = draw.sample(sorted(weights), 2)
    kind = draw.choice(["nan", "huge", "half", "long", "flat", "exchanged", "renamed", "gone", "more"])
    changed: dict[str, Any] = {
        "nan": lambda: weights[name] * torch.nan,
        "huge": lambda: torch.full_like(weights[name], 3e38),
        "half": lambda: weights[name].half(),
        "long": lambda: weights[name].long(),
        "flat": lambda: weights[name].flatten()[:1],
        "exchanged": lambda: weights[other],
    }
    if kind in changed:
        weights[name] = changed[kind]().clone()
    elif kind == "more":
        weights["more"] = torch.ones(3)
    else:
        moved = weights.pop(name)
        if kind == "renamed":
            weights[f"{name}x"] = moved
    path.unlink()
    save_file(weights, path)
    return f"{path.name}: {name} {kind}"


def exchange(draw: random.Random, folder: Path) -> str:
    """Two files change names."""
    one, other = draw.sample(sorted(folder.iterdir()), 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"{one.name} and {other.name} exchanged"


DAMAGES: tuple[Damage, ...] = (file_damage, json_damage, json_damage, weight_damage, exchange)


def content(folder: Path) -> dict[str, bytes | None]:
    """All files."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def asked(folder: Path, trust: bool) -> None:
    """What commands do with a model; an assertion fails where a class is told without a probability."""
    if folder.name == "graphs":
        model = GraphClassifier.load(folder, trust)
        assert model.predict_proba(GRAPHS).shape == (len(GRAPHS), len(model.classes_))
        return
    model = load(folder, trust)
    frame, _ = predict_table(model, TABLE)
    told = [name for name in frame.columns if name.startswith("predicted_")]
    assert told
    for row in frame.to_dict("records"):
        numbers = [row[name] for name in frame.columns if name.startswith("probability_")]
        unknown = any(number == "" or number != number for number in numbers)
        assert not (unknown and any(row[name] != "" for name in told)), row
    explain(model, "CCO")


def case(source: Path, seed: int) -> str:
    """What is wrong after the damage of a seed; nothing if all is as it should be."""
    draw, words = random.Random(seed), list[str]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / source.name
        shutil.copytree(source, folder)
        words.append(draw.choice(DAMAGES)(draw, folder))
        damaged = content(folder) != content(source)
        for trust in (False, True):
            try:
                asked(folder, trust)
                if damaged and not trust:
                    return f"{words}: loaded without trust"
            except ValueError as error:
                if not damaged or not str(error):
                    return f"{words}: {error!r}"
            except BaseException:
                return f"{words}, trust={trust}: {traceback.format_exc(limit=-3)}"
    return ""


def limited(work: Callable[[], str]) -> str:
    """What work returns, in a fork that may take 2 GiB more and 60 seconds."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, used + 2**31))
        signal.alarm(60)
        torch.set_num_threads(1)
        try:
            found = work()
        except BaseException:
            found = f"the case itself failed: {traceback.format_exc(limit=-4)}"
        os.write(write, found.encode()[-4000:])
        os._exit(0)
    os.close(write)
    found = b"".join(iter(lambda: os.read(read, 65536), b""))
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return found.decode(errors="replace") if code == 0 else f"ended with status {code}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        sources = models(Path(temporary))
        for seed in range(given.seed, given.seed + given.cases):
            source = sources[seed % len(sources)]
            if wrong := limited(lambda source=source, seed=seed: case(source, seed)):
                failed += 1
                print(f"seed {seed}: {source.name}: {wrong}", flush=True)
    print(f"{given.cases} tried, {given.cases - failed} survived")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
