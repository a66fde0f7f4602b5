"""Trainings from nothing and from the shipped network, judged on validation parts, which is where settings are chosen."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphattn.data.molecules.chemistry import attach, describe
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import collect
from graphattn.data.splits import scaffold_balanced
from graphattn.data.tasks import guess_task
from graphattn.environment import surroundings
from graphattn.json_lines import JsonLines, finished
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.molecules.objective import score
from graphattn.training.molecules.start import read_start
from graphattn.training.recipe import MoleculeRecipe

SETTINGS = {
    "from nothing, 15 epochs": ("none", MoleculeRecipe()),
    "from nothing, 40 epochs": ("none", MoleculeRecipe(epochs=40, patience=20)),
    "pretrained, 15 epochs": ("pretrained", MoleculeRecipe(learning_rate=1e-3)),
    "pretrained, 40 epochs": ("pretrained", MoleculeRecipe(learning_rate=1e-3, epochs=40, patience=20)),
}
"""Rates as they are for a training from nothing, and half of it for one that begins with weights."""


@dataclass
class Table:
    """Molecules of a table with their labels and descriptors."""

    data: str

    def __post_init__(self) -> None:
        table = open_table(self.data, split=())
        self.task, _ = guess_task(table.targets, None, None)
        self.molecules = collect(table, self.task)
        attach(self.molecules.graphs, describe(self.molecules.mols))
        self.y = np.concatenate([graph.y.numpy() for graph in self.molecules.graphs])

    def measure(self, setting: str, seed: int) -> dict[str, Any]:
        """Trains on nine tenths of a training part, chooses the epoch on the last tenth, and is judged on the validation part.

        The test part is not looked at.
        """
        start, recipe = SETTINGS[setting]
        keys, graphs = self.molecules.keys, self.molecules.graphs
        outer = scaffold_balanced(keys, self.y, seed=seed)
        fractions = (0.9, 0.1, 0.0)
        inner = scaffold_balanced([keys[i] for i in outer.train], self.y[outer.train], seed=seed, fractions=fractions)
        parts = [[graphs[i] for i in outer.train[rows]] for rows in (inner.train, inner.validation)]
        recipe = dataclasses.replace(recipe, seed=seed)
        begin = read_start(start) if start != "none" else None
        model = fit_molecules(*parts, self.task, recipe=recipe, start=begin)
        truth = torch.from_numpy(self.y[outer.validation])
        found = torch.from_numpy(model.predict([graphs[i] for i in outer.validation]))
        value = score(self.task, found, truth)
        if self.task.kind == "regression":
            value = float((found - truth).square().nanmean().sqrt())
        best = model.record["training"][0]["best_epoch"]
        return {"value": value, "epoch": best, **surroundings()}


def run(table: Table, seeds: range, records: Path) -> None:
    """Measures what is not in the file of records yet."""
    for seed in seeds:
        for setting in SETTINGS:
            key = {"data": Path(table.data).stem, "kind": table.task.kind, "seed": seed, "setting": setting}
            finished(records, key, lambda seed=seed, setting=setting: table.measure(setting, seed))
            print(f"{key['data']}, seed {seed}: {setting}", flush=True)


def report(records: Path) -> str:
    """A row for each table: mean and values of all seeds that every setting has."""
    rows = JsonLines(records, dict).values
    names = list(dict.fromkeys(row["data"] for row in rows))
    lines = ["| | " + " | ".join(SETTINGS) + " |", "|---|" + "---|" * len(SETTINGS)]
    for name in names:
        own = [row for row in rows if row["data"] == name]
        measure = "RMSE" if own[0]["kind"] == "regression" else "ROC-AUC"
        seeds = sorted(set.intersection(*({row["seed"] for row in own if row["setting"] == each} for each in SETTINGS)))
        cells = [
            _cell([row["value"] for row in own if row["setting"] == each and row["seed"] in seeds]) for each in SETTINGS
        ]
        lines.append(f"| {name}, {measure}, seeds {', '.join(map(str, seeds))} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({' '.join(f'{value:.3f}' for value in values)})" if values else ""
