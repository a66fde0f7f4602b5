"""XOR three ways: under attention, under a graph convolution, and as the next token of a sequence.

Papers: Minsky & Papert 1969 (a linear model cannot), Vaswani et al. 2017 (attention), Kipf & Welling 2017 (graph convolution),
Radford et al. 2018 (next-token prediction).

The two bits are two nodes, and what must be said is whether they differ. Under attention all nodes hear each other, under the
convolution those joined by edges, and in a sequence a token hears those before it: a causal graph, where the answer is next.

Bound: all four inputs right, each way, for 5 of 5 seeds.

Picture: xor.png, the loss of each way and seed, and whom each bit hears (of the last seed; the last bit of a sequence answers).

    python examples/xor.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from graphattn import GCN
from graphattn.data.generated import xor
from graphattn.data.sequences import next_token
from graphattn.explain.attention import attention_maps
from graphattn.explain.attention_drawing import draw_heat_map
from graphattn.models import Decoder, Encoder, MeanOfNodes, TokenEmbedding, learned, of_edges
from graphattn.topology import read_sizes
from graphattn.training.fitting import evaluate, fit
from graphattn.training.recipe import Recipe
from graphattn.training.runs import Curves

CHANNELS, SEEDS, INPUTS = 16, 5, ("00", "01", "10", "11")
PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


# ---------------------------------------------------------------------------------------------------- the idea
class Convolution(nn.Module):
    """A graph classifier: each node hears its neighbour and itself, the mean over nodes is read."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.layer = TokenEmbedding(2, CHANNELS), GCN(CHANNELS, CHANNELS)
        self.mean, self.head = MeanOfNodes(CHANNELS, heads=1), nn.Linear(CHANNELS, 2)

    def forward(self, data: Data) -> Tensor:
        x = self.layer(self.embedding(data), of_edges(data).with_self_loops()).relu()
        return self.head(self.mean(x, read_sizes(data)))


def as_text(data: Data) -> Data:
    """The sequence of both bits and the answer, which is asked for behind the second bit only."""
    text = next_token([*data.token.tolist(), int(data.y)])
    text.y[0] = -100
    return text


def ways() -> dict[str, tuple[nn.Module, list[Data]]]:
    """A model and its data, each way."""
    one = {"heads": 1, "layers": 1, "positional": learned(2)}
    return {
        "attention": (Encoder(TokenEmbedding(2, CHANNELS), outputs=2, **one), xor()),
        "convolution": (Convolution(), xor()),
        "next token": (Decoder(TokenEmbedding(2, CHANNELS), **one), [as_text(data) for data in xor()]),
    }


# ------------------------------------------------------------------------------------------------------------


def weights(model: nn.Module, graphs: list[Data]) -> list[Tensor]:
    """The attention of the only layer for each input, ``[2, 2]``."""
    attention = attention_maps(model, Batch.from_data_list(graphs))[0]
    return [attention.matrix(number)[0] for number in range(len(graphs))]


def draw(path: Path, curves: dict[str, list[Curves]], maps: dict[str, list[Tensor]]) -> None:
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.9))
    loss = left.subplots()
    for number, (name, seeds) in enumerate(curves.items()):
        for seed, each in enumerate(seeds):
            loss.semilogy(each.column("step"), each.column("loss"), color=f"C{number}", label="" if seed else name)
    loss.set(xlabel="step", ylabel="nats", title=f"loss, {SEEDS} seeds")
    loss.legend(fontsize=8)
    grid = right.subplots(2, 4)
    for row, (name, each) in zip(grid, maps.items(), strict=True):
        for axes, bits, matrix in zip(row, INPUTS, each, strict=True):
            draw_heat_map(matrix, axes, list(bits), most=1.0)
            axes.set_title(f"{name}: {bits}", fontsize=9)
            for (i, j), weight in ((place, float(matrix[place])) for place in PLACES):
                axes.text(j, i, f"{weight:.2f}", ha="center", va="center", color="white" if weight > 0.6 else "black")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a few steps, to see that all runs")
    parser.add_argument("--seed", type=int, default=0, help="the first of five is five times this")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    started = time.perf_counter()
    names = tuple(ways())
    curves: dict[str, list[Curves]] = {name: [] for name in names}
    right: dict[str, list[float]] = {name: [] for name in names}
    maps: dict[str, list[Tensor]] = {}
    for seed in range(SEEDS * arguments.seed, SEEDS * (arguments.seed + 1)):
        torch.manual_seed(seed)
        for name, (model, graphs) in ways().items():
            recipe = Recipe(epochs=2 if arguments.fast else 30, passes=10, batch_size=4, learning_rate=1e-2, seed=seed)
            curves[name].append(fit(model, graphs, recipe=recipe))
            right[name].append(evaluate(model, graphs)["accuracy"])
            if name != "convolution":
                maps[name] = weights(model, graphs)
    print("attention of the last seed:")
    for name, each in maps.items():
        for bits, matrix in zip(INPUTS, each, strict=True):
            rows = ", ".join(f"bit {i + 1} hears {row[0]:.2f} {row[1]:.2f}" for i, row in enumerate(matrix.tolist()))
            print(f"{name:11} {bits}: {rows}")
            assert torch.allclose(matrix.sum(1), torch.ones(2))
    for name, each in right.items():
        whole = sum(share == 1.0 for share in each)
        word = "reached" if whole == SEEDS else "not reached"
        print(f"{name:11} all four right for {whole} of {SEEDS} seeds (bound {SEEDS}): {word}")
    path = arguments.out / "xor.png"
    draw(path, curves, maps)
    print(f"{time.perf_counter() - started:.0f} s; drawn: {path}")
    reached = all(share == 1.0 for each in right.values() for share in each)
    scores = {name: sum(each) / SEEDS for name, each in right.items()}
    result = {"example": "xor", "seed": arguments.seed, **scores, "bounds": dict.fromkeys(scores, "== 1")}
    print("RESULT", json.dumps({**result, "reached": reached}))


if __name__ == "__main__":
    main()
