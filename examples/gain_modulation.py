"""Attention as neuroscience describes it: two gains decide which of many responses is heard.

Papers: Reynolds & Heeger 2009 ("The Normalization Model of Attention"), McAdams & Maunsell 1999 (gain modulation), Vaswani et al.
2017 (the same softmax).

Units stand on a line at x and respond to two stimuli, q1 at the left and q2 at the right. Gains z1 and z2 turn the stimuli up and
down, the softmax divides by what all units respond, and what is heard is one place on the line:

    w = softmax(z1 q1 + z2 q2)        y = w . x

In the layer a unit's key is (q1, q2), its value x, and each head is a pair of gains: a grid of 81 x 81 pairs is one call. Three
things are known of y: without gains it is the mean of x; a high gain leaves the unit that responds most; and what a gain changes
is a covariance, dy/dz1 = cov_w(q1, x).

Picture: gain_modulation.png, the responses, the weights of four pairs of gains, y over z1 for some z2, and y over both.

    python examples/gain_modulation.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from graphattn import Attend, GraphLayer, Heads, Replace, SoftmaxSum
from graphattn.score import Gain
from graphattn.topology import Star

BOUND = 1e-10  # of layer and formula in float64, for each of y, its value without gains, and its derivative
HIGHEST = 12.0


class Columns(nn.Module):
    """A map that picks some channels of a node."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.numbers = list(numbers)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.numbers]


def responses(units: int, seed: int) -> Tensor:
    """What each unit responds to the two stimuli, and where it stands, ``[N, 3]``: bumps, and some noise of the seed."""
    x = torch.linspace(-2, 2, units, dtype=torch.float64)
    noise = 0.02 * torch.randn(2, units, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    left, right = (torch.exp(-2 * (x - middle) ** 2) for middle in (-1.0, 1.0))
    return torch.stack([left + noise[0], right + noise[1], x], dim=1)


def gain_attention(gains: Tensor) -> GraphLayer:
    """A head for each pair of gains ``[H, 2]``; nothing is learned but them."""
    heads = len(gains)
    # ------------------------------------------------------------------------------------------------ the idea
    message = Attend(3, Heads(heads, channels=2, shared=1, value_channels=1), Gain(heads, channels=2))
    message.set_maps(query=nn.Identity(), key=Columns(0, 1), value=Columns(2))
    layer = GraphLayer(message, SoftmaxSum(), Replace(), name="GainAttention")
    # ---------------------------------------------------------------------------------------------------------
    message.score.gain.data = gains
    return layer


def hear(layer: GraphLayer, units: Tensor) -> Tensor:
    """What a hub hears of all units in each head ``[H]``: its query is 1, the gains do the rest."""
    asked = units.new_ones(1, layer.message_function.score.gain.numel())
    return layer((units, asked), Star([len(units)])).flatten()


def differences(layer: GraphLayer, units: Tensor) -> dict[str, float]:
    """Of the layer and what is known of y."""
    gain = layer.message_function.score.gain
    q, x = units[:, :2], units[:, 2]
    y = hear(layer, units)
    (slope,) = torch.autograd.grad(y.sum(), gain)
    with torch.no_grad():
        w = (gain @ q.T).softmax(1)
        covariance = (w * x) @ q - (w @ x)[:, None] * (w @ q)
        without = hear(gain_attention(torch.zeros(1, 2, dtype=x.dtype)), units) - x.mean()
        return {
            "formula": float((y - w @ x).abs().max()),
            "mean": float(without.abs().max()),
            "slope": float((slope - covariance).abs().max()),
        }


def draw(path: Path, units: Tensor, grid: Tensor, y: Tensor) -> None:
    figure = Figure(figsize=(14, 3.5), layout="constrained")
    bumps, weights, curves, both = figure.subplots(1, 4)
    x = units[:, 2]
    for number, colour in ((0, "C0"), (1, "C1")):
        bumps.plot(x, units[:, number], color=colour, label=f"q{number + 1}")
    bumps.set(title="what units respond", xlabel="where a unit stands, x", ylabel="response")
    pairs = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0], [6.0, 6.0]], dtype=x.dtype)
    layer = gain_attention(pairs)
    with torch.no_grad():
        alpha = layer.attention((units, x.new_ones(1, pairs.numel())), Star([len(x)]))
        heard = hear(layer, units)
    for number, (z1, z2) in enumerate(pairs.tolist()):
        weights.plot(x, alpha[:, number], color=f"C{number + 2}", label=f"z1 = {z1:.0f}, z2 = {z2:.0f}")
        weights.axvline(float(heard[number]), color=f"C{number + 2}", linestyle=":", linewidth=1)
    weights.set(title="attention (dotted: y)", xlabel="where a unit stands, x", ylabel="weight w")
    chosen = torch.linspace(0, len(grid) - 1, 5).long()
    for shade, number in enumerate(chosen.tolist()):
        colour = (0.9 - 0.2 * shade, 0.45, 0.1 + 0.2 * shade)
        curves.plot(grid, y[:, number], color=colour, label=f"z2 = {float(grid[number]):.0f}")
    curves.set(title="what is heard", xlabel="gain z1 of the left stimulus", ylabel="y = w . x", ylim=(-1.1, 1.75))
    image = both.contourf(grid, grid, y.T, cmap="RdBu", levels=torch.linspace(-1.05, 1.05, 22).tolist())
    both.contour(grid, grid, y.T, levels=[0], colors="0.3", linewidths=1)
    both.set(title="y over both gains", xlabel="gain z1", ylabel="gain z2", aspect="equal")
    figure.colorbar(image, ax=both, label="y", ticks=[-1, 0, 1])
    for axes in (bumps, weights, curves):
        axes.legend(
            fontsize=7.5, ncols=3 if axes is curves else 1, loc="upper left" if axes is weights else "upper center"
        )
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a grid of 11 x 11 gains")
    parser.add_argument("--seed", type=int, default=0, help="of the noise of responses")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    units = responses(units=81, seed=arguments.seed)
    grid = torch.linspace(0, HIGHEST, 11 if arguments.fast else 81, dtype=units.dtype)
    layer = gain_attention(torch.cartesian_prod(grid, grid))
    found = differences(layer, units)
    told = ("y and softmax(z1 q1 + z2 q2) . x", "y without gains and the mean of x", "dy/dz and the covariance under w")
    for key, name in zip(found, told, strict=True):
        assert found[key] < BOUND  # at any size
        print(f"{name:33} differ by {found[key]:.0e}, bound {BOUND:.0e}: reached")
    with torch.no_grad():
        y = hear(layer, units).view(len(grid), len(grid))
        loudest = float(hear(gain_attention(torch.tensor([[1e4, 0.0]], dtype=units.dtype)), units))
    print(
        f"a high gain leaves the unit that responds most: y = {loudest:.2f}, x = {units[units[:, 0].argmax(), 2]:.2f}"
    )
    path = arguments.out / "gain_modulation.png"
    draw(path, units, grid, y)
    print(f"{len(grid) ** 2} pairs of gains, y from {float(y.min()):.2f} to {float(y.max()):.2f}; drawn: {path}")
    result = {"example": "gain_modulation", "seed": arguments.seed, **found}
    print("RESULT", json.dumps({**result, "bounds": dict.fromkeys(found, f"< {BOUND:.0e}"), "reached": True}))


if __name__ == "__main__":
    main()
