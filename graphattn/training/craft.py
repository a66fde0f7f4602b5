"""Parts of training, each from torch: schedules of the learning rate, losses, measures.

Letters: ``N`` rows (graphs or nodes), ``T`` targets, ``K`` classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau
from torch_geometric.data import Data

if TYPE_CHECKING:
    from graphattn.training.recipe import Recipe

Loss = Callable[[Any, Data], Tensor]
"""``(outputs of the model, batch) ->`` a number to be minimised."""

Measure = Callable[[Tensor, Data], Tensor]
"""``(outputs of the model, batch) ->`` one number for each labelled row, whose mean is reported; more is better."""

Schedule = Literal["warmup_cosine", "one_cycle", "plateau", "constant"]


def scheduled(optimizer: Optimizer, recipe: Recipe, steps: int) -> dict[str, Any]:
    """The schedule of ``recipe`` over ``steps`` of training, as Lightning's ``lr_scheduler``.

    ``warmup_cosine``: the rate rises over the share ``warmup`` of all steps, then falls to zero along a cosine (Loshchilov &
    Hutter 2017). ``one_cycle``: up to the rate within that share, then down below where it began (Smith & Topin 2019).
    ``plateau``: half the rate whenever the validation loss has not fallen for 3 epochs. ``constant``: the same rate throughout.
    """
    if recipe.schedule == "one_cycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        cycle = OneCycleLR(
            optimizer, rates, total_steps=max(2, steps + 1), pct_start=recipe.warmup, cycle_momentum=False
        )
        return {"scheduler": cycle, "interval": "step"}
    if recipe.schedule == "plateau":
        return {"scheduler": ReduceLROnPlateau(optimizer, factor=0.5, patience=3), "monitor": "val_loss"}
    if recipe.schedule == "constant":
        return {"scheduler": LambdaLR(optimizer, lambda step: 1.0), "interval": "step"}
    return {"scheduler": LambdaLR(optimizer, lambda step: rate(step, steps, recipe.warmup)), "interval": "step"}


def rate(step: int, steps: int, warmup: float) -> float:
    """Share of the full learning rate at ``step`` of ``steps``, of ``warmup_cosine``.

    >>> [round(rate(step, 100, 0.1), 2) for step in (0, 4, 9, 55, 100)]
    [0.1, 0.5, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising)))


def cross_entropy(label_smoothing: float = 0.0, class_weight: Sequence[float] | None = None) -> Loss:
    """Cross-entropy of classes, of each graph or each node.

    A ``y`` of -100 is not labelled; the loss is zero where nothing is. Rows are weighted by ``batch.weight [N]`` where the batch
    has it, and by the ``class_weight [K]`` of their class.

    >>> batch = Data(y=torch.tensor([0, 1]), weight=torch.tensor([3.0, 1.0]))
    >>> out = torch.tensor([[0.0, 0.0], [0.0, -torch.inf]]).clamp(min=-99)
    >>> round(float(cross_entropy()(out, batch)), 3)
    25.27
    """

    def loss(out: Tensor, batch: Data) -> Tensor:
        y, weight = batch["y"], None if class_weight is None else out.new_tensor(class_weight)
        # The mean of nothing is no number, and would become that of all weights.
        if bool((y == -100).all()):
            return 0 * out.sum()
        if "weight" not in batch:
            return functional.cross_entropy(out, y, weight, label_smoothing=label_smoothing)
        each = functional.cross_entropy(out, y, weight, label_smoothing=label_smoothing, reduction="none")
        return _weighted_mean(each, batch["weight"] * (y != -100))

    return loss


