"""Permutation and position: a transformer cannot tell the order of its nodes, until it is told.

Papers: Vaswani et al. 2017 (sinusoids), Shaw et al. 2018 (relative positions), Su et al. 2021 (rotary), Dosovitskiy et al. 2021
(ViT), Cohen & Welling 2016 (equivariance), LeCun et al. 1989 (convolutions).

First, sequences. A map f is permutation-equivariant if to shuffle its input is to shuffle its output: f(P x) = P f(x). A graph
layer is, where the graph is shuffled along; a full graph has nothing to shuffle. Each way to tell places breaks this.
Second, digits that are shifted in a circle, T x. A convolution on a grid whose borders touch has f(T x) = T f(x), trained or not:
the graph looks the same from every node. Zeros around the image break that at the border. A ViT without places has it for whole
patches, as a shift is one of the permutations. A ViT that is told places has it the less the more it has learned of them.

Errors are |f(T x) - T f(x)| / |f(x)| of the states of nodes (of a CNN: of its first stage) in float64, on digits for the test.
Picture: permutation_and_position.png.

    python examples/permutation_and_position.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from copy import deepcopy
from pathlib import Path

import torch
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch_geometric.data import Batch

from graphattn import models
from graphattn.data.generated import digit_images, shifted
from graphattn.data.images import patches
from graphattn.data.sequences import sequence
from graphattn.models import NOWHERE
from graphattn.training.fitting import evaluate, fit
from graphattn.training.recipe import Recipe

ZERO, BROKEN = 1e-12, 1e-6  # bounds: at most the first where equivariance is exact, at least the second where it is not
LEAST, LENGTH, VOCABULARY, CHANNELS, PATCH = 1e-17, 12, 20, 32, 2  # the least is drawn where the error is zero
TELLING = {
    "no positions": NOWHERE,
    "sinusoidal": models.sinusoids(),
    "learned": models.learned(LENGTH),
    "rotary": models.rotary(),
    "relative": models.relative(LENGTH),
}


# ---------------------------------------------------------------------------------------------------- the idea
@torch.no_grad()
def permutation_errors(positional: models.Positional, shuffles: int) -> Tensor:
    """Of an encoder with random weights, for some random orders of a random sequence."""
    embedding = models.TokenEmbedding(VOCABULARY, CHANNELS)
    model = models.Encoder(embedding, outputs=CHANNELS, positional=positional, readout=models.EachNode).double().eval()
    tokens, orders = torch.randint(VOCABULARY, (LENGTH,)), [torch.randperm(LENGTH) for _ in range(shuffles)]
    said = model(sequence(tokens))
    return torch.stack([(model(sequence(tokens[order])) - said[order]).norm() / said.norm() for order in orders])


@torch.no_grad()
def shift_error(model: nn.Module, size: int, images: Tensor, step: int) -> float:
    """Of the states of all nodes, patches of `size`, where images are moved `step` pixels to the right."""
    model, side = deepcopy(model).double(), images.size(-1) // size

    def states(images: Tensor) -> Tensor:
        of_nodes = model.states(Batch.from_data_list(patches(images.double(), size)))
        return of_nodes.view(len(images), side, side, -1).movedim(-1, 1)

    still = states(images)
    return float((states(shifted(images, 0, step)) - shifted(still, 0, step // size)).norm() / still.norm())


# -------------------------------------------------------------------------------------------------------------
def networks() -> dict[str, tuple[nn.Module, int]]:
    """Those that see digits, and the size of their patches."""
    told, untold = (models.ViT(PATCH**2, 10, CHANNELS, positional=where) for where in (models.learned(16), NOWHERE))
    torus, padded = (models.ConvNet((8, 8), 1, 10, widths=(16, 32), wrap=wrap) for wrap in (True, False))
    vits = {"ViT, places learned": (told, PATCH), "ViT, no places": (untold, PATCH)}
    return vits | {"CNN, borders touch": (torus, 1), "CNN, zeros around": (padded, 1)}


def train(fast: bool, seed: int) -> tuple[dict[str, dict[str, list[float]]], dict[str, list[float]]]:
    """By network, the errors at each shift before and after training, and the accuracy on shifted digits."""
    images, y = (values[: 200 if fast else None] for values in digit_images())
    seen, test = train_test_split(range(len(y)), test_size=0.2, stratify=y, random_state=seed)
    errors, accuracies = {}, {}
    for name, (model, size) in networks().items():
        steps = range(size, 8, size)
        before = [shift_error(model, size, images[test], step) for step in steps]
        recipe = Recipe(epochs=1 if fast else 25 if size > 1 else 12, seed=seed)
        fit(model, patches(images[seen], size, y=y[seen].tolist()), None, recipe)
        errors[name] = {"before": before, "after": [shift_error(model, size, images[test], step) for step in steps]}
        moved = [patches(shifted(images[test], 0, step), size, y=y[test].tolist()) for step in range(8)]
        accuracies[name] = [evaluate(model, graphs)["accuracy"] for graphs in moved]
    return errors, accuracies


def draw(path: Path, permuted: dict[str, Tensor], errors: dict[str, dict], accuracies: dict[str, list[float]]) -> None:
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    orders, shifts, moved = figure.subplots(1, 3, width_ratios=(1, 1.2, 1.2))
    for row, values in enumerate(permuted.values()):
        orders.scatter(values.clamp(min=LEAST), [row] * len(values), s=18, color="C0", alpha=0.6, linewidths=0)
    orders.set_yticks(range(len(permuted)), permuted)
    orders.set_title("sequences in another order")
    orders.set(xscale="log", xlim=(LEAST / 10, 10), ylim=(4.5, -0.5), xlabel="error of equivariance")
    for number, (name, error) in enumerate(errors.items()):
        colour, step = f"C{number}", 8 // (len(error["after"]) + 1)
        for when, style in (("before", ":"), ("after", "-")):
            shifts.plot(range(step, 8, step), [max(x, LEAST) for x in error[when]], style, color=colour, marker=".")
        moved.plot(range(8), [100 * value for value in accuracies[name]], color=colour, marker=".", label=name)
    shifts.set(yscale="log", ylim=(LEAST / 10, 10), xlabel="pixels to the right", ylabel="error of equivariance")
    shifts.set_yticks([LEAST, 1e-12, 1e-8, 1e-4, 1], ["0", "$10^{-12}$", "$10^{-8}$", "$10^{-4}$", "1"])
    shifts.set_title("shifted digits: states (dots: before training)")
    moved.set(xlabel="pixels to the right", ylabel="%", title="shifted digits: accuracy", ylim=(0, 102))
    figure.legend(*moved.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    figure.savefig(path, dpi=90)
    print(f"drawn: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="few images, one epoch, to see that all runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    permuted = {name: permutation_errors(positional, 5 if given.fast else 20) for name, positional in TELLING.items()}
    for name, values in permuted.items():
        print(f"another order, {name:13} error {values.min():.1e} to {values.max():.1e}")
        assert values.max() <= ZERO if name == "no positions" else values.min() >= BROKEN
    errors, accuracies = train(given.fast, given.seed)
    most = {name: {when: max(values) for when, values in error.items()} for name, error in errors.items()}
    for name, error in most.items():
        accuracy = f"accuracy {accuracies[name][0]:.1%}, shifted at worst {min(accuracies[name]):.1%}"
        print(f"shifted, {name:20} {error['before']:.1e} before training, {error['after']:.1e} after; {accuracy}")
    result = {f"{name}, another order": float(values.max()) for name, values in permuted.items()}
    result |= {f"{name}, {when} training": value for name, error in most.items() for when, value in error.items()}
    exactly = [name for name in result if name.startswith(("no positions", "ViT, no places", "CNN, borders touch"))]
    assert all(result[name] <= ZERO for name in exactly), "what the graph keeps, training keeps"
    print(f"reached: at most {ZERO} without places and on a torus, trained or not; at least {BROKEN} elsewhere")
    bounds = dict.fromkeys(result, f">= {BROKEN:.0e}") | dict.fromkeys(exactly, f"<= {ZERO:.0e}")
    first, last = most["ViT, places learned"].values()
    result[name := "ViT, places learned, after over before"], bounds[name] = last / first, "> 1"
    reached = "reached" if last > first else "not reached"
    print(f"{reached}: training takes the ViT that is told places further away, {first:.3f} to {last:.3f}")
    draw(given.out / "permutation_and_position.png", permuted, errors, accuracies)
    print("RESULT", json.dumps({"example": "permutation_and_position", "seed": given.seed, **result, "bounds": bounds}))


if __name__ == "__main__":
    main()
