"""What PyG's attention layers consist of, as GraphLayers that hold their parts."""

from __future__ import annotations

from torch import Tensor, nn

from graphattn.aggregation import SoftmaxSum
from graphattn.edge_terms import LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.pyg.dropin import bare, put
from graphattn.pyg.edge_key import ProductKey
from graphattn.score import Additive, SplitAdditive
from graphattn.slots import EdgeValue, Score
from graphattn.update import Replace


def transformer(
    heads: int, channels: int, query: nn.Module, key: nn.Module, value: nn.Module, edge: nn.Module | None
) -> GraphLayer:
    """The attention of ``TransformerConv``."""
    said = None if edge is None else _linear_value(edge, heads, channels)
    return _attention(heads, channels, None, (query, key, value), said, said)


def split(
    heads: int,
    channels: int,
    slope: float,
    source: nn.Module,
    target: nn.Module,
    att_src: Tensor,
    att_dst: Tensor,
    edge: nn.Module | None,
    att_edge: Tensor | None,
) -> GraphLayer:
    """The attention of ``GATConv``."""
    score = bare(SplitAdditive)
    score.activation = nn.LeakyReLU(slope)
    put(score, "key_weight", att_src)
    put(score, "query_weight", att_dst)
    said = None if edge is None or att_edge is None else ProductKey(edge, att_edge)
    return _attention(heads, channels, score, (target, source, source), said, None)


def additive(
    heads: int, channels: int, slope: float, source: nn.Module, target: nn.Module, att: Tensor, edge: nn.Module | None
) -> GraphLayer:
    """The attention of ``GATv2Conv``."""
    score = bare(Additive)
    score.activation = nn.LeakyReLU(slope)
    put(score, "weight", att)
    said = None if edge is None else _linear_value(edge, heads, channels)
    return _attention(heads, channels, score, (target, source, source), said, None)


def _attention(
    heads: int,
    channels: int,
    score: Score | None,
    maps: tuple[nn.Module, nn.Module, nn.Module],
    edge_key: EdgeValue | None,
    edge_value: EdgeValue | None,
) -> GraphLayer:
    message = Attend(-1, Heads(heads, channels), score, edge_key=edge_key, edge_value=edge_value).set_maps(*maps)
    return GraphLayer(message, SoftmaxSum(), Replace())


def _linear_value(linear: nn.Module, heads: int, channels: int) -> LinearValue:
    said = LinearValue("edge_attr", -1, heads, channels)
    put(said, "linear", linear)
    return said
