"""Which of many bits decide? Attention finds them where an MLP, given the same data, does not.

Papers: Edelman et al. 2022 ("Inductive Biases and Variable Creation in Self-Attention Mechanisms": sparse functions need few data),
Vaswani et al. 2017.

Two functions of bits, both balanced by how often a bit is 1. "AND": three bits decide. "Two rules": a query says which of two
pairs of bits must both be 1. Each in two regimes, with the same number of data: sparse, where most bits are idle, and dense, where
half of them or more decide. A bit is a node; attention has one layer, in which a hub (AND) or the node of the query (two rules)
hears all bits. The MLP takes all bits at once, and the best by validation of three weight decays. Nobody says which bits decide.

Bounds: in the sparse regime attention is at least 99 % right and the MLP at least 5 points worse, in the dense regime the MLP comes
nearer; and the bits that decide get at least 5 times the attention that equal shares would give them (the query's own node, which
the model knows without hearing it, does not count).

Picture: sparse_boolean.png, the accuracies, and who is heard as graphs; bits that decide are orange.

    python examples/sparse_boolean.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.data.generated import sparse_and, two_rules
from graphattn.explain.attention import attention_maps
from graphattn.explain.attention_drawing import draw_graph
from graphattn.models import Encoder, FirstNode, Hub, TokenEmbedding, learned
from graphattn.training.graph_recipe import GraphRecipe
from graphattn.training.graphs import evaluate, fit_graphs

RIGHT, WORSE, TIMES_UNIFORM = 0.99, 0.05, 5.0
BITS = {"AND": {"sparse": 100, "dense": 6}, "two rules": {"sparse": 30, "dense": 6}}
COUNT = {"AND": 200, "two rules": 400}


class Perceptron(nn.Module):
    """An MLP on all bits of a graph side by side."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        layers = nn.Linear(nodes, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
        self.nodes, self.network = nodes, nn.Sequential(*layers)

    def forward(self, data: Data) -> Tensor:
        return self.network(2.0 * (data.token % 2).view(-1, self.nodes) - 1)


# ---------------------------------------------------------------------------------------------------- the idea
def attention(function: str, nodes: int) -> Encoder:
    """One layer of attention: a hub hears the bits, or all nodes do and that of the query is read."""
    hub = function == "AND"
    tokens, readout = TokenEmbedding(4, channels=32), Hub if hub else FirstNode
    return Encoder(tokens, 2, heads=1, layers=0 if hub else 1, positional=learned(nodes), readout=readout)


def heard(model: Encoder, graphs: list[Data]) -> Tensor:
    """How much the hub or the query hears of each node, ``[graphs, nodes]``."""
    return torch.stack([attention_maps(model, data)[-1].matrix()[:, 0].mean(0) for data in graphs])


def times_uniform(weights: Tensor, graphs: list[Data]) -> float:
    """The attention on bits that decide, over what equal shares would give them."""
    decide = torch.stack([data.true_input & (data.token < 2) for data in graphs])
    return float((weights * decide).sum() / decide.sum() * decide.size(1))


# ------------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """What came of one function in one regime."""

    validation: dict[str, float]
    test: dict[str, float]
    share: float
    weights: Tensor
    asked: list[Data]


def compare(function: str, bits: int, seed: int, fast: bool) -> Found:
    """Attention and MLP on the same data."""
    make = partial(sparse_and if function == "AND" else two_rules, bits=bits)
    train, validation, test = (
        make(count, seed=3 * seed + part) for part, count in enumerate((COUNT[function], 1000, 2000))
    )
    models, epochs, scores, tests = {}, 2 if fast else 15, {}, {}
    for name, decays in {"attention": (0.01,), "MLP": (0.01, 0.1, 1.0)}.items():
        for decay in decays:
            torch.manual_seed(seed)
            nodes = train[0].num_nodes
            model = attention(function, nodes) if name == "attention" else Perceptron(nodes)
            recipe = GraphRecipe(epochs, batch_size=50, passes=4, weight_decay=decay, patience=epochs, seed=seed)
            curves = fit_graphs(model, train, validation, recipe)
            score = curves.epochs[curves.kept]["val_accuracy"]
            if score > scores.get(name, -1.0):
                scores[name], models[name] = score, model
        tests[name] = evaluate(models[name], test)["accuracy"]
    asked = validation[:200]
    weights = heard(models["attention"], asked)
    assert torch.allclose(weights.sum(1), torch.ones(len(asked)), atol=1e-5)
    return Found(scores, tests, times_uniform(weights, asked), weights, asked)


