"""graphattn's molecule classifier, with its defaults."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch_geometric.data import Data

from benchmarks.molecules.model import Outcome, Problem
from benchmarks.records import Spent, timed, versions
from graphattn.data.molecules.chemistry import attach, read
from graphattn.data.molecules.rdkit2d import descriptors
from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.recipe import MoleculeRecipe


@dataclass
class Graphattn:
    """One model, or an ensemble, with graphattn's other defaults; epochs are chosen on validation.

    Graphs and descriptors are computed once, by one process, and reused for every split; their time is reported with
    each. MoleculeRecipe and architecture are what `graphattn train` and `MoleculeClassifier` use.
    """

    recipe: MoleculeRecipe
    architecture: dict[str, object] | None = None
    _known: tuple[list[str], list[Data], Spent] | None = field(default=None, repr=False)

    def __call__(self, problem: Problem, split: Split, seed: int) -> Outcome:
        graphs, preparing = self._graphs(problem.smiles)
        classes = tuple(str(value) for value in np.unique(problem.labels))
        task = Task("binary" if len(classes) == 2 else "multiclass", ("class",), classes)
        for graph, label in zip(graphs, problem.labels, strict=True):
            graph.y = torch.tensor([[float(label)]])
        train, validation, test = ([graphs[i] for i in part] for part in split)
        recipe = replace(self.recipe, seed=seed)
        with timed() as training:
            model = fit_molecules(train, validation, task, architecture=self.architecture, recipe=recipe)
        packages = ["torch", "torch-geometric", "lightning", "rdkit", "numpy"]
        known = [model.probabilities(part) for part in (validation, test)]
        return Outcome(*known, training, preparing, versions(packages))

    def _graphs(self, smiles: list[str]) -> tuple[list[Data], Spent]:
        if self._known is None or self._known[0] != smiles:
            with timed() as spent:
                molecules, graphs, _, _ = read(smiles)
                attach(graphs, descriptors(molecules))
            self._known = (smiles, graphs, spent)
        return self._known[1:]
