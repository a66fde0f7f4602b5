"""The sender's state, with a score that it has by itself."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.reset import reset
from graphattn.slots import Positions, State
from graphattn.topology import Topology


@final
class OwnScore(nn.Module):
    r"""The sender's state as it is, with a score from that state alone.

    .. math:: s_{ij} = h(x_j) \qquad v_{ij} = x_j

    What attention pooling says to a hub that asks nothing. The score is computed once for each sender, not for each edge.

    Args:
        score: ``h``, from ``F`` channels to ``H`` scores.

    Shapes: ``x_j [N_j, F]`` -> score ``[E, H]``, value ``[E, 1, F]``.

    >>> from graphattn import GraphLayer, Replace, SoftmaxSum, Star
    >>> pooling = GraphLayer(OwnScore(nn.Linear(4, 1)), SoftmaxSum(), Replace())
    >>> pooling((torch.randn(5, 4), None), Star([3, 2])).shape
    torch.Size([2, 4])
    """

    scored = True

    def __init__(self, score: nn.Module) -> None:
        super().__init__()
        self.score = score

    def reset_parameters(self) -> None:
        reset(self.score)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        return {"score": self.score(x_j), "value": x_j.unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        return {}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[Tensor, Tensor]:
        return sender["score"], sender["value"]
