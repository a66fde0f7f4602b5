"""One molecule: from SMILES to a graph. What the columns of its tensors mean stands in ``features.py``."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors
from torch_geometric.data import Data

from graphattn.data.molecules.features import (
    ATOM_FEATURES,
    BOND_FEATURES,
    atom_indices,
    atom_sizes,
    bond_indices,
    bond_sizes,
)
from graphattn.data.molecules.languages import is_selfies, reader, selfies_problem
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES, descriptors
from graphattn.data.wording import shortened
from graphattn.encoding import random_walk

__all__ = [
    "ATOM_FEATURES",
    "BOND_FEATURES",
    "DESCRIPTOR_NAMES",
    "FARTHEST",
    "LARGE",
    "MOST_ATOMS",
    "UNREACHABLE",
    "WALK_STEPS",
    "UnreadableError",
    "atom_sizes",
    "bond_sizes",
    "descriptors",
    "flat_smiles",
    "foreign_character",
    "keep_largest_fragment",
    "large_molecules",
    "molecule_problem",
    "parse_smiles",
    "rdkit_molecule",
    "smiles_problem",
    "to_data",
    "trimmed",
]

WALK_STEPS = 16
MOST_ATOMS = 1000
"""Distances of a molecule of n atoms are n x n numbers: of 1,000 atoms 8 MB, of 20,000 atoms 3 GB."""
LARGE = 500
"""Molecules of more heavy atoms take long: their time and memory grow with the square of the number."""
FARTHEST = 20
UNREACHABLE = FARTHEST + 1
_BLANKS = r"[\s\u200b-\u200d\u2060\ufeff]+"
_SYMBOLS = re.compile(r"(?:Cl|Br|[BCNOPSFIbcnops*]|[-=#$:/\\.()~]|%\d\d|\d)*")


class UnreadableError(ValueError):
    """A text that is no molecule: the message holds the text, ``reason`` is what a table of texts says."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def parse_smiles(
    text: str, *, largest_fragment: bool = False, explicit_hydrogens: bool = False, max_atoms: int = MOST_ATOMS
) -> Chem.Mol:
    """The molecule that a SMILES names; RDKit's own log lines are kept off the terminal.

    Args:
        text: SMILES; blanks around it and a name or extension (CXSMILES) behind it are fine. InChI is converted, and SELFIES
            where the library ``selfies`` is installed. A character that is not printable ASCII is no part of a SMILES; it is
            named, with its position from 1.
        largest_fragment: of a salt or mixture keep only the fragment that ``keep_largest_fragment`` chooses.
        explicit_hydrogens: make every hydrogen an atom.
        max_atoms: largest number of atoms of a molecule that is read.

    Raises:
        TypeError: ``text`` is not a string.
        UnreadableError: ``text`` is empty or names no atoms or too many, or RDKit cannot read it; a ``ValueError``.

    >>> parse_smiles("CC(=O)[O-].[Na+]", largest_fragment=True).GetNumAtoms()
    4
    >>> parse_smiles("C1CCO")
    Traceback (most recent call last):
    graphattn.data.molecules.smiles.UnreadableError: RDKit cannot read SMILES 'C1CCO': ring 1 is not closed
    """
    if not isinstance(text, str):
        raise TypeError(f"a SMILES is a string; got {text!r} of type {type(text).__name__}")
    bare = trimmed(text)
    with rdBase.BlockLogs():
        problem = foreign_character(text)
        if not problem and len(text) > max_atoms:
            # Before RDKit checks the chemistry, which takes minutes of a long chain.
            _check_size(Chem.MolFromSmiles(bare, sanitize=False), text, max_atoms)
        molecule = None if problem else reader(bare)(bare)
        if molecule is None:
            problem = problem or smiles_problem(bare)
            raise UnreadableError(f"RDKit cannot read SMILES {text!r}: {problem}", f"unreadable SMILES: {problem}")
        if not molecule.GetNumAtoms():
            raise UnreadableError(f"SMILES {text!r} has no atoms", "empty SMILES")
        # Numbers of atoms in a reaction are no part of the molecule: two that differ in them alone are one.
        for atom in molecule.GetAtoms() if ":" in text else ():
            atom.SetAtomMapNum(0)
        molecule = keep_largest_fragment(molecule) if largest_fragment else molecule
        molecule = Chem.AddHs(molecule) if explicit_hydrogens else molecule
        _check_size(molecule, text, max_atoms)
        return molecule


