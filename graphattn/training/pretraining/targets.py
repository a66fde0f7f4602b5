"""What a network can learn of a molecule without labels: descriptors, counted fragments, and which atoms are hidden.

Letters: ``M`` molecules, ``D`` descriptors, ``W`` counters of fragments.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from rdkit import Chem, rdBase
from torch import Tensor

from graphattn.data.molecules.chemistry import AS_WRITTEN, Chemistry, read
from graphattn.data.molecules.fingerprints import count_fingerprints
from graphattn.data.molecules.rdkit2d import descriptors
from graphattn.training.molecules.packed import Packed

COUNTERS = 1024
"""Fragments are counted by Morgan's fingerprint of radius 2, folded to so many counters."""
_MOST = 255
_NARROW = {
    "x": torch.uint8,
    "edge_index": torch.int16,
    "edge_attr": torch.uint8,
    "distance": torch.uint8,
    "random_walk": torch.float32,
}


class Described(NamedTuple):
    """Molecules of some texts: packed tensors by name, positions of texts that cannot be read, how many were excluded."""

    tensors: dict[str, Tensor]
    unreadable: list[int]
    excluded: int


def described(
    texts: Sequence[str], excluded: Collection[str] = frozenset(), chemistry: Chemistry = AS_WRITTEN
) -> Described:
    """The graphs of SMILES with raw descriptors and counted fragments, in the narrowest types that hold them.

    Tensors: those of :class:`~graphattn.training.molecules.packed.Packed`, ``nodes`` and ``edges`` ``[M]``, ``descriptors``
    float32 ``[M, D]`` and ``counts`` uint8 ``[M, W]``, which end at 255.

    Args:
        texts: SMILES.
        excluded: first blocks of InChIKeys (:func:`connectivity`); molecules with one of them are left out.
        chemistry: how SMILES become atoms.

    >>> found = described(["CCO", "C1CC", "CCN"], {connectivity(Chem.MolFromSmiles("NCC"))})
    >>> found.tensors["nodes"].tolist(), found.unreadable, found.excluded
    ([3], [1], 1)
    """
    found = read(texts, chemistry)
    kept = [i for i, molecule in enumerate(found.molecules) if not excluded or connectivity(molecule) not in excluded]
    without = len(found.molecules) - len(kept)
    if not kept:
        return Described({}, list(found.problems), without)
    packed, molecules = Packed.of([found.graphs[i] for i in kept]), [found.molecules[i] for i in kept]
    tensors = {name: packed.parts[name].to(kind) for name, kind in _NARROW.items()}
    tensors |= {"nodes": packed.nodes, "edges": packed.edges, "counts": _counted(molecules)}
    tensors["descriptors"] = torch.from_numpy(descriptors(molecules))
    return Described(tensors, list(found.problems), without)


def connectivity(molecule: Chem.Mol) -> str:
    """The first block of the InChIKey, equal for molecules that differ in stereo, isotopes or charge alone; empty where InChI
    has none.

    >>> connectivity(Chem.MolFromSmiles("CCO"))
    'LFQSCWFLJHTTHZ'
    """
    with rdBase.BlockLogs():
        return Chem.MolToInchiKey(molecule).partition("-")[0]


def joined(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors of :func:`described`, one part behind the other."""
    return {name: torch.cat([part[name] for part in parts], dim=int(name == "edge_index")) for name in parts[0]}


def _counted(molecules: Sequence[Chem.Mol]) -> Tensor:
    """The counts of two counters of the fingerprint together."""
    counts = count_fingerprints(molecules).reshape(len(molecules), -1, COUNTERS).sum(1)
    return torch.from_numpy(counts.clip(max=_MOST).astype(np.uint8))
