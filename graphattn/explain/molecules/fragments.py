"""Groups of atoms that chemists think in: ring systems, functional groups, and the pieces that a molecule is made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import networkx
from rdkit import Chem
from rdkit.Chem import BRICS
from rdkit.Contrib.IFG.ifg import identify_functional_groups  # pyright: ignore[reportMissingImports] - no stubs


class Fragment(NamedTuple):
    """Atoms of a molecule that are explained together: a ``ring`` (or fused rings), functional ``group`` or ``BRICS`` piece."""

    kind: str
    atoms: tuple[int, ...]

    def name_in(self, molecule: Chem.Mol) -> str:
        """SMILES of the fragment, cut out of its molecule."""
        return Chem.MolFragmentToSmiles(molecule, self.atoms)


def fragments_of(molecule: Chem.Mol) -> tuple[Fragment, ...]:
    """Rings, functional groups and BRICS pieces of a molecule, of two atoms or more, and of them those that are not all of it.

    Fused rings are one. Functional groups are those of Ertl (2017), which need no list: heteroatoms and what is bound to them by
    double bonds. BRICS (Degen et al. 2008) cuts bonds that are easily made. Of equal sets of atoms the first is kept.

    >>> molecule = Chem.MolFromSmiles("c1ccccc1C(=O)NCC")
    >>> [(each.kind, each.name_in(molecule)) for each in fragments_of(molecule)]
    [('ring', 'c1ccccc1'), ('group', 'NC=O'), ('BRICS', 'C=O'), ('BRICS', 'CC')]
    """
    found = [("ring", atoms) for atoms in _connected(molecule.GetRingInfo().AtomRings())]
    found += [("group", group.atomIds) for group in identify_functional_groups(molecule)]
    pieces = Chem.RWMol(molecule)
    for (begin, end), _ in BRICS.FindBRICSBonds(molecule):
        pieces.RemoveBond(begin, end)
    found += [("BRICS", atoms) for atoms in Chem.GetMolFrags(pieces)]
    kept: dict[tuple[int, ...], str] = {}
    for kind, atoms in found:
        if 1 < len(atoms) < molecule.GetNumAtoms():
            kept.setdefault(tuple(sorted(atoms)), kind)
    return tuple(Fragment(kind, atoms) for atoms, kind in kept.items())


def _connected(rings: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Rings that share an atom, joined."""
    graph = networkx.Graph()
    for ring in rings:
        networkx.add_cycle(graph, ring)
    return [tuple(part) for part in networkx.connected_components(graph)]