def trimmed(text: str) -> str:
    r"""A text without white space, spaces of no width and byte-order marks around it.

    >>> trimmed("\ufeff CCO ethanol\u200b\n")
    'CCO ethanol'
    """
    return re.sub(rf"\A{_BLANKS}|{_BLANKS}\Z", "", text)


def foreign_character(text: str) -> str:
    r"""The first character of a SMILES that is not printable ASCII, and its position from 1; empty where there is none.

    RDKit passes over such characters at the ends of a text. Behind a blank, in a name or an extension, all are fine.

    >>> foreign_character("CCO\nCCN"), foreign_character("CCO \u00e9thanol")
    ("character '\\n' at position 4", '')
    """
    bare = trimmed(text)
    found = re.search(r"[^!-~]", re.split(r"[ \t]", bare, maxsplit=1)[0])
    return f"character {found[0]!r} at position {text.index(bare) + found.start() + 1}" if found else ""


def rdkit_molecule(text: str) -> Chem.Mol | None:
    """What RDKit reads of a SMILES that has no foreign characters; None where it reads nothing."""
    with rdBase.BlockLogs():
        return None if foreign_character(text) else Chem.MolFromSmiles(trimmed(text))


def _check_size(molecule: Chem.Mol | None, text: str, most: int) -> None:
    if molecule is not None and (atoms := molecule.GetNumAtoms()) > most:
        problem = f"{atoms:,} atoms, more than {most:,} (--max-atoms)"
        raise UnreadableError(f"SMILES {shortened(text)!r} has {problem}", f"too large a molecule: {problem}")


def large_molecules(texts: Sequence[str], most: int = MOST_ATOMS) -> dict[int, int]:
    """Numbers of heavy atoms of SMILES with more than 500 of them, and up to ``most`` atoms, by position.

    >>> large_molecules(["C" * 501, "C" * 500, "C" * 2000])
    {0: 501}
    """
    found = dict[int, int]()
    for position, text in enumerate(texts):
        if len(text) > LARGE:
            bare = trimmed(text)
            with rdBase.BlockLogs():
                molecule = None if bare.startswith("InChI=") else Chem.MolFromSmiles(bare, sanitize=False)
            if molecule is not None and molecule.GetNumAtoms() <= most and molecule.GetNumHeavyAtoms() > LARGE:
                found[position] = molecule.GetNumHeavyAtoms()
    return found


def keep_largest_fragment(molecule: Chem.Mol) -> Chem.Mol:
    """The fragment with the most heavy atoms; of equal ones the heaviest, then the last in the order of their SMILES.

    >>> Chem.MolToSmiles(keep_largest_fragment(Chem.MolFromSmiles("Cl.CCN.CC")))
    'CCN'
    """
    fragments = Chem.GetMolFrags(molecule, asMols=True)
    if len(fragments) < 2:
        return molecule
    mass = rdMolDescriptors.CalcExactMolWt
    return max(fragments, key=lambda part: (part.GetNumHeavyAtoms(), mass(part), Chem.MolToSmiles(part)))


