"""Batches of whole graphs, computed without a list of edges."""
