"""Choose the graph: who hears whom, as a gallery.

Papers: Vaswani et al. 2017 (full, causal and cross attention); Raffel et al. 2020 (prefix language models); Beltagy et al. 2020,
"Longformer" (windows, dilation, global tokens); LeCun et al. 1989 (convolutions); Kipf & Welling 2017 (any graph at all).

A layer of graphattn is told who hears whom by a topology: a small value that knows its sizes and its rule and lists edges only
when asked. Here is one of each, and the same `SelfAttention` runs on all of them.

Picture: topologies.png. Dots are nodes, full where they hear themselves; squares are senders that are other nodes than the
receivers. In the matrices rows hear columns. One receiver's edges stand out; colours are types of edges.

    python examples/topologies.py [--fast] [--out DIR]
"""

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure

from graphattn import Edges, Full, SelfAttention, Star
from graphattn.explain.topology import draw_matrix, draw_nodes
from graphattn.topology import Causal, Cross, Grid, Line, Prefix, Topology, Window, with_hubs

CHANNELS = 16


def molecule() -> Edges:
    """Bonds of toluene without hydrogens, in both directions: a graph as PyG holds it."""
    bonds = torch.tensor([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 0], [0, 6]]).T
    return Edges(torch.cat([bonds, bonds.flip(0)], dim=1))


def gallery() -> list[tuple[str, Topology, int | None]]:
    """What each is good for, the topology, and the receiver whose edges stand out."""
    # ------------------------------------------------------------------------------------------------ the idea
    return [
        ("a transformer's encoder", Full([8]), 1),
        ("a language model", Causal([8]), 6),
        ("a prompt, then a language model", Prefix([8], prefix=3), 1),
        ("local attention", Window([9], radius=2), 4),
        ("dilated and causal", Window([9], radius=2, dilation=2, causal=True), 8),
        ("local attention and a global token", with_hubs(Window([8], radius=1), hubs=1), 2),
        ("cross-attention", Cross([5], [7]), 3),
        ("a readout", Star([8]), 0),
        ("Conv1d with a stride", Line([8], kernel_size=3, stride=2, padding=1), 2),
        ("Conv2d", Grid(4, 5), 7),
        ("patches of an image", Grid(4, 4, kernel_size=2, stride=2, padding=0), 0),
        ("any graph of PyG", molecule(), 0),
        ("Causal, read backwards", Causal([8]).reverse(), 2),
        ("Window | Edges, types of edges", Window([7], radius=1) | molecule(), 0),
        ("two graphs in a batch", Full([3, 5]), None),
    ]
    # ---------------------------------------------------------------------------------------------------------


def hear(layer: torch.nn.Module, graph: Topology) -> torch.Tensor:
    """The same layer on any topology."""
    x = torch.randn(graph.num_senders, CHANNELS)
    if graph.senders is graph.receivers:
        return layer(x, graph)
    return layer((x, torch.randn(graph.num_receivers, CHANNELS)), graph)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="the first row only")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    layer = SelfAttention(CHANNELS, heads=2)
    shown = gallery()[:3] if arguments.fast else gallery()
    rows = len(shown) // 3
    figure = Figure(figsize=(13, 2.55 * rows), layout="constrained")
    for part, (meaning, graph, receiver) in zip(
        figure.subfigures(rows, 3, wspace=0.04, hspace=0.05).flat, shown, strict=True
    ):
        nodes, matrix = part.subplots(1, 2, width_ratios=(1.25, 1))
        draw_nodes(graph, nodes, receiver)
        draw_matrix(graph, matrix, receiver)
        part.suptitle(f"{type(graph).__name__}: {meaning}", fontsize=11)
        print(f"{type(graph).__name__:9} {graph.num_edges:4} edges, all heard: {list(hear(layer, graph).shape)}")
    long = Causal([100_000])
    print(f"{long}: none of them listed")
    path = arguments.out / "topologies.png"
    figure.savefig(path, dpi=100)
    print(f"drawn: {path}")


if __name__ == "__main__":
    main()
