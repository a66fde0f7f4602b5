"""Principal neighbourhood aggregation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch_geometric.nn import Linear

from graphattn.aggregation import Max, Mean, Min, Multi, Scaler, Std, amplification, attenuation, identity
from graphattn.counts import must_be_counts
from graphattn.edge_terms import NetworkValue
from graphattn.layer import GraphLayer
from graphattn.message import Concatenate, Repeat, SplitHeads, Towers
from graphattn.slots import Aggregation
from graphattn.update import Beside, UpdateThen
from graphattn.zoo.channels import must_be_one_number


def PNA(  # noqa: N802  named as the field names the layer
    in_channels: int,
    out_channels: int,
    degrees: Tensor,
    aggregations: Sequence[Aggregation] | None = None,
    scalers: Sequence[Scaler] = (identity, amplification, attenuation),
    edge_channels: int | None = None,
    layout: SplitHeads | Repeat | None = None,
    layers: tuple[int, int] = (1, 1),
) -> GraphLayer:
    r"""Principal neighbourhood aggregation (Corso et al. 2020): several aggregations, scaled by degree, in towers.

    .. math::
        m_{ij}^t = h_t(x_i \,\|\, x_j \,\|\, W_e e_{ji}) \qquad
        x_i' = W \, \big\|_t\; g_t\Big(x_i \,\Big\|\, \big\|_s \big\|_a\; s(d_i)\, \text{aggregate}_a\big(m_{ij}^t\big)\Big)

    Args:
        in_channels, out_channels: channels of a node before and after.
        degrees: how many nodes of the training set have 0, 1, 2, ... senders.
        aggregations: minimum, maximum, mean and standard deviation if not given.
        scalers: factors by degree (:class:`~graphattn.aggregation.Multi`).
        edge_channels: channels of ``edge["edge_attr"]``, if there is one.
        layout: PyG's ``towers=4`` is ``Repeat(4)``; with ``divide_input=True`` it is ``SplitHeads(4)``.
        layers: linear layers in ``h`` and ``g``, a ReLU between each two; PyG's ``pre_layers`` and ``post_layers``.

    Raises:
        ValueError: channels that the towers do not divide; and as :class:`~graphattn.aggregation.Multi`.

    >>> layer = PNA(4, 2, degrees=torch.tensor([0, 2, 1]))
    >>> layer(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 2])
    """
    must_be_one_number(in_channels, "PNA")
    must_be_counts("PNA", out_channels=out_channels, edge_channels=edge_channels)
    layout, listen = layout or Repeat(1), aggregations or (Min(), Max(), Mean(), Std())
    inner, outer = layout.width(in_channels), SplitHeads(layout.towers).width(out_channels)
    edge = NetworkValue("edge_attr", Linear(edge_channels, inner)) if edge_channels else None
    said = (2 + (edge is not None)) * inner
    heard = (1 + len(listen) * len(scalers)) * inner
    message = Concatenate(_towers(layout.towers, said, inner, layers[0]), edge, layout)
    update = UpdateThen(
        Beside(_towers(layout.towers, heard, outer, layers[1]), layout), Linear(out_channels, out_channels)
    )
    return GraphLayer(message, Multi(listen, scalers, degrees), update, name="PNA")


def _towers(towers: int, in_channels: int, out_channels: int, layers: int) -> Towers:
    return Towers(_network(in_channels, out_channels, layers) for _ in range(towers))


def _network(in_channels: int, out_channels: int, layers: int) -> nn.Sequential:
    rest = [part for _ in range(layers - 1) for part in (nn.ReLU(), Linear(out_channels, out_channels))]
    return nn.Sequential(Linear(in_channels, out_channels), *rest)
