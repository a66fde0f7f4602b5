"""How far must one hear? The n-back task, by a recurrent network and by attention on windows.

Papers: Kirchner 1958 ("Age differences in short-term retention of rapidly changing information"), Cho et al. 2014 (the recurrent
network, a GRU), Beltagy et al. 2020 (Longformer, attention on windows).

Symbols are shown one after the other; of each it is asked whether it is the one shown n = 3 steps before. A recurrent network
carries what it saw in its state. Attention carries nothing: it hears the last few nodes, and how many is the radius of its graph.
Below n the answer cannot be heard, and the model can only say what is more frequent; from n on it is right. Layers hear further:
two layers of radius 2 reach back by 4. Sequences are of different lengths, and none is padded.

Picture: n_back.png, accuracy against the radius, and whom the nodes of one sequence hear.

    python examples/n_back.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

from graphattn import Window
from graphattn.data.generated import n_back
from graphattn.explain.attention import attention_maps
from graphattn.explain.attention_drawing import draw_heat_map
from graphattn.models import EachNode, Encoder, Recurrent, TokenEmbedding, relative, sinusoids
from graphattn.training.fitting import evaluate, fit
from graphattn.training.recipe import Recipe

N, SYMBOLS, RADII = 3, 4, range(7)
# Written before the runs: accuracies per position on sequences not trained on.
BOUNDS = {"recurrent": "> 0.99", "least from n on": "> 0.99", "most below n, above chance": "<= 0.05"}


def attention(radius: int, layers: int) -> Encoder:
    """Each node hears itself and the `radius` nodes before."""
    where = sinusoids()._replace(edge_bias=relative(max(RADII)).edge_bias)
    graph = partial(Window, radius=radius, causal=True)
    return Encoder(TokenEmbedding(SYMBOLS, 32), 2, 4, layers, positional=where, graph=graph, readout=EachNode)


def recurrent() -> Recurrent:
    """Each node hears the state of the one before."""
    return Recurrent(TokenEmbedding(SYMBOLS, 32), outputs=2)


def trained(make: Callable[[], nn.Module], sizes: tuple[int, int], seed: int) -> tuple[nn.Module, float]:
    """A model, and its accuracy on sequences that it has not seen; the epoch is chosen on others."""
    torch.manual_seed(seed)
    model = make()
    train, validation, test = (
        n_back(count, N, SYMBOLS, seed=part) for part, count in enumerate([sizes[0], *2 * sizes[1:]])
    )
    recipe = Recipe(epochs=2 if sizes[0] < 1000 else 20, batch_size=64, patience=8, seed=seed)
    fit(model, train, validation, recipe)
    return model, evaluate(model, test)["accuracy"]


def draw(
    path: Path, accuracy: list[float], others: dict[str, tuple[float, str]], heard: torch.Tensor, text: str
) -> None:
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    curve, who = figure.subplots(1, 2, width_ratios=(1.3, 1))
    curve.plot(RADII, accuracy, "o-", label="attention, one layer")
    for (name, (value, style)), colour in zip(others.items(), ("tab:green", "tab:purple", "0.5"), strict=True):
        curve.axhline(value, color=colour, linestyle=style, label=name)
    curve.axvline(N, color="0.8", zorder=0)
    curve.set(xlabel="radius: how many nodes before are heard", ylabel="accuracy for each node", ylim=(0.7, 1.02))
    curve.set_title(f"is this what was shown {N} steps ago?")
    curve.legend(fontsize=8, loc="center right")
    image = draw_heat_map(heard, who, list(text), most=1.0)
    who.set_title(f"who hears whom, radius {N}: one head")
    figure.colorbar(image, ax=who, label="attention")
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a few steps, to see that all runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    sizes = (200, 50) if arguments.fast else (3000, 500)
    test = n_back(sizes[1], N, SYMBOLS, seed=2)
    yes = torch.cat([data.y for data in test]).double().mean().item()
    chance = max(yes, 1 - yes)
    # ------------------------------------------------------------------------------------------------ the idea
    _, carried = trained(recurrent, sizes, arguments.seed)
    models = {radius: trained(partial(attention, radius, layers=1), sizes, arguments.seed) for radius in RADII}
    _, two_layers = trained(partial(attention, N - 1, layers=2), sizes, arguments.seed)
    # ---------------------------------------------------------------------------------------------------------
    accuracy = [models[radius][1] for radius in RADII]
    print(f"always the more frequent answer: {chance:.2%}; recurrent network: {carried:.2%}")
    for radius, value in zip(RADII, accuracy, strict=True):
        print(f"attention on a window of radius {radius}: {value:7.2%}{'  <- n' if radius == N else ''}")
    print(f"two layers on a window of radius {N - 1}: {two_layers:.2%}")
    figures = {
        "recurrent": carried,
        "least from n on": min(accuracy[N:]),
        "most below n, above chance": max(accuracy[:N]) - chance,
    }
    reached = [figures["recurrent"] > 0.99, figures["least from n on"] > 0.99, max(accuracy[:N]) - chance <= 0.05]
    for (name, value), met in zip(figures.items(), reached, strict=True):
        print(f"{name}: {value:.4f}, bound {BOUNDS[name]}: {'reached' if met else 'not reached'}")

    shown = next(data for data in test if 14 <= data.num_nodes <= 20)
    heads = attention_maps(models[N][0], shown)[0].matrix()
    far = heads.diagonal(-N, 1, 2).mean(1).argmax()
    path = arguments.out / "n_back.png"
    others = {"recurrent network": (carried, "--"), f"two layers of radius {N - 1}": (two_layers, "-.")}
    others["the more frequent answer"] = (chance, ":")
    draw(path, accuracy, others, heads[far], "".join("ABCD"[token] for token in shown.token))
    print(f"drawn: {path}")
    result = {"example": "n_back", "seed": arguments.seed, **figures, "two layers of radius n - 1": two_layers}
    print("RESULT", json.dumps({**result, "chance": chance, "bounds": BOUNDS, "reached": all(reached)}))


if __name__ == "__main__":
    main()
