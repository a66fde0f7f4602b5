"""Cosine score."""

from __future__ import annotations

from typing import final

from torch import Tensor
from torch.nn.functional import normalize

from graphattn.score.base import dot
from graphattn.topology import Topology


@final
class Cosine:
    r"""Cosine of the angle between query and key; zero where one of them is zero ("Neural Turing Machines", Graves et al. 2014).

    .. math:: s_{ij} = \frac{q_i \cdot k_j}{\|q_i\| \, \|k_j\|}

    It never leaves -1 to 1, so it goes with a temperature: ``Then(Cosine(), LearnedTemperature(heads, 0.1))`` is the score of
    Swin Transformer V2 (Liu et al. 2022).

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> Cosine()(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[3.0, 3.0]]]))
    tensor([[0.7071]])
    """

    linear_in_key = False

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(normalize(query, dim=-1), normalize(key, dim=-1))

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        del graph
        return normalize(query, dim=-1), normalize(key, dim=-1)

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(query, key)

    def factor(self, channels: int) -> float:
        """What the dot product of the directions is multiplied with: 1."""
        return 1.0

    def __repr__(self) -> str:
        return "Cosine()"
