"""What atoms, bonds and fragments of a molecule contribute to a prediction.

The contribution of a part is ``f(molecule) - f(molecule with the part hidden)``, with f the probability that the network says,
or the value of a regression; positive: the part raises it. This is not calibrated, as a calibration is of the mean of an
ensemble, not of one member; the probability shown beside contributions is calibrated where the model has a calibration.
Contributions need not add up to the prediction. A hidden atom keeps its place and is "unknown" in every feature, as in training.
RDKit's descriptors, where the model reads them, know no unknown atoms: they are those of the molecule with carbon in its place,
so that a contribution is what sets the atom apart from a carbon. A bond is hidden by cutting it, with hydrogens at both ends.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.labels import truth_of
from graphattn.data.molecules.smiles import to_data
from graphattn.data.tasks import Task
from graphattn.explain.attribution import attribute
from graphattn.explain.masking import Masking
from graphattn.explain.molecules.fragments import fragments_of
from graphattn.explain.molecules.subject import molecule_in, molecule_subject, outputs_of, parse_in_order
from graphattn.training.molecules.saved import FittedModel

WEAK = {"ROC-AUC": 0.65, "R2": 0.2}
"""Validation scores below which explanations of different good seeds disagree, so that none can be trusted."""


class MoleculePart(NamedTuple):
    """An ``atom``, ``bond``, ``ring``, functional ``group`` or ``BRICS`` piece: its symbols or SMILES, its atoms, what it
    contributes, and the share of the members of an ensemble whose contribution has that sign.
    """

    kind: str
    name: str
    atoms: tuple[int, ...]
    contribution: float
    agreement: float


class Explanation(NamedTuple):
    """Contributions of all parts of ``molecule`` to ``prediction``, which is ``meaning`` in words, by a model of so many members.

    Atoms and bonds come in the order of the molecule. A probability is calibrated where the model has a calibration;
    contributions are then differences of ``uncalibrated``, which is what the network says.
    """

    molecule: Chem.Mol
    parts: tuple[MoleculePart, ...]
    prediction: float
    meaning: str
    notes: tuple[str, ...] = ()
    members: int = 1
    uncalibrated: float | None = None

    @property
    def contributions(self) -> NDArray[np.float64]:
        """Those of the atoms, ``[n]``."""
        return self.of("atom")

    def of(self, kind: str) -> NDArray[np.float64]:
        """Those of all parts of a kind."""
        return np.array([part.contribution for part in self.parts if part.kind == kind], dtype=np.float64)


def atom_contributions(model: FittedModel, smiles: str | Chem.Mol, target: str | None = None) -> NDArray[np.float64]:
    """Change of the prediction that each atom of ``smiles`` [n] makes, in the order of the SMILES.

    ``target`` is as in ``explain``, which raises the same errors and returns more.
    """
    return explain(model, smiles, target).contributions


def explain(model: FittedModel, smiles: str | Chem.Mol | Data, target: str | None = None) -> Explanation:
    """Contributions of the parts of ``smiles`` to the probability of a class, or to a value.

    A model that reads columns of a table takes a graph with ``own_descriptors`` [1, D], which stay as they are.

    ``target`` names the class (the positive one, or of more than two the likeliest, if not given), or one of several
    targets (the first if not given).

    Raises:
        ValueError: SMILES that RDKit cannot read, or a target that the model has not.
    """
    given = smiles if isinstance(smiles, Data) else parse_in_order(smiles, model.chemistry)
    molecule = molecule_in(given) if isinstance(given, Data) else given
    fragments = fragments_of(molecule)
    groups = [fragment.atoms for fragment in fragments]
    found = attribute(model, given, Masking(edges=True), target=target, groups=groups)
    named = [("atom", atom.GetSymbol(), (atom.GetIdx(),)) for atom in molecule.GetAtoms()]
    named += [("bond", _symbols(bond), (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())) for bond in molecule.GetBonds()]
    named += [(each.kind, each.name_in(molecule), each.atoms) for each in fragments]
    values, shares = (_in_order(molecule, each.nodes, each.edges, each.groups) for each in (found, found.agreement))
    parts = tuple(MoleculePart(*name, *numbers) for name, *numbers in zip(named, values, shares, strict=True))
    meaning, notes, members = meaning_of(model.task, found.target), tuple(_notes(model)), len(model.members)
    calibrated = _calibrated(model, given, found.target)
    if calibrated is None:
        return Explanation(molecule, parts, found.prediction, meaning, notes, members)
    return Explanation(molecule, parts, calibrated, meaning, notes, members, found.prediction)


def check_target(model: FittedModel, target: str | None) -> None:
    """Check that a model has a class or target of that name, or that none is named.

    Raises:
        ValueError: it has not; lists those that it has.
    """
    choices = outputs_of(model.task)
    if target is not None and target not in choices:
        raise ValueError(f"expected one of {', '.join(map(repr, choices))} to explain, got {target!r}")


def meaning_of(task: Task, output: str) -> str:
    """What is predicted, in words: of targets that are yes or no by their name, else by the class.

    >>> meaning_of(Task("binary", ("permeable",), ("0", "1")), "0")
    'probability of not permeable'
    >>> meaning_of(Task("multiclass", ("solubility",), ("high", "low", "medium")), "low")
    'solubility: probability of low'
    """
    if task.kind == "regression":
        return output
    if task.kind == "multilabel":
        return f"probability of {output}"
    if all(map(truth_of, task.classes)):
        return f"probability of {'' if truth_of(output) == '1' else 'not '}{task.names[0]}"
    return f"{task.names[0]}: probability of {output}"


def _calibrated(model: FittedModel, given: Chem.Mol | Data, output: str) -> float | None:
    """The calibrated probability of a class or target; None where the model has no calibration of it."""
    known, task = model.reliability, model.task
    if known is None or task.kind == "regression":
        return None
    if known.calibrations[task.names.index(output) if task.kind == "multilabel" else 0] is None:
        return None
    graph = molecule_subject(model).read(given)
    return float(model.probabilities([graph])[0, outputs_of(task).index(output)])


def _in_order(molecule: Chem.Mol, nodes: Tensor, edges: Tensor | None, groups: Tensor | None) -> list[float]:
    """Numbers of atoms, bonds in RDKit's order, and groups, one behind the other."""
    assert edges is not None
    ends = to_data(molecule)["edge_index"].T.tolist()
    of_bond = {
        molecule.GetBondBetweenAtoms(*pair).GetIdx(): value for pair, value in zip(ends, edges.tolist(), strict=True)
    }
    bonds = [of_bond[bond] for bond in range(molecule.GetNumBonds())]
    return [*nodes.tolist(), *bonds, *(groups.tolist() if groups is not None else [])]


def _symbols(bond: Chem.Bond) -> str:
    order = {Chem.BondType.DOUBLE: "=", Chem.BondType.TRIPLE: "#", Chem.BondType.AROMATIC: ":"}
    return bond.GetBeginAtom().GetSymbol() + order.get(bond.GetBondType(), "-") + bond.GetEndAtom().GetSymbol()


def _notes(model: FittedModel) -> list[str]:
    fixed = f"The columns {', '.join(model.columns)} stay as they are while parts are hidden."
    return [fixed] * bool(model.columns) + _weakness(model)


def _weakness(model: FittedModel) -> list[str]:
    known = model.record.get("validation") or {}
    value = known.get("value")
    if value is None or math.isnan(value) or value >= WEAK[known["name"]]:
        return []
    score = f"validation {known['name']} {value:.2f}, below {WEAK[known['name']]}"
    return [f"This model is weak ({score}): do not trust which atoms it names."]
