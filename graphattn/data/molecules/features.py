"""Tables of atom and bond features, and the columns of category indices made from them.

They start from PyTorch Geometric's (``from_smiles``) and add ring sizes, isotopes, hydrogen-bond roles, ring bonds, and a
slot for every stereo code, hybridisation, charge and degree that a molecule can have, so that none is refused.
Chirality is the CIP label, which does not depend on the order of the atoms as RDKit's clockwise tags do.

**Index 0 of every column means unknown**: a category that no table lists, or an atom that was masked. The categories
follow from 1 on.
"""

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import Lipinski, rdCIPLabeler

_LESS, _MORE = "less", "more"
_FLAG = (False, True)
_SET = 1 + _FLAG.index(True)
_CHIRAL_CLASSES = ("allene", "square planar", "trigonal bipyramidal", "octahedral", "other")
_RING_SIZES = (3, 4, 5, 6, 7, 8)
# About 0.1 s; large symmetric cages would take minutes without a limit.
_CIP_COMPARISONS = 125_000

ATOM_FEATURES: dict[str, tuple] = {
    "element": tuple(range(119)),
    "chirality": ("none", "R", "S", "r", "s", "tetrahedral", *_CHIRAL_CLASSES),
    "degree": (*range(11), _MORE),
    "formal_charge": (_LESS, *range(-5, 7), _MORE),
    "hydrogens": (*range(9), _MORE),
    "radical_electrons": (*range(5), _MORE),
    "hybridization": tuple(map(str, Chem.HybridizationType.values.values())),
    "aromatic": _FLAG,
    "in_ring": _FLAG,
    **{f"in_ring_of_{size}": _FLAG for size in _RING_SIZES},
    "in_larger_ring": _FLAG,
    "isotope": ("natural", _LESS, *range(-4, 5), _MORE),
    "hydrogen_donor": _FLAG,
    "hydrogen_acceptor": _FLAG,
}
"""Name of each column of ``Data.x`` and its categories. Degree and hydrogens count all neighbours, explicit or not.
An isotope is the difference to the most common mass number of the element, "natural" where none is stated.
Element 0 is a dummy atom. A tetrahedral centre that has no CIP label is "tetrahedral"."""

BOND_FEATURES: dict[str, tuple] = {
    "type": tuple(map(str, Chem.BondType.values.values())),
    "stereo": tuple(map(str, Chem.BondStereo.values.values())),
    "conjugated": _FLAG,
    "in_ring": _FLAG,
}
"""Name of each column of ``Data.edge_attr`` and its categories (RDKit's names)."""

_COLUMN = {name: column for column, name in enumerate(ATOM_FEATURES)}
_INDEX = {name: {value: i for i, value in enumerate(values, start=1)} for name, values in ATOM_FEATURES.items()}
_HYBRIDIZATION = {value: i for i, value in enumerate(Chem.HybridizationType.values.values(), start=1)}
_BOND_TYPE = {value: i for i, value in enumerate(Chem.BondType.values.values(), start=1)}
_BOND_STEREO = {value: i for i, value in enumerate(Chem.BondStereo.values.values(), start=1)}
_CHIRALITY = {
    Chem.ChiralType.CHI_TETRAHEDRAL_CW: "tetrahedral",
    Chem.ChiralType.CHI_TETRAHEDRAL_CCW: "tetrahedral",
    Chem.ChiralType.CHI_TETRAHEDRAL: "tetrahedral",
    Chem.ChiralType.CHI_ALLENE: "allene",
    Chem.ChiralType.CHI_SQUAREPLANAR: "square planar",
    Chem.ChiralType.CHI_TRIGONALBIPYRAMIDAL: "trigonal bipyramidal",
    Chem.ChiralType.CHI_OCTAHEDRAL: "octahedral",
    Chem.ChiralType.CHI_OTHER: "other",
}


def atom_sizes() -> tuple[int, ...]:
    """Number of indices in each column of ``Data.x``, index 0 (unknown) included.

    >>> atom_sizes()[:3]
    (120, 12, 13)
    """
    return tuple(len(categories) + 1 for categories in ATOM_FEATURES.values())


def bond_sizes() -> tuple[int, ...]:
    """Number of indices in each column of ``Data.edge_attr``, index 0 (unknown) included.

    >>> bond_sizes()
    (23, 9, 3, 3)
    """
    return tuple(len(categories) + 1 for categories in BOND_FEATURES.values())


