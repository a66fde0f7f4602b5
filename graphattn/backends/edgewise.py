"""Edge by edge: the specification, able to compute every layer on every topology."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from torch import Tensor

from graphattn.slots import Inputs
from graphattn.topology import Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer


@final
class Edgewise:
    """PyG's ``propagate``: gathers, speaks, weighs and sums over a list of edges."""

    name = "edgewise"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> list[str]:
        return []

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        return layer.hear_edgewise(graph, inputs)
