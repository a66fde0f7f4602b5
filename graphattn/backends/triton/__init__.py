"""Kernels in Triton for lists of edges and for batches of small graphs, compiled on the user's machine when first called."""