def to_data(molecule: Chem.Mol) -> Data:
    """The graph of a molecule: atoms are nodes, each bond is an edge in both directions.

    For n atoms and b bonds:

    ===============  ==================  ===========================================================================
    ``x``            int64 [n, 19]       atom features, columns of ``ATOM_FEATURES``
    ``edge_index``   int64 [2, 2 b]      sender above receiver, sorted by sender, then receiver
    ``edge_attr``    int64 [2 b, 4]      bond features, columns of ``BOND_FEATURES``
    ``random_walk``  float32 [n, 16]     probability that a walk along bonds is back after 1 ... 16 steps
    ``distance``     int64 [n n]         bonds on the shortest path, at ``receiver * n + sender``; 20 stands for 20 or
                                         more, 21 for none (another fragment)
    ``smiles``       str                 canonical SMILES
    ===============  ==================  ===========================================================================

    Ions, metals, salts, dummy atoms and single atoms are graphs like any other.

    Raises:
        ValueError: a molecule without atoms.

    >>> data = to_data(parse_smiles("CCO"))
    >>> data.x.shape, data.edge_index.tolist(), data.distance.tolist()
    (torch.Size([3, 19]), [[0, 1, 1, 2], [1, 0, 2, 1]], [0, 1, 2, 1, 0, 1, 2, 1, 0])
    """
    atoms = molecule.GetNumAtoms()
    if not atoms:
        raise ValueError("a molecule without atoms has no graph")
    ends, features = bond_indices(molecule)
    edges = np.concatenate([ends, ends[::-1]], axis=1)
    order = np.lexsort((edges[1], edges[0]))
    edge_index = torch.from_numpy(edges[:, order])
    hops = Chem.GetDistanceMatrix(molecule)
    distance = np.where(hops >= atoms, UNREACHABLE, np.minimum(hops, FARTHEST)).astype(np.int64)
    return Data(
        x=torch.from_numpy(atom_indices(molecule)),
        edge_index=edge_index,
        edge_attr=torch.from_numpy(np.concatenate([features, features])[order]),
        random_walk=random_walk(edge_index, atoms, WALK_STEPS),
        distance=torch.from_numpy(distance.reshape(-1)),
        smiles=Chem.MolToSmiles(molecule),
    )


def flat_smiles(molecule: Chem.Mol) -> str:
    """Canonical SMILES without stereo, the same for all stereoisomers; isotopes stay.

    >>> flat_smiles(Chem.MolFromSmiles("C[C@H](F)[13CH3]"))
    'CC([13CH3])F'
    """
    flat = Chem.Mol(molecule)
    Chem.RemoveStereochemistry(flat)
    return Chem.MolToSmiles(flat)


def smiles_problem(text: str) -> str:
    """Why RDKit refuses a SMILES: in its own words for chemistry, by what is left open for syntax.

    >>> smiles_problem("C1CCO")
    'ring 1 is not closed'
    """
    if kind := _other_language(text):
        return kind
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is not None:
            return molecule_problem(molecule)
        before, mark, extension = text.partition(" |")
        if mark and Chem.MolFromSmiles(before) is not None:
            return f"its CXSMILES extension {shortened(mark.strip() + extension)!r} is not valid"
    bare = re.sub(r"\[[^\]]*\]", "", text)
    if re.search(r"[\[\]]", bare):
        return "a square bracket is not closed"
    if not _SYMBOLS.fullmatch(bare) or text[:1].isdigit():
        return "not SMILES syntax"
    if bare.count("(") != bare.count(")"):
        return f"{bare.count('(')} opening and {bare.count(')')} closing parentheses"
    rings = Counter(re.findall(r"%\d\d|\d", bare))
    left_open = [ring for ring, count in rings.items() if count % 2]
    return f"ring {left_open[0]} is not closed" if left_open else "not SMILES syntax"


def _other_language(text: str) -> str:
    if is_selfies(text):
        return selfies_problem(text)
    if text.startswith("InChI="):
        return "InChI that RDKit cannot convert"
    bare = re.sub(r"\[[^\]]*\]|->|<-| .*", "", text)
    return "a reaction, not a molecule" if bare.count(">") == 2 else ""


def molecule_problem(molecule: Chem.Mol) -> str:
    """RDKit's first objection to a molecule that was not sanitised."""
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
    return " ".join(problems[0].split()) if problems else "not a valid molecule"
