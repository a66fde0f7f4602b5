"""Topology: who hears whom."""

from graphattn.backends.layout.compressed import Compressed
from graphattn.backends.layout.tiles import Tile
from graphattn.topology.base import Nodes, Topology, collate
from graphattn.topology.blockwise import Blockwise, Run
from graphattn.topology.causal import Causal
from graphattn.topology.cross import Cross
from graphattn.topology.edges import Edges
from graphattn.topology.full import Full
from graphattn.topology.grid import Grid
from graphattn.topology.hubs import WithHubs, with_hubs
from graphattn.topology.line import Line
from graphattn.topology.prefix import Prefix
from graphattn.topology.pytrees import register_all
from graphattn.topology.reversed import Reversed
from graphattn.topology.sizes import graph_of, read_sizes
from graphattn.topology.star import Star
from graphattn.topology.union import Union
from graphattn.topology.window import Window

register_all()

__all__ = [
    "Blockwise",
    "Causal",
    "Compressed",
    "Cross",
    "Edges",
    "Full",
    "Grid",
    "Line",
    "Nodes",
    "Prefix",
    "Reversed",
    "Run",
    "Star",
    "Tile",
    "Topology",
    "Union",
    "Window",
    "WithHubs",
    "collate",
    "graph_of",
    "read_sizes",
    "with_hubs",
]
