"""Several topologies as one batch."""

from __future__ import annotations

from collections.abc import Sequence

from graphattn.topology.base import Topology


def collate(graphs: Sequence[Topology]) -> Topology:
    """One topology of the graphs of several, one behind the other, of the same kind and with the same options.

    PyG's ``DataLoader`` and ``Batch`` leave an attribute of ``Data`` that is a topology as a list: ``collate(batch.graph)``
    is its topology. ``batch.to(device)`` moves it.

    Raises:
        ValueError: no topologies, topologies of several kinds, or with other options.

    >>> from graphattn.topology import Causal
    >>> collate([Causal([3]), Causal([2, 1])])
    Causal(graphs=3, receivers=6, senders=6, edges=10)
    """
    if not graphs:
        raise ValueError("expected one topology or more, got none")
    first = graphs[0]
    for graph in graphs[1:]:
        if (
            type(graph) is not type(first)
            or graph._options() != first._options()
            or (graph.senders is graph.receivers) != (first.senders is first.receivers)
        ):
            raise ValueError(
                f"expected topologies of one kind with the same options, got {first} and {graph}; "
                "graph.as_edges() is a list of edges of any kind"
            )
    return first._joined(graphs)
