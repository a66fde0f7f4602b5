"""A GPT is a finite-state machine that learns another one: next tokens of a Markov chain.

Papers: Markov 1913 (letters of "Eugene Onegin" as a chain), Shannon 1948 (section 3, series of approximations to English),
Radford et al. 2018 (GPT), Karpathy 2023 ("GPT as a finite-state Markov chain").

In a Markov chain the next state depends on the present one alone. A GPT hears all states so far, on a causal graph, and is asked
for the next. What it says behind a state, as a mean over many walks, is its transition table; it is laid beside the true one, and
beside the table of counts, which is the best that anyone can do who knows that it is a chain. It also has to learn what not to
hear: how much its answer varies with the walk that led to a state is measured, too, and where its own walks end up.

Total variation: half the sum of absolute differences of two distributions; given is that of the worst row.

Picture: finite_state_gpt.png, both tables and the machine that was learned.

    python examples/finite_state_gpt.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
import math
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch_geometric.data import Batch

from graphattn.data.generated import chains, transition_matrix
from graphattn.explain.attention_drawing import draw_graph, draw_heat_map
from graphattn.models import Decoder, Sample, TokenEmbedding, generate
from graphattn.training.fitting import fit
from graphattn.training.recipe import Recipe

STATES = 5
# Written before the runs.
BOUNDS = {"total variation": "< 0.02"}


def variation(found: torch.Tensor, true: torch.Tensor) -> float:
    """The total variation of the row that differs most."""
    return 0.5 * float((found - true).abs().sum(1).max())


def counted(states: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """The table of how often each state followed each."""
    counts = torch.zeros(STATES, STATES, dtype=torch.float64)
    counts.index_put_((states, following), torch.ones(len(states), dtype=torch.float64), accumulate=True)
    return counts / counts.sum(1, keepdim=True)


@torch.no_grad()
def learned(model: Decoder, batch: Batch) -> tuple[torch.Tensor, float]:
    """The transition table of a model, and how far its answers are from it, as the mean over all that it was asked."""
    said = model(batch).double().softmax(-1)
    rows = [said[batch.token == state].mean(0) for state in range(STATES)]
    table = torch.stack(rows)
    return table, 0.5 * float((said - table[batch.token]).abs().sum(1).mean())


def draw(path: Path, true: torch.Tensor, table: torch.Tensor) -> None:
    names = list("ABCDE")
    figure = Figure(figsize=(11, 3.7), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, matrix, title in zip(axes, (true, table), ("the chain", "what the GPT learned"), strict=False):
        image = draw_heat_map(matrix, axis, names, names, most=float(true.max()))
        for row in range(STATES):
            for column in range(STATES):
                value = float(matrix[row, column])
                shade = "white" if value > 0.55 * float(true.max()) else "black"
                axis.text(column, row, f"{value:.3f}", ha="center", va="center", color=shade, fontsize=9)
        axis.set(title=title, xlabel="next state", ylabel="state")
    figure.colorbar(image, ax=axes[:2], label="probability", shrink=0.8)
    draw_graph(table.T, axes[2], labels=names, least=0.1)  # the next state hears the present one
    axes[2].set_title("steps to another state,\n10 % or more")
    figure.savefig(path, dpi=85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="few walks, to see that all runs")
    parser.add_argument("--seed", type=int, default=0, help="of the chain, its walks and the model")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    true, walks = transition_matrix(STATES, arguments.seed), 100 if arguments.fast else 5000
    train, validation, test = (
        chains(true, count, length=48, seed=3 * arguments.seed + part)
        for part, count in enumerate((walks, walks // 10, walks // 10))
    )
    torch.manual_seed(arguments.seed)
    # ------------------------------------------------------------------------------------------------ the idea
    model = Decoder(TokenEmbedding(STATES, channels=32), heads=2, layers=2)
    recipe = Recipe(epochs=2 if arguments.fast else 6, batch_size=32, patience=3, seed=arguments.seed)
    curves = fit(model, train, validation, recipe, measures={})
    table, varies = learned(model, Batch.from_data_list(test))
    # ---------------------------------------------------------------------------------------------------------
    seen = Batch.from_data_list(train)
    from_counts = variation(counted(seen.token, seen.y), true)
    stationary = torch.linalg.matrix_power(true, 1000)[0]
    entropy = -float((stationary.unsqueeze(1) * true * true.log()).sum())
    print(f"nats for a state: {curves.epochs[curves.kept]['val_loss']:.4f}, entropy {entropy:.4f}")
    off = variation(table, true)
    met = off < 0.02
    print(f"total variation of the worst row, the GPT's table: {off:.4f}, bound {BOUNDS['total variation']}: ", end="")
    print("reached" if met else "not reached", f"(a table of counts: {from_counts:.4f})")
    print(f"what it says behind a state varies with the walk before by {varies:.4f}")

    starts = [torch.tensor([number % STATES]) for number in range(20 if arguments.fast else 500)]
    own = torch.stack(generate(model, starts, 24 if arguments.fast else 64, Sample(seed=arguments.seed)))
    ends = torch.stack([(own[:, 16:] == state).double().mean() for state in range(STATES)])
    strayed = variation(ends.unsqueeze(0), stationary.unsqueeze(0))
    print(f"states in its own walks, total variation from the stationary distribution: {strayed:.4f}")
    assert math.isclose(float(table.sum()), STATES, rel_tol=1e-9)
    assert torch.allclose(stationary @ true, stationary)

    path = arguments.out / "finite_state_gpt.png"
    draw(path, true, table)
    print(f"drawn: {path}")
    figures = {"total variation": off, "of counts": from_counts, "varies with the walk": varies, "own walks": strayed}
    result = {"example": "finite_state_gpt", "seed": arguments.seed, **figures, "bounds": BOUNDS, "reached": met}
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main()
