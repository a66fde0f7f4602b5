"""Forests of `graphattn train --model forest`, each that it chooses among, on validation parts; no test molecule is predicted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.molecules import report
from benchmarks.records import provenance, timed, versions
from graphattn.data.molecules.chemistry import attach, attach_fingerprints, describe
from graphattn.data.molecules.prepare import collect
from graphattn.data.splits import scaffold_balanced
from graphattn.data.tasks import guess_task
from graphattn.json_lines import JsonLines
from graphattn.training.molecules.dividing import open_divided
from graphattn.training.molecules.forests.fitting import fit_forest
from graphattn.training.recipe import MoleculeRecipe


@dataclass(frozen=True)
class ForestRecord:
    """A forest on one split: its score on the validation part, and the processor seconds of all forests of the split."""

    data: str
    seed: int
    name: str
    leaf: int
    validation: float
    cpu_s: float
    measured: dict[str, Any] = field(default_factory=dict)


def run(data: str, seeds: Sequence[int], path: Path) -> None:
    """Fits all forests on the training part of each split that the file lacks, and appends their validation scores."""
    lines, name = JsonLines(path, _record), Path(data).stem
    missing = [seed for seed in seeds if (name, seed) not in {(each.data, each.seed) for each in lines.values}]
    if not missing:
        return
    table, _ = open_divided(data, None, None, "scaffold_balanced")
    molecules = collect(table, guess_task(table.targets)[0])
    attach(molecules.graphs, describe(molecules.mols))
    attach_fingerprints(molecules.graphs, molecules.mols)
    for seed in missing:
        split = scaffold_balanced(molecules.keys, seed=seed)
        train, validation = ([molecules.graphs[row] for row in rows] for rows in split[:2])
        assert molecules.task is not None
        with timed() as spent:
            model = fit_forest(train, validation, molecules.task, recipe=MoleculeRecipe(seed=seed))
        found = provenance(versions(["scikit-learn", "rdkit"]))
        rows = [
            ForestRecord(name, seed, **each, cpu_s=round(spent.cpu, 1), measured=found)
            for each in model.record["forests"]
        ]
        lines.append(asdict(row) for row in rows)


def tables(path: Path) -> str:
    """Means over splits of each set, in Markdown; nothing without records."""
    rows = pd.DataFrame([asdict(each) for each in JsonLines(path, _record).values])
    if not len(rows):
        return ""
    rows["forest"] = rows["name"] + ", leaves of " + rows["leaf"].astype(str)
    means = rows.pivot_table(index="data", columns="forest", values="validation", sort=False)
    means.insert(0, "splits", rows.groupby("data")["seed"].nunique())
    return report.markdown(means.round(4).reset_index())


def _record(found: dict[str, Any]) -> ForestRecord:
    return ForestRecord(**found)