def atom_indices(molecule: Chem.Mol) -> NDArray[np.int64]:
    """Category indices ``[atoms, len(ATOM_FEATURES)]`` of a sanitised molecule."""
    index = _INDEX
    atoms = [molecule.GetAtomWithIdx(i) for i in range(molecule.GetNumAtoms())]
    rows = [
        (
            index["element"].get(atom.GetAtomicNum(), 0),
            1,
            _clip(index["degree"], atom.GetTotalDegree()),
            _clip(index["formal_charge"], atom.GetFormalCharge()),
            _clip(index["hydrogens"], atom.GetTotalNumHs(True)),
            _clip(index["radical_electrons"], atom.GetNumRadicalElectrons()),
            _HYBRIDIZATION.get(atom.GetHybridization(), 0),
            1 + atom.GetIsAromatic(),
        )
        for atom in atoms
    ]
    # The other columns, and chirality, start at their first category: "none", False or "natural".
    table = np.ones((len(rows), len(ATOM_FEATURES)), dtype=np.int64)
    table[:, : _COLUMN["in_ring"]] = rows
    _mark_chirality(molecule, atoms, table)
    _mark_rings(molecule, table)
    _mark_isotopes(atoms, table)
    for name, pattern in (("hydrogen_donor", Lipinski.HDonorSmarts), ("hydrogen_acceptor", Lipinski.HAcceptorSmarts)):
        matches = molecule.GetSubstructMatches(pattern, maxMatches=len(rows))
        table[[atom for (atom,) in matches], _COLUMN[name]] = _SET
    return table


def bond_indices(molecule: Chem.Mol) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ends ``[2, bonds]`` and category indices ``[bonds, len(BOND_FEATURES)]``, one column or row per bond."""
    bonds = [molecule.GetBondWithIdx(i) for i in range(molecule.GetNumBonds())]
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds]
    rows = [
        (
            _BOND_TYPE.get(bond.GetBondType(), 0),
            _BOND_STEREO.get(bond.GetStereo(), 0),
            1 + bond.GetIsConjugated(),
            1 + bond.IsInRing(),
        )
        for bond in bonds
    ]
    features = np.array(rows, dtype=np.int64).reshape(-1, len(BOND_FEATURES))
    return np.array(ends, dtype=np.int64).reshape(-1, 2).T, features


def _clip(index: dict, value: int) -> int:
    return index.get(value) or index[_MORE if value > 0 else _LESS]


def _mark_chirality(molecule: Chem.Mol, atoms: list[Chem.Atom], table: NDArray[np.int64]) -> None:
    kinds = {i: _CHIRALITY.get(atom.GetChiralTag()) for i, atom in enumerate(atoms)}
    if any(kinds.values()):
        labels = _cip_labels(molecule) if "tetrahedral" in kinds.values() else {}
        for atom, kind in kinds.items():
            label = labels.get(atom, kind) if kind == "tetrahedral" else kind
            table[atom, _COLUMN["chirality"]] = _INDEX["chirality"].get(label or "none", 0)


def _cip_labels(molecule: Chem.Mol) -> dict[int, str]:
    """CIP labels by atom; RDKit's older ones, which a parsed molecule may carry, are not kept."""
    labelled = Chem.Mol(molecule)
    for atom in labelled.GetAtoms():
        atom.ClearProp("_CIPCode")
    try:
        rdCIPLabeler.AssignCIPLabels(labelled, maxRecursiveIterations=_CIP_COMPARISONS)
    except RuntimeError:
        return {}
    return {atom.GetIdx(): atom.GetProp("_CIPCode") for atom in labelled.GetAtoms() if atom.HasProp("_CIPCode")}


def _mark_rings(molecule: Chem.Mol, table: NDArray[np.int64]) -> None:
    for ring in molecule.GetRingInfo().AtomRings():
        size = f"in_ring_of_{len(ring)}" if len(ring) in _RING_SIZES else "in_larger_ring"
        table[list(ring), _COLUMN["in_ring"]] = _SET
        table[list(ring), _COLUMN[size]] = _SET


def _mark_isotopes(atoms: list[Chem.Atom], table: NDArray[np.int64]) -> None:
    elements = Chem.GetPeriodicTable()
    for i, atom in enumerate(atoms):
        if isotope := atom.GetIsotope():
            excess = isotope - elements.GetMostCommonIsotope(atom.GetAtomicNum())
            table[i, _COLUMN["isotope"]] = _clip(_INDEX["isotope"], excess)
