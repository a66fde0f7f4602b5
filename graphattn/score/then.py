"""A score, and what is made of it number by number."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.reset import reset
from graphattn.score.base import NodeScore, compare, knows_matrices, matrix, prepare
from graphattn.slots import Score
from graphattn.topology import Topology


@final
class Then(nn.Module):
    r"""A score followed by functions of one number, in the order given: :math:`s_{ij} = f_n(\dots f_1(\text{score}(q_i, k_j)))`.

    Args:
        score: the score that compares query and key.
        functions: modules that map numbers ``[..., H]``, such as a temperature, :class:`SoftCap` or :class:`Exponential`.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> from graphattn.score import Cosine, LearnedTemperature, SoftCap
    >>> swin = Then(Cosine(), LearnedTemperature(heads=2, start=0.1), SoftCap(5.0))
    >>> swin(torch.ones(1, 2, 4), torch.ones(1, 2, 4))
    tensor([[4.8201, 4.8201]], grad_fn=...)
    """

    def __init__(self, score: Score, *functions: nn.Module) -> None:
        super().__init__()
        self.score = score
        self.functions = nn.ModuleList(functions)

    def reset_parameters(self) -> None:
        reset(self.score, *self.functions)

    @property
    def linear_in_key(self) -> bool:
        return not isinstance(self.score, NodeScore) or self.score.linear_in_key

    @property
    def on_matrices(self) -> bool:
        return knows_matrices(self.score)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return self._through(self.score(query, key))

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        return prepare(self.score, query, key, graph)

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        return self._through(compare(self.score, query, key))

    def matrix(self, query: Tensor, key: Tensor) -> Tensor:
        return self._through(matrix(self.score, query, key).movedim(0, -1)).movedim(-1, 0)

    def extra_repr(self) -> str:
        return "" if isinstance(self.score, nn.Module) else f"score={self.score}"

    def _through(self, score: Tensor) -> Tensor:
        for function in self.functions:
            score = function(score)
        return score
