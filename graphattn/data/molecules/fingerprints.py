"""Circular fingerprints of molecules (ECFP4), of one length everywhere: as numbers, and as RDKit's vectors of bits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

BITS = 2048


def fingerprints(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    """ECFP4 (Morgan fingerprints of radius 2; Rogers & Hahn 2010) folded to 2,048 bits, ``[N, 2048]`` of 0 and 1.

    >>> int(fingerprints([Chem.MolFromSmiles("CCO")]).sum())
    6
    """
    return _table([_morgan().GetFingerprintAsNumPy(molecule) for molecule in molecules])


def count_fingerprints(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    """ECFP4 with counts: how often each of 2,048 folded circular substructures occurs in a molecule, ``[N, 2048]``.

    >>> count_fingerprints([Chem.MolFromSmiles("CCC")]).max()
    np.float32(2.0)
    """
    return _table([_morgan().GetCountFingerprintAsNumPy(molecule) for molecule in molecules])


def bit_vectors(molecules: Sequence[Chem.Mol]) -> Sequence[DataStructs.ExplicitBitVect]:
    """ECFP4 as RDKit's bit vectors, whose Tanimoto similarities it computes in bulk.

    >>> bit_vectors([Chem.MolFromSmiles("CCO")])[0].GetNumOnBits()
    6
    """
    return _morgan().GetFingerprints(list(molecules))


def _morgan() -> rdFingerprintGenerator.FingerprintGenerator64:
    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)


def _table(rows: Sequence[NDArray]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32).reshape(len(rows), BITS)
