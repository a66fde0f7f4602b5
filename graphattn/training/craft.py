"""The craft of training, each piece taken from torch or Lightning: schedules of the learning rate, averages of weights, losses.

Options are functions with one signature each, so that a :class:`~graphattn.training.graphs.GraphRecipe` holds what it does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch_geometric.data import Data

Schedule = Callable[[Optimizer, int], dict[str, Any]]
"""``(optimizer, steps of the whole training) ->`` what Lightning takes as ``lr_scheduler``."""

Average = Callable[[int], Callback]
"""``steps of the whole training ->`` Lightning's callback, whose average is what is validated and kept."""

Loss = Callable[[Tensor, Data], Tensor]
"""``(what the model says, batch) ->`` a number to make small."""

Measure = Callable[[Tensor, Data], Tensor]
"""``(what the model says, batch) ->`` one number for each thing asked, whose mean is reported; more is better."""


def warmup_cosine(warmup: float = 0.1) -> Schedule:
    """The rate rises over the share ``warmup`` of all steps, then falls to zero along a cosine (Loshchilov & Hutter 2017)."""

    def schedule(optimizer: Optimizer, steps: int) -> dict[str, Any]:
        rising = max(1, round(warmup * steps))

        def factor(step: int) -> float:
            rest = (step - rising) / max(1, steps - rising)
            return (step + 1) / rising if step < rising else 0.5 * (1 + math.cos(math.pi * min(1.0, rest)))

        return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}

    return schedule


def one_cycle(warmup: float = 0.3) -> Schedule:
    """Up to the rate and down below where it began (Smith & Topin 2019)."""

    def schedule(optimizer: Optimizer, steps: int) -> dict[str, Any]:
        rates = [group["lr"] for group in optimizer.param_groups]
        cycle = OneCycleLR(optimizer, rates, total_steps=max(2, steps + 1), pct_start=warmup, cycle_momentum=False)
        return {"scheduler": cycle, "interval": "step"}

    return schedule


def plateau(factor: float = 0.5, patience: int = 3) -> Schedule:
    """The rate times ``factor`` whenever the validation loss has not fallen for ``patience`` epochs."""

    def schedule(optimizer: Optimizer, steps: int) -> dict[str, Any]:
        return {"scheduler": ReduceLROnPlateau(optimizer, factor=factor, patience=patience), "monitor": "val_loss"}

    return schedule


def constant() -> Schedule:
    """The same rate from first to last."""
    return lambda optimizer, steps: {"scheduler": LambdaLR(optimizer, lambda step: 1.0), "interval": "step"}


def ema(decay: float = 0.99) -> Average:
    """An exponential moving average of the weights, step by step (Polyak & Juditsky 1992)."""
    return lambda steps: WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(decay))


def swa(start: float = 0.75) -> Average:
    """The equal average of the weights of all steps from the share ``start`` on (Izmailov et al. 2018)."""

    def average(steps: int) -> Callback:
        first = int(start * steps)

        @torch.no_grad()
        def mean(averaged: Any, current: Any, count: Tensor | int) -> None:
            # Before the start the weights themselves.
            share = 1 / max(1, int(count) - first + 1)
            for mine, its in zip(averaged, current, strict=True):
                mine.lerp_(its, share)

        return WeightAveraging(multi_avg_fn=mean)

    return average


def cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Of classes, of each graph or each node; a ``y`` of -100 is not asked, and zero where nothing is."""

    def loss(out: Tensor, batch: Data) -> Tensor:
        # The mean of nothing is no number, and would become that of all weights.
        if bool((batch["y"] == -100).all()):
            return 0 * out.sum()
        return functional.cross_entropy(out, batch["y"], label_smoothing=label_smoothing)

    return loss


def squared_error(out: Tensor, batch: Data) -> Tensor:
    """The mean of the squared differences, :data:`Loss`."""
    return functional.mse_loss(out, batch["y"].view_as(out).to(out.dtype))


def accuracy(out: Tensor, batch: Data) -> Tensor:
    """Whether the likeliest class is the right one, :data:`Measure`; a ``y`` of -100 is not asked."""
    asked = batch["y"] != -100
    return (out.argmax(-1) == batch["y"])[asked].double()


def exact_match(out: Tensor, batch: Data) -> Tensor:
    """Whether all nodes of a graph are right, one number for each graph in which one is asked, :data:`Measure`."""
    asked = batch["y"] != -100
    each = torch.stack([asked, asked & (out.argmax(-1) != batch["y"])], dim=1).long()
    asked, wrong = each.new_zeros(len(batch["ptr"]) - 1, 2).index_add(0, batch["batch"], each).unbind(1)
    return (wrong == 0)[asked > 0].double()


def mean_probabilities(outs: Sequence[Tensor]) -> Tensor:
    """What members of an ensemble say together: the logarithm of the mean of their probabilities."""
    return torch.stack([out.log_softmax(-1) for out in outs]).logsumexp(0) - math.log(len(outs))
