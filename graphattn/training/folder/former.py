"""Weights of networks that were saved before a network was an embedding, a trunk, a readout and a head."""

from collections.abc import Mapping

from torch import Tensor

MOLECULE_TRANSFORMER = {
    "atom.": "embedding.categories.",
    "random_walk.": "embedding.random_walk.",
    "bond.": "edges.edges.encoder.",
    "distance.": "edges.distance.",
    "blocks.": "trunk.blocks.",
    "norm.": "trunk.norm.",
    "readout.": "readout.readout.",
    "descriptors.": "beside.map.",
}
"""Parts of ``MoleculeTransformer``: their names then, and now."""

BY_NAME = {
    "nodes.": "embedding.",
    "read.": "readout.",
    "blocks.": "trunk.blocks.",
    "norm.": "trunk.norm.",
    "hubs": "trunk.hubs",
    "pairs.": "edges.",
}
"""Parts of networks by the name of a layer and of a topology: their names then, and now."""


def renamed(weights: Mapping[str, Tensor], parts: Mapping[str, str]) -> dict[str, Tensor]:
    """The weights under the names of today; those that have them already stay as they are.

    >>> list(renamed({"norm.weight": Tensor(), "head.0.bias": Tensor()}, MOLECULE_TRANSFORMER))
    ['trunk.norm.weight', 'head.0.bias']
    """
    if any(name.startswith("trunk.") for name in weights):
        return dict(weights)
    found = {}
    for name, weight in weights.items():
        old = next((part for part in parts if name.startswith(part)), "")
        found[parts.get(old, "") + name[len(old) :]] = weight
    return found
