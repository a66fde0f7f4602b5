"""Names of layers, topologies and configurations in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterable

LAYERS = {
    "attention": "attention",
    "edge_attention": "attention with edge terms",
    "gcn": "GCN",
    "gat": "GAT",
    "gatv2": "GATv2",
    "gin": "GIN",
    "sage": "GraphSAGE",
    "edgeconv": "EdgeConv",
    "mlp": "MLP",
}
TOPOLOGIES = {
    "edges": "edges",
    "full": "full graphs",
    "edges+hub": "edges + hub",
    "none": "no edges",
    "shuffled": "shuffled edges",
}


def layer(name: str) -> str:
    """A layer's name in sentences; other names stay as they are.

    >>> layer("gcn")
    'GCN'
    """
    return LAYERS.get(name, name)


def topology(name: str) -> str:
    """A topology's name in sentences; other names stay as they are.

    >>> topology("full")
    'full graphs'
    """
    return TOPOLOGIES.get(name, name)


def title(layer_name: str, topology_name: str) -> str:
    """A layer on a topology, or a baseline.

    >>> title("attention", "full"), title("mlp", "none"), title("random forest", "")
    ('attention on full graphs', 'MLP without edges', 'random forest')
    """
    if topology_name == "none":
        return f"{layer(layer_name)} without edges"
    return f"{layer(layer_name)} on {topology(topology_name)}" if topology_name else layer(layer_name)


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Each name once, as ``known`` lists them, then others by the alphabet.

    >>> in_order(["full", "mine", "edges", "full"], TOPOLOGIES)
    ['edges', 'full', 'mine']
    """
    places = {name: place for place, name in enumerate(known)}
    return sorted(set(names), key=lambda name: (places.get(name, len(places)), name))
