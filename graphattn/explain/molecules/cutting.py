"""Molecules without some of their atoms or bonds: what is left is saturated with hydrogens."""

from __future__ import annotations

from collections.abc import Iterable

from rdkit import Chem, rdBase


def without(molecule: Chem.Mol, atoms: Iterable[int] = (), bonds: Iterable[int] = ()) -> Chem.Mol:
    """What is left of a molecule when atoms or bonds are taken out: hydrogens take the place of each bond that is cut.

    Atoms keep their charges. A centre or double bond beside a cut loses its stereo. The given molecule is not changed.

    Args:
        molecule: of RDKit, sanitised.
        atoms, bonds: their positions.

    >>> nitrobenzene = Chem.MolFromSmiles("c1ccccc1[N+](=O)[O-]")
    >>> Chem.MolToSmiles(without(nitrobenzene, atoms=[6, 7, 8])), Chem.MolToSmiles(without(nitrobenzene, atoms=[0]))
    ('c1ccccc1', 'C=CC=CC[N+](=O)[O-]')
    >>> Chem.MolToSmiles(without(nitrobenzene, bonds=[5]))
    'O=[NH+][O-].c1ccccc1'
    """
    left, gone = Chem.RWMol(molecule), set(atoms)
    Chem.Kekulize(left, clearAromaticFlags=True)
    cut = {left.GetBondWithIdx(bond).GetIdx() for bond in bonds}
    cut |= {bond.GetIdx() for bond in left.GetBonds() if _leaves(bond, gone)}
    left.BeginBatchEdit()
    for bond in map(left.GetBondWithIdx, sorted(cut)):
        for atom in (bond.GetBeginAtom(), bond.GetEndAtom()):
            _saturate(atom, round(bond.GetValenceContrib(atom)))
        left.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    for atom in gone:
        left.RemoveAtom(atom)
    left.CommitBatchEdit()
    return _sanitised(left)


def _leaves(bond: Chem.Bond, gone: set[int]) -> bool:
    return (bond.GetBeginAtomIdx() in gone) != (bond.GetEndAtomIdx() in gone)


def _saturate(atom: Chem.Atom, valence: int) -> None:
    """Hydrogens in place of a bond; where RDKit counts implicit ones they come by themselves."""
    if atom.GetNoImplicit():
        atom.SetNumExplicitHs(atom.GetNumExplicitHs() + valence)
    atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    for bond in atom.GetBonds():
        bond.SetStereo(Chem.BondStereo.STEREONONE)


def _sanitised(molecule: Chem.RWMol) -> Chem.Mol:
    """As far as RDKit can: what is left may have a valence that no molecule has."""
    with rdBase.BlockLogs():
        if Chem.SanitizeMol(molecule, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            molecule.UpdatePropertyCache(strict=False)
            Chem.FastFindRings(molecule)
        Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    return molecule.GetMol()
