"""Networks and baselines on GG-pT1: 520 glands as graphs of cells, normal or dysplastic, in the four folds it comes with."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch_geometric.data import Data

from graphattn.data import tissue
from graphattn.data.splits import Split
from graphattn.json_lines import finished
from graphattn.models import TISSUE_MODELS, TissueInputs
from graphattn.training import Recipe, evaluate, fit
from graphattn.training.recipe import Hardware

FOLDS, SEEDS, NEIGHBOURS, CHANNELS, FARTHEST = 4, 3, 5, 16, 3.0
RECIPE = Recipe(
    epochs=40, batch_size=16, learning_rate=5e-3, schedule="constant", average=0.98, patience=8, monitor="loss"
)
"""The same for all networks; the epoch is chosen by the loss on the validation part."""


class Glands(NamedTuple):
    """Graphs with features as they were measured, and which part of each fold they are in: 0 train, 1 validation, 2 test."""

    graphs: list[Data]
    part: np.ndarray

    def split(self, fold: int) -> Split:
        """Positions of the three parts of a fold."""
        return Split(*(np.flatnonzero(self.part[:, fold] == part) for part in range(3)))


def read(path: Path) -> Glands:
    """The glands of `gg_pt1.npz`, each cell joined to its 5 nearest. Raises `ValueError` for another file."""
    with np.load(path) as file:
        if missing := {"x", "pos", "ptr", "y", "split"} - set(file.files):
            raise ValueError(f"expected gg_pt1.npz, got {path} without {', '.join(sorted(missing))}")
        x, pos, ends, y, part = (file[name] for name in ("x", "pos", "ptr", "y", "split"))
    graphs = [
        tissue.knn(
            Data(x=torch.from_numpy(x[a:b]), pos=torch.from_numpy(pos[a:b]), y=torch.tensor([int(label)])), NEIGHBOURS
        )
        for a, b, label in zip(ends[:-1], ends[1:], y, strict=True)
    ]
    return Glands(graphs, part)


def clipped(graphs: list[Data], train: np.ndarray) -> list[Data]:
    """Copies with features in standard deviations of the training part, at most 3 from its mean, as IGUANA has them."""
    rows = torch.cat([graphs[i].x for i in train])
    deviation, mean = torch.std_mean(rows, dim=0)
    copies = [graph.clone() for graph in graphs]
    for copy in copies:
        copy.x = ((copy.x - mean) / deviation.clamp(min=1e-9)).clamp(-FARTHEST, FARTHEST)
    return copies


def of_network(name: str, glands: Glands, fold: int, seed: int) -> dict[str, Any]:
    """Accuracy on the test part after training on 260 glands, the epoch chosen on 130 others; and on all 390 for as many."""
    split = glands.split(fold)
    graphs = clipped(glands.graphs, split.train)
    train, validation, test = ([graphs[i] for i in part] for part in split)
    model, curves = _fitted(name, train, validation, replace(RECIPE, seed=seed))
    best = min(range(len(curves)), key=lambda epoch: curves[epoch]["val_loss"])
    found = {"accuracy_260": evaluate(model, test)["accuracy"]}
    both = np.concatenate(split[:2])
    graphs = clipped(glands.graphs, both)
    again = replace(RECIPE, seed=seed, epochs=best + 1, patience=None)
    model, _ = _fitted(name, [graphs[i] for i in both], None, again)
    found["accuracy_390"] = evaluate(model, [graphs[i] for i in split.test])["accuracy"]
    chosen = {"epochs": best + 1, "tried": len(curves), "parameters": sum(p.numel() for p in model.parameters())}
    return found | {"validation": curves[best]["val_accuracy"], "validation_loss": curves[best]["val_loss"]} | chosen


def _fitted(
    name: str, train: list[Data], validation: list[Data] | None, recipe: Recipe
) -> tuple[torch.nn.Module, list[dict[str, float]]]:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(recipe.seed)
        model = TISSUE_MODELS[name](TissueInputs.of(train), 2, "graph", CHANNELS)
    curves = fit(model, train, validation, recipe, hardware=Hardware(threads=1))
    return model, list(curves.epochs)


def run(glands: Glands, models: Sequence[str], records: Path, say: Callable[[str], None]) -> None:
    """All fits that the records do not have, a line each; the first seed of all models first."""
    for seed, fold, name in product(range(SEEDS), range(FOLDS), models):
        key = {"model": name, "fold": fold, "seed": seed}
        found = finished(records, key, partial(of_network, name, glands, fold, seed))
        accuracy = f"{found['accuracy_260']:.3f} and {found['accuracy_390']:.3f}"
        say(f"{name}, fold {fold}, seed {seed}: {accuracy} after {found['epochs']} epochs")
