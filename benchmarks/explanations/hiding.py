"""Other ways to hide atoms of a molecule than the one that was chosen; they were compared on validation molecules."""

import copy

from rdkit import Chem
from torch_geometric.data import Data

from graphattn.data.molecules.smiles import to_data
from graphattn.explain.molecules.cutting import as_carbon, without
from graphattn.explain.molecules.subject import Hide, hide
from graphattn.explain.subject import Mask


def held_fixed(graph: Data, mask: Mask) -> tuple[Data, Chem.Mol]:
    """Atoms are unknown, and descriptors stay those of the whole molecule."""
    return hide(graph, mask)[0], graph["molecule"]


def removed(graph: Data, mask: Mask) -> tuple[Data, Chem.Mol]:
    """Atoms are unknown, and descriptors are those of the molecule without them."""
    return hide(graph, mask)[0], without(graph["molecule"], mask.nodes)


def removed_in_both(graph: Data, mask: Mask) -> tuple[Data, Chem.Mol]:
    """The graph and the descriptors are those of the molecule without the atoms; unknown where none is left."""
    left = without(graph["molecule"], mask.nodes)
    return (to_data(left), left) if left.GetNumAtoms() else removed(graph, mask)


def carbon_in_both(graph: Data, mask: Mask) -> tuple[Data, Chem.Mol]:
    """The graph and the descriptors are those of the molecule with carbon in place of the atoms."""
    changed = as_carbon(graph["molecule"], mask.nodes)
    return to_data(changed) if changed.GetNumAtoms() == len(graph["x"]) else copy.copy(graph), changed


WAYS: dict[str, Hide] = {
    "unknown; descriptors held fixed": held_fixed,
    "unknown; descriptors of the rest": removed,
    "taken out": removed_in_both,
    "carbon": carbon_in_both,
    "unknown; descriptors with carbon (chosen)": hide,
}
"""By name."""
