"""Where is a node? Five answers, and what a layer hears of them.

Papers: Vaswani et al. 2017 (sines and cosines), Su et al. 2021 (rotary), Press et al. 2022 (ALiBi), Raffel et al. 2020 (T5),
Dwivedi et al. 2023 (eigenvectors of the Laplacian).

Attention on a full graph does not know the order of its nodes: shuffle them, and the results are shuffled. A position is said in
one of three places: added to what a node is (`encoding`), by turning queries and keys (`Rotary`), or on the edge (`edge_terms`).

Picture: positions.png, each of them as numbers. The eigenvectors are to a graph what sines and cosines are to a line.

    python examples/positions.py [--fast] [--out DIR]
"""

import argparse
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch_geometric.data import Data

from graphattn import Attend, Full, GraphLayer, Heads, Project, SoftmaxSum
from graphattn.edge_terms import ALiBi, T5Bias, alibi_slopes, buckets_backwards, buckets_both_ways
from graphattn.encoding import AddEncodings, Rotary, grid_coordinates, laplacian, sinusoidal, sinusoidal_grid

CHANNELS, HEADS, TOKENS = 64, 8, 20
DIFFERENCE = "place of sender - place of receiver"


def attention(**where: object) -> GraphLayer:
    """Self-attention that is told where nodes are."""
    torch.manual_seed(0)
    message = Attend(CHANNELS, Heads(HEADS, CHANNELS // HEADS), **where)
    return GraphLayer(message, SoftmaxSum(), Project(CHANNELS, CHANNELS))


def shuffled(layer: GraphLayer, place: torch.Tensor | float) -> float:
    """How much the results of shuffled nodes differ from shuffled results."""
    x, graph, order = torch.randn(TOKENS, CHANNELS), Full([TOKENS]), torch.randperm(TOKENS)
    with torch.no_grad():
        return float((layer(x[order] + place, graph) - layer(x + place, graph)[order]).abs().max())


def order_matters() -> None:
    # ------------------------------------------------------------------------------------------------ the idea
    place, _ = Full([TOKENS]).places()
    ways = {
        "nothing": (attention(), 0.0),
        "sines and cosines on the nodes": (attention(), sinusoidal(place, CHANNELS)),
        "rotary queries and keys": (attention(rotate=Rotary(CHANNELS // HEADS)), 0.0),
        "ALiBi on the edges": (attention(edge_bias=ALiBi(HEADS)), 0.0),
        "T5's buckets on the edges": (attention(edge_bias=T5Bias(HEADS)), 0.0),
    }
    # ---------------------------------------------------------------------------------------------------------
    for name, (layer, encoding) in ways.items():
        difference = shuffled(layer, encoding)
        print(f"{name:32} results of shuffled nodes - shuffled results: {difference:.0e}")
        assert (difference < 1e-5) == (name == "nothing")


def draw_lines(axes: dict[str, Axes]) -> None:
    """Positions along a line and on a grid."""
    image = axes["sines"].imshow(
        sinusoidal(torch.arange(64), CHANNELS), cmap="RdBu", aspect="auto", interpolation="none"
    )
    axes["sines"].set(title="sinusoidal", xlabel="channel", ylabel="place")
    axes["sines"].figure.colorbar(image, ax=axes["sines"])

    at = sinusoidal_grid(grid_coordinates(torch.arange(21 * 21), (21, 21)), CHANNELS)
    alike = (at @ at[10 * 21 + 10]).view(21, 21) / (CHANNELS / 2)
    image = axes["grid"].imshow(alike, cmap="viridis", interpolation="none")
    axes["grid"].set(title="sinusoidal on a grid:\nlikeness to the middle", xlabel="column", ylabel="row")
    axes["grid"].figure.colorbar(image, ax=axes["grid"])

    difference = torch.arange(-100, 101)
    ones = torch.ones(len(difference), 1, CHANNELS)
    for base in (10_000, 100):
        rotary = Rotary(CHANNELS, base=base)
        score = (rotary(ones, difference) * ones).mean(-1)  # the receiver stands at 0, where nothing turns
        axes["rotary"].plot(difference, score, label=f"base {base:,}")
    axes["rotary"].set(title="rotary: score of equal\nquery and key", xlabel=DIFFERENCE, ylabel="score, at most 1")

    near = torch.arange(-20, 21)
    bias = ALiBi(HEADS)(torch.tensor(0), near)
    for head, slope in enumerate(alibi_slopes(HEADS).tolist()):
        axes["alibi"].plot(near, bias[:, head], color=plt.get_cmap("viridis")(head / HEADS), label=f"1/{1 / slope:.0f}")
    axes["alibi"].set(title="ALiBi: a slope for each head", xlabel=DIFFERENCE, ylabel="bias")

    for name, bucket in (("encoder", buckets_both_ways), ("decoder", buckets_backwards)):
        far = torch.arange(-150, 151)
        axes["T5"].step(far, bucket(far), where="mid", label=name)
    axes["T5"].set(title="T5: a learned bias\nfor each of 32 buckets", xlabel=DIFFERENCE, ylabel="bucket")
    for name in ("rotary", "alibi", "T5"):
        axes[name].legend(fontsize=7, ncols=2 if name == "alibi" else 1)


def draw_graph(axes: list[Axes], side: int) -> None:
    """Eigenvectors on a graph of points joined to the points near them."""
    torch.manual_seed(0)
    at = grid_coordinates(torch.arange(side * side), (side, side)) + 0.7 * torch.rand(side * side, 2)
    sender, receiver = (torch.cdist(at, at) < 1.45).fill_diagonal_(False).nonzero().T
    data = Data(edge_index=torch.stack([sender, receiver]), num_nodes=side * side)
    # ------------------------------------------------------------------------------------------------ the idea
    data = AddEncodings({"eigenvectors": partial(laplacian, size=len(axes))})(data)
    # ---------------------------------------------------------------------------------------------------------
    for number, axis in enumerate(axes):
        axis.plot(*at[torch.stack([sender, receiver])].permute(2, 0, 1), color="0.85", linewidth=0.7, zorder=1)
        axis.scatter(
            *at.T, c=data.eigenvectors[:, number], cmap="RdBu", s=26, edgecolors="0.5", linewidths=0.4, zorder=2
        )
        axis.set(title=f"Laplacian: eigenvector {number + 2}", aspect="equal")
        axis.set_axis_off()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a smaller graph")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    order_matters()
    layout = [["sines", "grid", "rotary", "alibi"], ["T5", "first", "second", "third"]]
    figure, axes = plt.subplot_mosaic(layout, figsize=(13, 6.2), layout="constrained")
    draw_lines(axes)
    draw_graph([axes[name] for name in ("first", "second", "third")], 5 if arguments.fast else 11)
    path = arguments.out / "positions.png"
    figure.savefig(path, dpi=100)
    print(f"drawn: {path}")


if __name__ == "__main__":
    main()
