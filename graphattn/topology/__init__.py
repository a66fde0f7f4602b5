"""Topology: who hears whom."""

from graphattn.topology.base import Topology
from graphattn.topology.complete import Complete, Tile
from graphattn.topology.compressed import Compressed
from graphattn.topology.edges import Edges
from graphattn.topology.full import Full
from graphattn.topology.sizes import graph_of, read_sizes
from graphattn.topology.star import Star

__all__ = ["Complete", "Compressed", "Edges", "Full", "Star", "Tile", "Topology", "graph_of", "read_sizes"]
