r"""Edge terms: what an edge adds to a score (a bias) or to what is said on it (a value), without N x N x channels tensors.

Edge features travel by name in a dict. A feature called ``bond`` may be given in three ways, from plain to sparse:

- ``edge["bond"] [E, F]``: one row for each edge of the topology, in its edge order.
- with ``edge["bond_kind"] [E]``: the rows of ``edge["bond"] [T, F]`` are kinds of edges, and each edge is of one kind.
  Linear maps are computed on ``T`` rows.
- with ``edge["bond_number"] [K]``: only these edges have the feature (bonds in a full molecule graph; numbers come from
  ``graph.edge_number(receiver, sender)``); rows or kinds are those of the ``K`` edges.

Terms of places (relative, grid, T5, ALiBi) need no feature: they read where sender and receiver stand in their graph. Called
with places, receiver first, they give the bias of any pair.

Letters: ``E`` edges, ``T`` kinds, ``K`` edges with a feature, ``H`` heads, ``C`` channels per head, ``F`` channels of a feature.
"""

from graphattn.edge_terms.alibi import ALiBi, alibi_slopes
from graphattn.edge_terms.factored import OfFeatures, OfKinds
from graphattn.edge_terms.grid import GridBias
from graphattn.edge_terms.linear import LinearBias, LinearValue
from graphattn.edge_terms.network import NetworkValue
from graphattn.edge_terms.place import heads_first, places_on_edges, places_on_tile
from graphattn.edge_terms.reading import feature, read
from graphattn.edge_terms.relative import RelativeBias, RelativeValue
from graphattn.edge_terms.shortest_path import ShortestPathBias
from graphattn.edge_terms.spatial import GaussianKernels, SpatialBias
from graphattn.edge_terms.t5 import T5Bias, buckets_backwards, buckets_both_ways
from graphattn.edge_terms.together import SumOfTerms

__all__ = [
    "ALiBi",
    "GaussianKernels",
    "GridBias",
    "LinearBias",
    "LinearValue",
    "NetworkValue",
    "OfFeatures",
    "OfKinds",
    "RelativeBias",
    "RelativeValue",
    "ShortestPathBias",
    "SpatialBias",
    "SumOfTerms",
    "T5Bias",
    "alibi_slopes",
    "buckets_backwards",
    "buckets_both_ways",
    "feature",
    "heads_first",
    "places_on_edges",
    "places_on_tile",
    "read",
]