def squared_error(out: Tensor, batch: Data) -> Tensor:
    """Mean of the squared differences over the values that are known, :data:`Loss`.

    ``batch.y [N]`` or ``[N, T]``; NaN is a value that is not known. Rows are weighted by ``batch.weight [N]`` where the batch
    has it.

    >>> float(squared_error(torch.tensor([[1.0], [2.0]]), Data(y=torch.tensor([3.0, torch.nan]))))
    4.0
    """
    y = batch["y"].view_as(out).to(out.dtype)
    known = ~y.isnan()
    if "weight" in batch:
        each = functional.mse_loss(out, torch.where(known, y, out.detach()), reduction="none")
        return _weighted_mean(each, batch["weight"].to(out).view(-1, *[1] * (out.dim() - 1)) * known)
    return functional.mse_loss(out[known], y[known]) if bool(known.any()) else 0 * out.sum()


def pairwise_ranking(out: Tensor, batch: Data) -> Tensor:
    r"""Hinge loss of all pairs of a positive and a negative graph of a batch (Lu et al. 2022), :data:`Loss`.

    .. math:: \text{mean}_{p, n} \max(0, 1 - (s_p - s_n))

    ``out [N, 1]`` are scores, ``batch.y [N]`` is 1, 0 or, where it is not known, -100; the loss is zero without a pair.

    >>> batch = Data(y=torch.tensor([1, 0, 0, -100]))
    >>> float(pairwise_ranking(torch.tensor([[2.0], [0.5], [1.5], [9.0]]), batch))
    0.25
    """
    scores, y = out.flatten(), batch["y"].flatten()
    gaps = scores[y == 1][:, None] - scores[y == 0][None, :]
    return (1 - gaps).relu().mean() if gaps.numel() else 0 * out.sum()


def cox(out: Tensor, batch: Data) -> Tensor:
    r"""Negative logarithm of Cox's partial likelihood, the mean over the events of a batch (Breslow 1974), :data:`Loss`.

    .. math:: -\text{mean}_{i: d_i = 1} \Big( s_i - \log \sum_{j: t_j \ge t_i} e^{s_j} \Big)

    ``out [N, 1]`` are logarithms of the hazard, ``batch.y [N, 2]`` the time ``t`` and whether the event ``d`` was seen (1) or
    not (0); rows with NaN are left out, and the loss is zero without an event.

    >>> batch = Data(y=torch.tensor([[2.0, 1.0], [3.0, 0.0], [1.0, 1.0]]))
    >>> round(float(cox(torch.zeros(3, 1), batch)), 4)  # (log 3 + log 2) / 2
    0.8959
    """
    y = batch["y"].view(len(out), 2)
    known = ~y.isnan().any(dim=1)
    scores, times, seen = out.flatten()[known], y[known, 0], y[known, 1] > 0
    if not bool(seen.any()):
        return 0 * out.sum()
    at_risk = torch.where(times[None, :] >= times[seen, None], scores[None, :], -torch.inf).logsumexp(dim=1)
    return (at_risk - scores[seen]).mean()


def accuracy(out: Tensor, batch: Data) -> Tensor:
    """Whether the likeliest class is the right one, :data:`Measure`; a ``y`` of -100 is not labelled."""
    labelled = batch["y"] != -100
    return (out.argmax(-1) == batch["y"])[labelled].double()


def exact_match(out: Tensor, batch: Data) -> Tensor:
    """Whether all nodes of a graph are right, one number for each graph that has a labelled one, :data:`Measure`."""
    labelled = batch["y"] != -100
    each = torch.stack([labelled, labelled & (out.argmax(-1) != batch["y"])], dim=1).long()
    labelled, wrong = each.new_zeros(len(batch["ptr"]) - 1, 2).index_add(0, batch["batch"], each).unbind(1)
    return (wrong == 0)[labelled > 0].double()


def mean_probabilities(outs: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean of the probabilities of an ensemble's members, from their logits."""
    return torch.stack([out.log_softmax(-1) for out in outs]).logsumexp(0) - math.log(len(outs))


def _weighted_mean(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight).sum() / weight.sum().clamp(min=torch.finfo(each.dtype).tiny)
