"""Where a node is: encodings of nodes, from their positions or from the graph alone.

From positions, in a layer's call: :func:`sinusoidal`, :func:`sinusoidal_grid`, :class:`LearnedPlaces`; :class:`Rotary` and
:class:`AxialRotary` turn queries and keys instead (``Attend(..., rotate=...)``).

From the graph alone, once: :func:`laplacian`, :func:`random_walk`, :func:`degree`, :func:`hub_distance`, and
:func:`shortest_path` for pairs of nodes. These are functions of one graph's ``(edge_index, num_nodes, ...)``;
:class:`AddEncodings` makes them a PyG transform, :func:`per_graph` applies them to each graph of a batch.
"""

from graphattn.encoding.degree import DegreeEmbedding, degree
from graphattn.encoding.distance import anchor_distance, hub_distance, shortest_path
from graphattn.encoding.grid import grid_coordinates, sinusoidal_grid
from graphattn.encoding.laplacian import laplacian
from graphattn.encoding.learned import LearnedPlaces
from graphattn.encoding.per_graph import AddEncodings, per_graph
from graphattn.encoding.random_walk import random_walk
from graphattn.encoding.rotary import AxialRotary, Rotary, turn_halves, turn_neighbours
from graphattn.encoding.signs import RandomSigns, SignInvariant, canonical_signs
from graphattn.encoding.sinusoidal import sinusoidal

__all__ = [
    "AddEncodings",
    "AxialRotary",
    "DegreeEmbedding",
    "LearnedPlaces",
    "RandomSigns",
    "Rotary",
    "SignInvariant",
    "anchor_distance",
    "canonical_signs",
    "degree",
    "grid_coordinates",
    "hub_distance",
    "laplacian",
    "per_graph",
    "random_walk",
    "shortest_path",
    "sinusoidal",
    "sinusoidal_grid",
    "turn_halves",
    "turn_neighbours",
]
