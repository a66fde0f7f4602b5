"""Several ways to listen side by side, scaled by degree: the aggregation of PNA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from graphattn.aggregation.plain import count
from graphattn.slots import Aggregation, Groups


class Average(NamedTuple):
    r"""Averages over the nodes of a training set: of the degree ``d``, and of :math:`\log(d + 1)`; ``[1]`` each."""

    degree: Tensor
    log: Tensor


Scaler = Callable[[Tensor, Average], Tensor]
"""The factor of each receiver: ``(degree [N], average) -> [N]``."""


def identity(degree: Tensor, average: Average) -> Tensor:
    """No scaling: one."""
    return torch.ones_like(degree)


def amplification(degree: Tensor, average: Average) -> Tensor:
    r"""Louder with degree: :math:`\log(d + 1) / \overline{\log(d + 1)}`."""
    return (degree + 1).log() / average.log


def attenuation(degree: Tensor, average: Average) -> Tensor:
    r"""Quieter with degree: :math:`\overline{\log(d + 1)} / \log(d + 1)`, with ``d`` at least one."""
    return average.log / (degree.clamp(min=1) + 1).log()


def linear(degree: Tensor, average: Average) -> Tensor:
    r"""Louder with degree, in proportion: :math:`d / \bar{d}`."""
    return degree / average.degree


def inverse_linear(degree: Tensor, average: Average) -> Tensor:
    r"""Quieter with degree, in proportion: :math:`\bar{d} / d`, with ``d`` at least one."""
    return average.degree / degree.clamp(min=1)


@final
class Multi(nn.Module):
    r"""Several aggregations side by side, each scaled by the receiver's degree (PNA, Corso et al. 2020).

    .. math:: h_i = \big\|_s \big\|_a\; s(d_i)\, \text{aggregate}_a(m_{ij})

    Args:
        aggregations: what is laid side by side, none of which weighs scores.
        scalers: factors by degree: :func:`identity` alone if not given, :func:`amplification`, :func:`attenuation`,
            :func:`linear`, :func:`inverse_linear`, or a function of your own.
        degrees: how many nodes of the training set have 0, 1, 2, ... senders, for scalers that ask for averages; PyG's
            ``PNAConv.get_degree_histogram``.

    Shapes: ``[E, H, C] -> [N, H, S A C]`` for ``A`` aggregations and ``S`` scalers.

    Raises:
        ValueError: no aggregation or scaler, one that weighs scores, scalers without degrees, or degrees of a training set
            without an edge.

    >>> from graphattn.aggregation import Max, Mean
    >>> Multi([Mean(), Max()], [identity, attenuation], torch.tensor([0, 3, 1])).average
    Average(degree=tensor([1.2500]), log=tensor([0.7945]))
    """

    scored = False
    degree: Tensor
    log: Tensor

    def __init__(
        self,
        aggregations: Sequence[Aggregation],
        scalers: Sequence[Scaler] = (identity,),
        degrees: Tensor | None = None,
    ) -> None:
        super().__init__()
        if not aggregations or not scalers:
            raise ValueError(
                f"expected at least one aggregation and one scaler, got {len(aggregations)} and {len(scalers)}"
            )
        weighing = [type(each).__name__ for each in aggregations if each.scored]
        if weighing:
            raise ValueError(f"expected aggregations that weigh no scores, got {', '.join(weighing)}")
        self.aggregations = nn.ModuleList(aggregations)  # pyright: ignore[reportArgumentType]
        self.scalers = tuple(scalers)
        if degrees is None and self.scalers != (identity,):
            raise ValueError("expected degrees of a training set to scale by, got None")
        average, log = (1.0, 1.0) if degrees is None else _averages(degrees)
        self.register_buffer("degree", torch.tensor([average]))
        self.register_buffer("log", torch.tensor([log]))

    @property
    def times(self) -> int:
        """How many channels it makes of one."""
        return len(self.aggregations) * len(self.scalers)

    @property
    def average(self) -> Average:
        """Averages over the training set."""
        return Average(self.degree, self.log)

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        heard = torch.cat([each.reduce(message, groups) for each in self.aggregations], dim=-1)  # pyright: ignore[reportCallIssue]
        degree = count(groups.index, groups.size).to(heard.dtype)
        return torch.cat([heard * scaler(degree, self.average)[:, None, None] for scaler in self.scalers], dim=-1)

    def extra_repr(self) -> str:
        return f"scalers=({', '.join(getattr(scaler, '__name__', str(scaler)) for scaler in self.scalers)})"


def _averages(degrees: Tensor) -> tuple[float, float]:
    # In float32 as PyG does, so that both agree to the last digit.
    nodes, number = degrees.float(), torch.arange(degrees.numel(), device=degrees.device)
    edges, share = float((number * nodes).sum()), int(nodes.sum())
    if edges <= 0:
        raise ValueError(f"expected degrees of a training set with edges, got the histogram {degrees.tolist()}")
    return edges / share, float(((number + 1).log() * nodes).sum()) / share
