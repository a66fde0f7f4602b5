"""The training molecules nearest to a molecule, and whether it is near enough for the model to know its kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from safetensors.torch import save

from graphattn.data.molecules.fingerprints import BITS, bit_vectors
from graphattn.training.folder.weights import read_weights

FILE = "neighbours.safetensors"
QUANTILE = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbours:
    """Training molecules as ECFP4 fingerprints of 2,048 bits, to be searched by Tanimoto similarity.

    Args:
        smiles: of each molecule, once.
        vectors: their fingerprints, in the same order.

    >>> known = Neighbours.of(["CCO", "c1ccccc1"], [Chem.MolFromSmiles(text) for text in ("CCO", "c1ccccc1")])
    >>> place, similarity = known.nearest([Chem.MolFromSmiles("OCC")])
    >>> known.smiles[place[0]], similarity.tolist()
    ('CCO', [1.0])
    """

    smiles: tuple[str, ...]
    vectors: tuple[DataStructs.ExplicitBitVect, ...]

    @classmethod
    def of(cls, smiles: Sequence[str], molecules: Sequence[Chem.Mol]) -> "Neighbours":
        """From canonical SMILES and molecules; of equal ones the first is kept."""
        known: dict[str, Chem.Mol] = {}
        for text, molecule in zip(smiles, molecules, strict=True):
            known.setdefault(text, molecule)
        return cls(tuple(known), tuple(bit_vectors(list(known.values()))))

    def nearest(self, molecules: Sequence[Chem.Mol]) -> tuple[NDArray[np.int64], Floats]:
        """Position of the most similar training molecule of each of ``molecules``, the first of several, and its similarity."""
        places, similarities = np.zeros(len(molecules), np.int64), np.zeros(len(molecules))
        for row, vector in enumerate(bit_vectors(molecules)):
            found = np.array(DataStructs.BulkTanimotoSimilarity(vector, self.vectors))
            places[row] = found.argmax()
            similarities[row] = found[places[row]]
        return places, similarities

    def content(self) -> bytes:
        """A safetensors file: ``fingerprints`` uint8 [N, 256], and ``smiles`` as UTF-8, a line each."""
        rows = b"".join(DataStructs.BitVectToBinaryText(vector) for vector in self.vectors)
        fingerprints = torch.frombuffer(bytearray(rows), dtype=torch.uint8).reshape(-1, BITS // 8)
        text = torch.frombuffer(bytearray("\n".join(self.smiles).encode()), dtype=torch.uint8)
        return save({"fingerprints": fingerprints, "smiles": text})

    @classmethod
    def read(cls, path: Path) -> "Neighbours":
        """The inverse of :meth:`content`.

        Raises:
            ValueError: a missing or damaged file.
        """
        stored = read_weights(path)
        rows, text = stored.get("fingerprints"), stored.get("smiles")
        if rows is None or text is None or rows.dtype != torch.uint8 or text.dtype != torch.uint8:
            raise ValueError(f"{path} is damaged: expected fingerprints and smiles as uint8, got {', '.join(stored)}")
        smiles = text.numpy().tobytes().decode("utf-8", "replace").split("\n")
        if rows.shape != (len(smiles), BITS // 8):
            expected = f"fingerprints [{len(smiles)}, {BITS // 8}], one for each SMILES"
            raise ValueError(f"{path} is damaged: expected {expected}, got {list(rows.shape)}")
        vectors = (DataStructs.CreateFromBinaryText(row.tobytes()) for row in rows.numpy())
        return cls(tuple(smiles), tuple(vectors))


def least_similarity(similarity: Floats) -> float:
    """The similarity to the nearest training molecule below which a molecule is out of the domain.

    It is the 5 % quantile of the similarities of molecules not trained on (``similarity`` [N], the validation part): a molecule
    is in if it is as near to the training part as 95 % of those that the model was chosen on.

    >>> least_similarity(np.linspace(0.0, 1.0, 101))
    0.05
    """
    return float(f"{np.quantile(similarity, QUANTILE):.6g}")
