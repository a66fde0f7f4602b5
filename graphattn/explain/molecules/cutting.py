"""Molecules with some of their atoms as carbon, or without some atoms or bonds; hydrogens fill the valences."""

from __future__ import annotations

from collections.abc import Iterable

from rdkit import Chem, rdBase

_VALENCES = 4


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


def as_carbon(molecule: Chem.Mol, atoms: Iterable[int]) -> Chem.Mol:
    """A molecule some of whose atoms are carbon: the skeleton stays, and what was particular about them is gone.

    Charges, isotopes and radicals of these atoms go, too. Where carbon has too few valences double bonds become single ones; an
    atom with more than four neighbours is taken out, and hydrogens stay what they are. The given molecule is not changed.

    Args:
        molecule: of RDKit, sanitised.
        atoms: their positions.

    >>> [Chem.MolToSmiles(as_carbon(Chem.MolFromSmiles("c1cnccc1S(N)(=O)=O"), [atom])) for atom in (2, 6, 7)]
    ['NS(=O)(=O)c1ccccc1', 'NC(O)(O)c1ccncc1', 'CS(=O)(=O)c1ccncc1']
    """
    heavy = [
        atom for atom in map(molecule.GetAtomWithIdx, set(atoms)) if atom.GetAtomicNum() != 1 and not _is_plain(atom)
    ]
    if not heavy:
        return molecule
    crowded = [atom.GetIdx() for atom in heavy if atom.GetDegree() > _VALENCES]
    changed = Chem.RWMol(molecule)
    Chem.Kekulize(changed, clearAromaticFlags=True)
    for atom in (changed.GetAtomWithIdx(each.GetIdx()) for each in heavy if each.GetDegree() <= _VALENCES):
        atom.SetAtomicNum(6)
        for set_to_none in (atom.SetFormalCharge, atom.SetIsotope, atom.SetNumRadicalElectrons, atom.SetNumExplicitHs):
            set_to_none(0)
        atom.SetNoImplicit(False)
        _flatten(atom)
        for bond in sorted(atom.GetBonds(), key=lambda bond: bond.GetBondTypeAsDouble()):
            if sum(each.GetBondTypeAsDouble() for each in atom.GetBonds()) > _VALENCES:
                bond.SetBondType(Chem.BondType.SINGLE)
    left = _sanitised(changed)
    return without(left, crowded) if crowded else left


def _is_plain(atom: Chem.Atom) -> bool:
    """Whether an atom is a carbon without charge, isotope or radical."""
    return atom.GetAtomicNum() == 6 and not (
        atom.GetFormalCharge() or atom.GetIsotope() or atom.GetNumRadicalElectrons()
    )


def _leaves(bond: Chem.Bond, gone: set[int]) -> bool:
    return (bond.GetBeginAtomIdx() in gone) != (bond.GetEndAtomIdx() in gone)


def _saturate(atom: Chem.Atom, valence: int) -> None:
    """Hydrogens in place of a bond; where RDKit counts implicit ones they come by themselves."""
    if atom.GetNoImplicit():
        atom.SetNumExplicitHs(atom.GetNumExplicitHs() + valence)
    _flatten(atom)


def _flatten(atom: Chem.Atom) -> None:
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
