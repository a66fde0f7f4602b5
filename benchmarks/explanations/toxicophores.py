"""Do explanations point at the groups that chemists hold responsible for mutagenicity (Kazius et al. 2005)?

Models are trained on one part of a table, divided by scaffold. What is explained are molecules of another part that are
mutagenic, are predicted so, and have exactly one nitro group or primary aromatic amine. Measured are, over the heavy atoms of
each molecule, the ROC-AUC of the contribution towards mutagenic against "is in the group", and what the probability loses when
the group is masked and when a random connected group of the same size is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from graphattn.data.molecules.chemistry import attach, describe
from graphattn.data.molecules.fingerprints import fingerprints
from graphattn.data.molecules.prepare import Molecules, collect
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.molecules.table import read_table
from graphattn.data.splits import Split, scaffold_balanced
from graphattn.data.tasks import guess_task
from graphattn.explain.attribution import attribute
from graphattn.explain.molecules.cutting import without
from graphattn.explain.molecules.subject import Hide, hide, molecule_subject
from graphattn.training.folder.build import build
from graphattn.training.molecules import saved
from graphattn.training.molecules.baselines import TREES, classification_forest
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import Architecture, MoleculeRecipe

GROUPS = {
    "nitro": "[$([NX3+](=O)[O-]),$([NX3](=O)=O)](~[OX1])~[OX1]",
    "aromatic amine": "[NX3;H2;$(N-a)]",
}
"""SMARTS of the groups; what they match is what an explanation should name."""
RANDOM_GROUPS = 5
PATTERNS = {name: Chem.MolFromSmarts(smarts) for name, smarts in GROUPS.items()}

Explainer = Callable[[Chem.Mol, Sequence[tuple[int, ...]]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""From a molecule and groups of its atoms, contributions towards mutagenic of all atoms ``[n]`` and of the groups ``[G]``."""


class Case(NamedTuple):
    """A molecule to explain: its position, the kind of the one group it has, and the group's atoms."""

    position: int
    kind: str
    atoms: tuple[int, ...]


@dataclass(frozen=True)
class Setting:
    """A table with the column ``mutagenic``, divided by scaffold with a seed, and how models of it are trained and kept."""

    data: Path
    seed: int
    epochs: int
    members: int
    models: Path

    @cached_property
    def molecules(self) -> Molecules:
        """All that can be read, with labels and descriptors."""
        table = read_table(self.data, smiles="smiles", targets="mutagenic", split=())
        molecules = collect(table, guess_task(table.targets, positive="1")[0])
        attach(molecules.graphs, describe(molecules.mols))
        return molecules

    @cached_property
    def split(self) -> Split:
        """80 % to train on, 10 % to choose by, 10 % for the test."""
        return scaffold_balanced(self.molecules.keys, self.labels[:, None], seed=self.seed)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """1 where a molecule is mutagenic, ``[N]``."""
        return np.array([int(graph["y"]) for graph in self.molecules.graphs])

    @cached_property
    def model(self) -> FittedModel:
        """The trained model, or the one that was kept."""
        kept = self.models / f"seed-{self.seed}-epochs-{self.epochs}-members-{self.members}"
        if kept.exists():
            return saved.load(kept)
        graphs, task = self.molecules.graphs, self.molecules.task
        assert task is not None
        parts = ([graphs[i] for i in part] for part in self.split[:2])
        recipe = MoleculeRecipe(epochs=self.epochs, members=self.members, seed=self.seed)
        model = fit_molecules(*parts, task, architecture=Architecture().to_dict(), recipe=recipe)
        model.descriptor_names = DESCRIPTOR_NAMES
        model.save(kept)
        return model

    @cached_property
    def untrained(self) -> FittedModel:
        """The same with weights as they are drawn."""
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(self.seed)
            members = [build(self.model.architecture, 1, len(DESCRIPTOR_NAMES)).eval() for _ in self.model.members]
        return replace(self.model, members=members)

    @cached_property
    def forest(self) -> RandomForestClassifier:
        """A random forest on ECFP4, of the same training part."""
        rows = self.split.train
        bits = fingerprints([self.molecules.mols[i] for i in rows])
        return classification_forest(TREES, self.seed).fit(bits, self.labels[rows])

    def cases(self, part: str) -> list[Case]:
        """Mutagenic molecules of a part that are predicted so by the model, and have exactly one of the groups, and more."""
        rows = [int(i) for i in getattr(self.split, part) if self.labels[i] == 1]
        likely = self.model.predict([self.molecules.graphs[i] for i in rows])[:, 0] > 0.5
        found = []
        for i in np.array(rows)[likely].tolist():
            molecule = self.molecules.mols[i]
            matches = [(kind, atoms) for kind in PATTERNS for atoms in molecule.GetSubstructMatches(PATTERNS[kind])]
            if len(matches) == 1 and molecule.GetNumHeavyAtoms() > len(matches[0][1]):
                found.append(Case(i, *matches[0]))
        return found


def by_model(model: FittedModel, hide: Hide = hide) -> Explainer:
    """Masking of a graph network."""
    subject = molecule_subject(model, hide)

    def explain(
        molecule: Chem.Mol, groups: Sequence[tuple[int, ...]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        found = attribute(subject, molecule, groups=groups, target=1)
        assert found.groups is not None
        return found.nodes.numpy(), found.groups.numpy()

    return explain


def by_forest(forest: RandomForestClassifier) -> Explainer:
    """Masking of a random forest: atoms are removed and the fingerprint is computed anew."""

    def explain(
        molecule: Chem.Mol, groups: Sequence[tuple[int, ...]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        single = [(atom,) for atom in range(molecule.GetNumAtoms())]
        left = [without(molecule, atoms) for atoms in (*single, *groups)]
        probability = forest.predict_proba(fingerprints([molecule, *left]))[:, 1]
        lost = probability[0] - probability[1:]
        return lost[: len(single)], lost[len(single) :]

    return explain


def measure(explain: Explainer, molecules: Sequence[Chem.Mol], cases: Sequence[Case], seed: int) -> dict[str, Any]:
    """Of each case the ROC-AUC over heavy atoms, and the loss by masking its group and, on average, random ones."""
    generator = np.random.default_rng(seed)
    rows = []
    for case in cases:
        molecule = molecules[case.position]
        others = [connected(molecule, case.atoms, generator) for _ in range(RANDOM_GROUPS)]
        atoms, groups = explain(molecule, [case.atoms, *others])
        heavy = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
        auc = float(roc_auc_score(np.isin(heavy, case.atoms), atoms[heavy]))
        rows.append([case.kind, *(round(value, 5) for value in (auc, float(groups[0]), float(groups[1:].mean())))])
    return {"cases": rows}


def connected(molecule: Chem.Mol, atoms: tuple[int, ...], generator: np.random.Generator) -> tuple[int, ...]:
    """A random connected group of as many heavy atoms as another one, and not the same; grown from a random atom."""
    heavy = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
    for _ in range(100):
        group = [int(generator.choice(heavy))]
        while len(group) < len(atoms):
            around = {each.GetIdx() for atom in group for each in molecule.GetAtomWithIdx(atom).GetNeighbors()}
            free = sorted((around & set(heavy)) - set(group))
            if not free:
                break
            group.append(int(generator.choice(free)))
        if len(group) == len(atoms) and set(group) != set(atoms):
            return tuple(sorted(group))
    raise ValueError(
        f"expected another connected group of {len(atoms)} atoms in {Chem.MolToSmiles(molecule)}, got none"
    )