def draw_heard(axes: Axes, weights: Tensor, decide: Tensor, hub: bool, title: str) -> None:
    """Bits on a circle around who hears them: a hub, or the node of the query, number 0."""
    weights, decide = (weights, decide) if hub else (weights[1:], decide[1:])
    turn = 2 * torch.pi * torch.arange(len(weights)) / len(weights)
    pos = torch.cat([torch.zeros(1, 2), torch.stack([turn.sin(), turn.cos()], dim=1)])
    matrix = torch.zeros(len(pos), len(pos))
    matrix[0, 1:] = weights
    draw_graph(matrix, axes, pos, least=0.005, colours=["#26364a", *("#e0852c" if d else "white" for d in decide)])
    axes.set_title(title, fontsize=10)


def draw(path: Path, found: dict[tuple[str, str], Found]) -> None:
    figure = Figure(figsize=(14, 3.8), layout="constrained")
    bars, *graphs = figure.subplots(1, 4, width_ratios=(1.2, 1, 1, 1))
    for shift, name in ((-0.2, "attention"), (0.2, "MLP")):
        places = [number + shift for number in range(len(found))]
        heights = [100 * each.validation[name] for each in found.values()]
        bars.bar_label(bars.bar(places, heights, 0.38, label=name), fmt="%.0f", fontsize=8)
    bars.set_xticks(range(len(found)), [f"{function}\n{regime}" for function, regime in found])
    bars.set(ylim=(40, 119), ylabel="validation accuracy, %", title="the same data for both")
    bars.legend(fontsize=8, ncols=2)
    (rule, rules), queries = (found[function, "sparse"] for function in BITS), ("first", "second")
    draw_heard(graphs[0], rule.weights.mean(0), rule.asked[0].true_input, True, "AND: what the hub hears")
    for number, axes in enumerate(graphs[1:]):
        rows = [row for row, data in enumerate(rules.asked) if int(data.token[0]) == number + 2]
        title = f"two rules: what the query hears\nwhen it asks for the {queries[number]}"
        draw_heard(axes, rules.weights[rows].mean(0), rules.asked[rows[0]].true_input, False, title)
    figure.savefig(path, dpi=80)
    Image.open(path).quantize(128).save(path, optimize=True)  # few colours, a small file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="two epochs, to see that all runs")
    parser.add_argument("--seed", type=int, default=0, help="of data and weights")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments, started, result = parser.parse_args(), time.perf_counter(), {}
    keys = [(function, regime) for function in BITS for regime in BITS[function]]
    found = {key: compare(key[0], BITS[key[0]][key[1]], arguments.seed, arguments.fast) for key in keys}
    for (function, regime), each in found.items():
        decide = int((each.asked[0].true_input & (each.asked[0].token < 2)).sum()) * (2 if function != "AND" else 1)
        line = f"{function:9} {regime:6} {decide} of {BITS[function][regime]:3} bits decide, {COUNT[function]} data: "
        line += ", ".join(f"{n} {each.validation[n]:.3f} (test {each.test[n]:.3f})" for n in each.validation)
        print(f"{line}; attention on bits that decide {each.share:.1f} x uniform")
        result[f"{function} {regime}"] = {**each.validation, "times_uniform": each.share}
    reached = True
    for function in BITS:
        sparse, dense = found[function, "sparse"], found[function, "dense"]
        gaps = [each.validation["attention"] - each.validation["MLP"] for each in (sparse, dense)]
        seen = (sparse.validation["attention"], *gaps, sparse.share)
        fine = seen[0] >= RIGHT and gaps[0] >= WORSE and gaps[1] < gaps[0] and sparse.share >= TIMES_UNIFORM
        reached = reached and fine
        print(
            f"{function}: attention {seen[0]:.3f} (bound {RIGHT}), ahead by {gaps[0]:.3f} (bound {WORSE}), in the dense",
            end=" ",
        )
        print(
            f"regime by {gaps[1]:.3f} (less), share {seen[3]:.1f} (bound {TIMES_UNIFORM}):",
            "reached" if fine else "not reached",
        )
    path = arguments.out / "sparse_boolean.png"
    draw(path, found)
    print(f"{time.perf_counter() - started:.0f} s; drawn: {path}")
    print("RESULT", json.dumps({"example": "sparse_boolean", "seed": arguments.seed, "reached": reached, **result}))


if __name__ == "__main__":
    main()
