"""What layers hear of edges in tissue: a map of their standardised features, distance and direction."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn.functional import gelu
from torch_geometric.data import Data

from graphattn.models.by_name.features import FeatureColumns, NumberEncoder
from graphattn.slots import State
from graphattn.topology import Topology


@final
class EdgeFeatures(nn.Module):
    r"""A hidden layer on the features of edges, once for all layers: :math:`\text{GELU}(W e + b)`, the feature ``edge_attr``.

    Args:
        columns: of ``data.edge_attr``, with the means and deviations by which they are standardised.
        channels: of the hidden layer.

    Shapes: ``data.edge_attr [E, columns]`` -> ``{"edge_attr": [E, channels]}``.

    >>> data = Data(edge_attr=torch.tensor([[10.0, 1.0, 0.0], [30.0, 0.0, 1.0]]))
    >>> EdgeFeatures(FeatureColumns.of([data.edge_attr]), channels=4)(data, Full([1]))["edge_attr"].shape
    torch.Size([2, 4])
    """

    def __init__(self, columns: FeatureColumns, channels: int = 8) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = NumberEncoder(columns, channels)

    def forward(self, data: Data, graph: Topology) -> State:
        found: Tensor = gelu(self.encoder(data["edge_attr"]))
        return {"edge_attr": found}
