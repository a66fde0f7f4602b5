"""Where a node is: encodings of nodes, from their positions or from the graph alone."""

from graphattn.encoding.random_walk import random_walk

__all__ = ["random_walk"]
