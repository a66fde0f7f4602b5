"""General attention: a kernel says how alike two points are, a mask says who hears whom, and a point is pulled where it listens.

Papers: Tsai et al. 2019 ("Transformer Dissection: a Unified Understanding via the Lens of Kernel"), Nadaraya 1964 and Watson 1964
(the RBF row is their regression), Vaswani et al. 2017 (the exponential row), Graves et al. 2014 (the cosine).

    y_i = sum_j  k(x_i, x_j) M_ij x_j  /  sum_j  k(x_i, x_j) M_ij

The kernel k is the layer's score, the mask M is the graph, and nothing is learned: queries, keys and values are the points
themselves. So one scene shows what each does. The linear kernel listens to all, and most to points far from the origin; a high
power sharpens that, and so does the exponential; RBF hears points nearby; the cosine those in the same direction.

Picture: general_attention.png, kernels down and masks across. The cross is the point that asks, lines are as wide as their sender
is heard, the red diamond is where it is pulled; pale points are not in its graph, the origin is the black corner.

    python examples/general_attention.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch_geometric.data import Data

from graphattn import Attend, Edges, Full, GraphLayer, Heads, Replace, SoftmaxSum
from graphattn.aggregation import NormalizedSum
from graphattn.data.generated import scene
from graphattn.score import RBF, Cosine, Dot, Polynomial, Temperature, Then
from graphattn.slots import Aggregation, Score
from graphattn.topology import Causal, Topology, Window

BOUND = 1e-12  # between the layers and the formula above, written out, in float64
COLOURS = ("#2a6fb0", "#e0852c", "#3f9b5d")


class Kernel(NamedTuple):
    """A score, how it is listened to, and the kernel that they amount to, written out."""

    score: Score
    aggregation: Aggregation
    formula: Callable[[Tensor, Tensor], Tensor]


# ---------------------------------------------------------------------------------------------------- the idea
KERNELS = {
    "linear\nx . y": Kernel(Dot(), NormalizedSum(), lambda x, y: x @ y.T),
    "polynomial\n(x . y)^8": Kernel(Polynomial(8, offset=0.0), NormalizedSum(), lambda x, y: (x @ y.T) ** 8),
    "RBF\nexp(-|x - y|^2 / 2 s^2)": Kernel(
        RBF(bandwidth=0.4), SoftmaxSum(), lambda x, y: (-(torch.cdist(x, y) ** 2) / 0.32).exp()
    ),
    "exponential\nexp(x . y)": Kernel(Dot(), SoftmaxSum(), lambda x, y: (x @ y.T).exp()),
    "cosine\nexp(cos(x, y) / t)": Kernel(
        Then(Cosine(), Temperature(0.02)),
        SoftmaxSum(),
        lambda x, y: (cosine_similarity(x[:, None], y[None], dim=-1) / 0.02).exp(),
    ),
}


def masks(data: Data) -> dict[str, Topology]:
    """Who hears whom; points are numbered by their angle around the middle of the scene."""
    size, y = [data.num_nodes], data.y
    return {
        "Full": Full(size),
        "Causal: no later points": Causal(size),
        "Window: 6 on each side": Window(size, radius=6),
        "Edges: the next colour": Edges.from_mask((y[:, None] + 1) % 3 == y),
    }


def attention(kernel: Kernel) -> GraphLayer:
    """A layer without parameters: points are queries, keys and values."""
    itself = nn.Identity()
    message = Attend(2, Heads(1, 2), kernel.score).set_maps(itself, itself, itself)
    return GraphLayer(message, kernel.aggregation, Replace(), name="GeneralAttention")


# ------------------------------------------------------------------------------------------------------------


def points(count: int, seed: int) -> Data:
    """A scene in the corner where no coordinate is negative, as a linear kernel must not be, in order of angle."""
    data = scene(count, clusters=3, spread=0.4, seed=seed)
    order = torch.atan2(data.pos[:, 1], data.pos[:, 0]).argsort()
    pos = 0.7 * data.pos[order].double() + 1.4
    return Data(pos=pos.clamp(min=0.05), y=data.y[order], num_nodes=count)


def draw(axes: Axes, data: Data, heard: Tensor, keep: Tensor, query: int, pulled: Tensor) -> None:
    """One kernel on one mask: what the query hears ``[N]``, whom it may hear ``[N]``, and where it is pulled ``[2]``."""
    at, ask = data.pos, data.pos[query]
    for sender in heard.argsort(descending=True)[:20].tolist():
        line = torch.stack([ask, at[sender]])
        axes.plot(*line.T, color="0.55", linewidth=7 * float(heard[sender]) ** 0.7, zorder=1, solid_capstyle="round")
    colours = [COLOURS[colour] for colour in data.y.tolist()]
    axes.scatter(*at.T, c=colours, alpha=torch.where(keep, 1.0, 0.18).tolist(), s=16, linewidths=0, zorder=2)
    axes.plot(*torch.stack([ask, pulled]).T, color="crimson", linewidth=2.5, zorder=3)
    axes.scatter(*ask, marker="X", s=70, c="black", edgecolors="white", linewidths=0.8, zorder=4)
    axes.scatter(*pulled, marker="D", s=42, c="crimson", edgecolors="white", linewidths=0.8, zorder=5)
    axes.scatter(0, 0, marker="s", s=50, c="black", zorder=3)
    axes.set(xlim=(-0.1, 2.95), ylim=(-0.1, 2.95), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_color("0.85")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="fewer points")
    parser.add_argument("--seed", type=int, default=0, help="of the scene")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    data = points(24 if arguments.fast else 60, arguments.seed)
    graphs, query = masks(data), data.num_nodes // 2
    figure = Figure(figsize=(8.8, 11), layout="constrained")
    grid = figure.subplots(len(KERNELS), len(graphs))
    worst = 0.0
    print(f"{'how far the point is pulled':30}" + "".join(f"{name.split(':')[0]:>9}" for name in graphs))
    for row, (name, kernel) in zip(grid, KERNELS.items(), strict=True):
        layer, pulls = attention(kernel), []
        for axes, (mask, graph) in zip(row, graphs.items(), strict=True):
            pulled = layer(data.pos, graph)
            weights = kernel.formula(data.pos, data.pos) * graph.mask()
            weights = weights / weights.sum(1, keepdim=True)
            worst = max(worst, float((pulled - weights @ data.pos).abs().max()))
            pulls.append(float((pulled - data.pos)[query].norm()))
            draw(axes, data, weights[query], graph.mask()[query], query, pulled[query])
            if axes in grid[0]:
                axes.set_title(mask, fontsize=10)
        row[0].set_ylabel(name, fontsize=10)
        print(f"{' '.join(name.split()):30}" + "".join(f"{pull:9.3f}" for pull in pulls))
    print(f"20 layers and the formula differ by {worst:.0e}, bound {BOUND:.0e}: reached")
    assert worst < BOUND  # at any size
    path = arguments.out / "general_attention.png"
    figure.savefig(path, dpi=75)
    Image.open(path).quantize(64).save(path, optimize=True)  # few colours, a small file
    print(f"drawn: {path}")
    result = {"example": "general_attention", "seed": arguments.seed, "difference": worst}
    print("RESULT", json.dumps({**result, "bounds": {"difference": f"< {BOUND:.0e}"}, "reached": True}))


if __name__ == "__main__":
    main()
