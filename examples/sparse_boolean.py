"""Which of many bits decide? Attention finds them where an MLP, given the same data, does not.

Papers: Edelman et al. 2022 ("Inductive Biases and Variable Creation in Self-Attention Mechanisms"), Vaswani et al. 2017.

Two functions of bits, both balanced by how often a bit is 1. "AND": three bits decide. "Two rules": a query says which of two
pairs of bits must both be 1. Each in two regimes, with the same number of data: sparse, where most bits are idle, and dense,
where half or more decide. A bit is a node; attention is one layer, in which a hub (AND) or the node of the query (two rules)
hears all bits. The MLP takes all bits at once, and the best by validation of four recipes. Nobody says which bits decide.

Bounds: in the sparse regime attention is at least 99 % right and the MLP at least 5 points worse, in the dense regime the MLP is
nearer; the bits that decide get at least 5 times the attention of equal shares (the query itself does not count).
Picture: sparse_boolean.png, the accuracies, and who is heard as graphs; bits that decide are orange.

    python examples/sparse_boolean.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from collections import namedtuple
from functools import partial
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.data.generated import sparse_and, two_rules
from graphattn.explain.attention import attention_maps
from graphattn.explain.attention_drawing import draw_star
from graphattn.models import Encoder, FirstNode, Hub, TokenEmbedding, learned
from graphattn.training.fitting import evaluate, fit
from graphattn.training.recipe import Recipe

RIGHT, WORSE, TIMES_UNIFORM = 0.99, 0.05, 5.0
BOUNDS = {"sparse attention": ">= 0.99", "sparse lead": ">= 0.05", "lead over dense": ">= 0", "times uniform": ">= 5"}
COUNT, DECIDE, BITS = {"AND": 200, "two rules": 400}, {"AND": 3, "two rules": 4}, {"sparse": 100, "dense": 6}
RECIPES = [("attention", 3e-3, 0.01), *(("MLP", rate, decay) for rate in (3e-3, 3e-4) for decay in (0.01, 1.0))]


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


def heard(model: nn.Module, graphs: list[Data]) -> Tensor:
    """How much the hub or the query hears of each node, ``[graphs, nodes]``."""
    return torch.stack([attention_maps(model, data)[-1].matrix()[:, 0].mean(0) for data in graphs])


def times_uniform(weights: Tensor, graphs: list[Data]) -> float:
    """The attention on bits that decide, over what equal shares would give them."""
    decide = torch.stack([data.true_input & (data.token < 2) for data in graphs])
    return float((weights * decide).sum() / decide.sum() * decide.size(1))


# ------------------------------------------------------------------------------------------------------------
Found = namedtuple("Found", "validation test weights asked")  # accuracies by model, what is heard in which graphs


def compare(function: str, bits: int, seed: int, fast: bool) -> Found:
    """Attention and MLP on the same data."""
    make = partial(sparse_and if function == "AND" else two_rules, bits=bits)
    epochs, counts = (2, (100, 100)) if fast else (15, (1000, 2000))
    sizes = (COUNT[function], *counts)
    train, validation, test = (make(count, seed=3 * seed + part) for part, count in enumerate(sizes))
    models, scores, nodes = {}, {"attention": -1.0, "MLP": -1.0}, train[0].num_nodes
    for name, rate, decay in RECIPES:
        torch.manual_seed(seed)
        model = attention(function, nodes) if name == "attention" else Perceptron(nodes)
        recipe = Recipe(epochs, 50, rate, decay, passes=4, patience=epochs, seed=seed)
        curves = fit(model, train, validation, recipe)
        score = curves.epochs[curves.kept]["val_accuracy"]
        if score > scores[name]:
            scores[name], models[name] = score, model
    tested = {name: evaluate(model, test)["accuracy"] for name, model in models.items()}
    weights = heard(models["attention"], validation[:200])
    assert torch.allclose(weights.sum(1), torch.ones(len(weights)), atol=1e-5)
    return Found(scores, tested, weights, validation[:200])


def draw(path: Path, found: dict[tuple[str, str], Found]) -> None:
    figure = Figure(figsize=(14, 3.8), layout="constrained")
    bars, *graphs = figure.subplots(1, 4, width_ratios=(1.2, 1, 1, 1))
    for shift, name in ((-0.2, "attention"), (0.2, "MLP")):
        places = [number + shift for number in range(len(found))]
        heights = [100 * each.validation[name] for each in found.values()]
        bars.bar_label(bars.bar(places, heights, 0.38, label=name), fmt="%.0f", fontsize=8)
    bars.set_xticks(range(len(found)), [f"{function}\n{regime}" for function, regime in found])
    bars.set(ylim=(40, 119), yticks=range(40, 101, 10), ylabel="validation accuracy, %", title="the same data for both")
    bars.legend(fontsize=8, ncols=2)
    rule, rules = found["AND", "sparse"], found["two rules", "sparse"]
    draw_star(rule.weights.mean(0), graphs[0], rule.asked[0].true_input)
    graphs[0].set_title("AND: what the hub hears")
    for query, axes in enumerate(graphs[1:]):
        rows = [row for row, data in enumerate(rules.asked) if int(data.token[0]) == query + 2]
        # All but the query itself, which hears them.
        draw_star(rules.weights[rows].mean(0)[1:], axes, rules.asked[rows[0]].true_input[1:])
        axes.set_title(f"two rules: what the query\nhears when it is {query}")
    figure.savefig(path, dpi=80)
    print(f"drawn: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="two epochs and fewer graphs, to see that all runs")
    parser.add_argument("--seed", type=int, default=0, help="of data and weights")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    reached, scores = True, {}
    found = {(f, r): compare(f, BITS[r], arguments.seed, arguments.fast) for f in COUNT for r in BITS}
    for function, count in COUNT.items():
        leads, sparse = [], found[function, "sparse"]
        print(f"{function}, {count} data: validation (test)")
        for regime, bits in BITS.items():
            validation, test, *_ = found[function, regime]
            table = "".join(f"{name:>11} {validation[name]:.3f} ({test[name]:.3f})" for name in test)
            print(f"  {regime:6} {DECIDE[function]} of {bits:3} bits decide{table}")
            leads.append(validation["attention"] - validation["MLP"])
            scores |= {f"{function} {regime} {name}": score for name, score in validation.items()}
        right, share = sparse.validation["attention"], times_uniform(sparse.weights, sparse.asked)
        fine = right >= RIGHT and leads[0] >= max(WORSE, leads[1]) and share >= TIMES_UNIFORM
        print(f"  attention right {right:.3f} (bound {RIGHT}), ahead {leads[0]:.3f} (bounds {WORSE}, {leads[1]:.3f})")
        verdict = "reached" if fine else "not reached"
        print(f"  bits that decide heard {share:.1f} x uniform (bound {TIMES_UNIFORM}): {verdict}")
        figures = {"sparse lead": leads[0], "lead over dense": leads[0] - leads[1], "times uniform": share}
        scores, reached = scores | {f"{function} {name}": each for name, each in figures.items()}, reached and fine
    draw(arguments.out / "sparse_boolean.png", found)
    bounds = {f"{function} {name}": bound for function in COUNT for name, bound in BOUNDS.items()}
    result = {"example": "sparse_boolean", "seed": arguments.seed, **scores, "bounds": bounds, "reached": reached}
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main()
