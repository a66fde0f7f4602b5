"""PyG's attention on graphs as rows of the zoo, with copies of their parameters."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from graphattn.convert.copying import Map, fill, map_of, put, weight_of
from graphattn.convert.loops import WithLoops, anew
from graphattn.layer import GraphLayer
from graphattn.update import AddRoot, GatedRoot, MeanHeads, Replace
from graphattn.zoo import GAT, GATv2, GraphTransformer


def transformer_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph, edge_attr)``."""
    query, key, value = (map_of(each) for each in (conv.lin_query, conv.lin_key, conv.lin_value))
    channels, width = (key.weight.size(1), query.weight.size(1)), conv.out_channels * (conv.heads if conv.concat else 1)
    bias = query.bias is not None
    update: Any = (GatedRoot if conv.beta else AddRoot)(channels[1], width, bias) if conv.root_weight else Replace()
    if conv.root_weight:
        fill(update.linear, map_of(conv.lin_skip))
    if conv.beta:
        fill(update.gate, map_of(conv.lin_beta))
    update = update if conv.concat else MeanHeads(update)
    layer: Any = GraphTransformer(channels, conv.out_channels, conv.heads, conv.edge_dim, bias, update, conv.dropout)
    message = layer.message_function
    for part, source in ((message.query, query), (message.key, key), (message.value, value)):
        fill(part, source)
    if conv.edge_dim is not None:
        fill(message.edge_key.linear, map_of(conv.lin_edge))
    return layer


def gat_conv(conv: Any) -> nn.Module:
    """``layer(x, graph, edge_attr)``; the two maps of an edge feature become the one that they are together."""
    key = map_of(conv.lin if conv.lin is not None else conv.lin_src)
    query = key if conv.lin is not None else map_of(conv.lin_dst)
    channels = key.weight.size(1) if conv.lin is not None else (key.weight.size(1), query.weight.size(1))
    shape = conv.out_channels, conv.heads, conv.edge_dim, conv.negative_slope
    layer: Any = GAT(channels, *shape, _gat_update(conv, query.weight.size(1)), conv.dropout)
    message = layer.message_function
    fill(message.key, key)
    if message.query is not message.key:
        fill(message.query, query)
    put(message.score, "query_weight", conv.att_dst[0])
    put(message.score, "key_weight", conv.att_src[0])
    if conv.edge_dim is not None:
        weight = weight_of(conv.lin_edge).unflatten(0, (conv.heads, -1))
        fill(message.edge_key.linear, Map(torch.einsum("hc,hcf->hf", conv.att_edge[0], weight), None))
    return _looped(layer, conv)


def gatv2_conv(conv: Any) -> nn.Module:
    """``layer(x, graph, edge_attr)``."""
    key, query = map_of(conv.lin_l), map_of(conv.lin_r)
    shape = (key.weight.size(1), query.weight.size(1)), conv.out_channels, conv.heads, conv.edge_dim
    update = _gat_update(conv, query.weight.size(1))
    layer: Any = GATv2(*shape, key.bias is not None, conv.share_weights, update, conv.dropout)
    message = layer.message_function
    message.score.activation = nn.LeakyReLU(conv.negative_slope)
    fill(message.key, key)
    if message.query is not message.key:
        fill(message.query, query)
    put(message.score, "weight", conv.att[0])
    if conv.edge_dim is not None:
        fill(message.edge_key.linear, map_of(conv.lin_edge))
    return _looped(layer, conv)


def _gat_update(conv: Any, in_channels: int) -> nn.Module:
    """A bias, and the node itself with ``residual=True``."""
    width = conv.out_channels * (conv.heads if conv.concat else 1)
    if conv.res is None:
        update = Replace(None if conv.bias is None else width)
        put(update, "bias", conv.bias)
    else:
        update = AddRoot(in_channels, width, conv.bias is not None)
        fill(update.linear, Map(weight_of(conv.res), conv.bias))
    return update if conv.concat else MeanHeads(update)


def _looped(layer: GraphLayer, conv: Any) -> nn.Module:
    return WithLoops(layer, partial(anew, fill_value=conv.fill_value)) if conv.add_self_loops else layer
