"""Models: stacks of blocks with an embedding and a readout, one file each.

All take a PyG ``Data`` or ``Batch``, so that graphs of unequal size are a batch and nothing is padded.
"""

from graphattn.models.embedding import FeatureEmbedding, TokenEmbedding
from graphattn.models.encoder import Encoder, GraphOf, of_edges
from graphattn.models.molecule import MoleculeTransformer
from graphattn.models.positional import (
    NOWHERE,
    Positional,
    alibi,
    axial_rotary,
    grid_bias,
    grid_sinusoids,
    learned,
    relative,
    rotary,
    sinusoids,
    t5,
)
from graphattn.models.reading import AllPlaces, EachNode, Hub, LastNode, MeanOfNodes
from graphattn.models.transformer import Transformer
from graphattn.models.vit import ViT

__all__ = [
    "NOWHERE",
    "AllPlaces",
    "EachNode",
    "Encoder",
    "FeatureEmbedding",
    "GraphOf",
    "Hub",
    "LastNode",
    "MeanOfNodes",
    "MoleculeTransformer",
    "Positional",
    "TokenEmbedding",
    "Transformer",
    "ViT",
    "alibi",
    "axial_rotary",
    "grid_bias",
    "grid_sinusoids",
    "learned",
    "of_edges",
    "relative",
    "rotary",
    "sinusoids",
    "t5",
]
