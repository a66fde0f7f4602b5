"""Molecules: from files and SMILES to graphs, descriptors and the data sets that come with graphattn."""
