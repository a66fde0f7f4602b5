"""What edges say, laid out for every edge."""

from __future__ import annotations

from torch import Tensor

from graphattn.edge_terms.reading import is_counted
from graphattn.slots import EdgeValue, State
from graphattn.topology import Topology


def on_every_edge(term: EdgeValue, graph: Topology, edge: State) -> Tensor:
    """What the edges say, ``[E, H, C]``; zero on edges that say nothing.

    Raises:
        ValueError: values for another number of edges than the topology has.
    """
    number, said = term.on_edges(graph, edge)
    if number is not None:
        return said.new_zeros(graph.num_edges, *said.shape[1:]).index_add(0, number, said)
    must_be_one_each(said, graph)
    return said


def must_be_one_each(rows: Tensor, graph: Topology) -> None:
    """Refuse another number of rows than the topology has edges: a single row would be broadcast to all in silence."""
    if is_counted(graph) and rows.size(0) != graph.num_edges:
        raise ValueError(f"expected {graph.num_edges} rows of edge features for {graph}, got {rows.size(0)}")
