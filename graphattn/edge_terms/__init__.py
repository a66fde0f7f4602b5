r"""Edge terms: what an edge adds to a score (a bias) or to what is said on it (a value), without N x N x channels tensors.

Edge features travel by name in a dict. A feature called ``bond`` may be given in three ways, from plain to sparse:

- ``edge["bond"] [E, F]``: one row for each edge of the topology, in its edge order.
- with ``edge["bond_kind"] [E]``: the rows of ``edge["bond"] [T, F]`` are kinds of edges, and each edge is of one kind.
  Linear maps are computed on ``T`` rows.
- with ``edge["bond_number"] [K]``: only these edges have the feature (bonds in a full molecule graph; numbers come from
  ``graph.edge_number(receiver, sender)``); rows or kinds are those of the ``K`` edges.

Letters: ``E`` edges, ``T`` kinds, ``K`` edges with a feature, ``H`` heads, ``C`` channels per head, ``F`` channels of a feature.
"""

from graphattn.edge_terms.linear import LinearBias, LinearValue, feature
from graphattn.edge_terms.network import NetworkValue

__all__ = ["LinearBias", "LinearValue", "NetworkValue", "feature"]
