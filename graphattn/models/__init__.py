"""Models: stacks of blocks with an embedding and a readout, one file each."""

from graphattn.models.molecule import MoleculeTransformer

__all__ = ["MoleculeTransformer"]
