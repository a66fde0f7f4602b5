"""PyG's convolutions as rows of the zoo, with copies of their parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from graphattn.aggregation import (
    Max,
    Mean,
    Min,
    Scaler,
    Std,
    Sum,
    Variance,
    amplification,
    attenuation,
    identity,
    inverse_linear,
    linear,
)
from graphattn.convert.copying import Map, fill, map_of, put, weight_of
from graphattn.convert.loops import WithLoops, remaining
from graphattn.layer import GraphLayer
from graphattn.message import Bases, Blocks, Repeat, SplitHeads, as_weighted, symmetric
from graphattn.slots import Aggregation
from graphattn.zoo import GCN, GIN, GINE, PNA, RGCN, EdgeConv, GraphSAGE, ResGatedGraph

AGGREGATIONS: dict[str, Callable[[], Aggregation]] = {
    "add": Sum,
    "sum": Sum,
    "mean": Mean,
    "max": Max,
    "min": Min,
    "std": Std,
    "var": Variance,
}
"""The aggregations that are converted, by PyG's names."""

SCALERS: dict[str, Scaler] = {
    "identity": identity,
    "amplification": amplification,
    "attenuation": attenuation,
    "linear": linear,
    "inverse_linear": inverse_linear,
}
"""The scalers by degree, by PyG's names."""


def gcn_conv(conv: Any) -> nn.Module:
    """``layer(x, graph, edge_weight)``."""
    weight = weight_of(conv.lin)
    scale = symmetric if conv.normalize else as_weighted
    layer: Any = GCN(weight.size(1), weight.size(0), conv.bias is not None, scale)
    fill(layer.message_function.linear, Map(weight, None))
    put(layer.update_function, "bias", conv.bias)
    add = partial(remaining, weight=2.0 if conv.improved else 1.0)
    return WithLoops(layer, add) if conv.add_self_loops else layer


def sage_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph)``."""
    heard = map_of(conv.lin_l)
    root = map_of(conv.lin_r) if conv.root_weight else None
    channels = heard.weight.size(1), heard.weight.size(1) if root is None else root.weight.size(1)
    project = nn.Sequential(nn.Linear(channels[0], channels[0]), nn.ReLU()) if conv.project else None
    if project is not None:
        fill(project[0], map_of(conv.lin))
    last = nn.functional.normalize if conv.normalize else None
    options = AGGREGATIONS[conv.aggr](), root is not None, heard.bias is not None, project, last
    layer: Any = GraphSAGE(channels, heard.weight.size(0), *options)
    update = layer.update_function.update if conv.normalize else layer.update_function
    fill(update.linear if root is None else update.heard, heard)
    if root is not None:
        fill(update.root, root)
    return layer


def gin_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph)``."""
    return _with_eps(GIN(copy.deepcopy(conv.nn), conv.initial_eps, isinstance(conv.eps, nn.Parameter)), conv)


def gine_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph, edge_attr)``."""
    edge = None if conv.lin is None else copy.deepcopy(conv.lin)
    network = copy.deepcopy(conv.nn)
    return _with_eps(GINE(network, conv.initial_eps, isinstance(conv.eps, nn.Parameter), edge), conv)


def edge_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph)``."""
    return EdgeConv(copy.deepcopy(conv.nn), AGGREGATIONS[conv.aggr]())


def rgcn_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph, {"edge_type": ...})``."""
    weights: dict[str, Any] = {}
    if conv.num_bases is not None:
        weights["weight"] = partial(Bases, bases=conv.num_bases)
    if conv.num_blocks is not None:
        weights["weight"] = partial(Blocks, blocks=conv.num_blocks)
    if conv.aggr != "mean":
        weights["aggregation"] = AGGREGATIONS[conv.aggr]()
    options: dict[str, Any] = {"root_weight": conv.root is not None, "bias": conv.bias is not None}
    layer: Any = RGCN(conv.in_channels, conv.out_channels, conv.num_relations, **weights, **options)
    put(layer.message_function.weight, "weight", conv.weight)
    if conv.num_bases is not None:
        put(layer.message_function.weight, "share", conv.comp)
    if conv.root is None:
        put(layer.update_function, "bias", conv.bias)
    else:
        fill(layer.update_function.linear, Map(conv.root.t(), conv.bias))
    return layer


def pna_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph, edge_attr)``."""
    many = conv.aggr_module
    if isinstance(many.avg_deg_lin, nn.Parameter):
        raise ValueError("expected train_norm=False to convert PNAConv, got train_norm=True")
    names = [type(each).__name__.removesuffix("Aggregation").lower() for each in many.aggr.aggrs]
    unknown = [name for name in names if name not in AGGREGATIONS]
    if unknown:
        raise ValueError(f"expected aggregators {', '.join(AGGREGATIONS)} to convert PNAConv, got {', '.join(unknown)}")
    listen, scalers = [AGGREGATIONS[name]() for name in names], [SCALERS[name] for name in many.scaler]
    layout = (SplitHeads if conv.divide_input else Repeat)(conv.towers)
    once = torch.tensor([0, 1])
    layer: Any = PNA(conv.in_channels, conv.out_channels, once, listen, scalers, conv.edge_dim, layout)
    message, update, average = layer.message_function, layer.update_function, layer.aggregation
    average.degree, average.log = many.avg_deg_lin.clone(), many.avg_deg_log.clone()
    message.network.networks = copy.deepcopy(conv.pre_nns)
    update.update.network.networks = copy.deepcopy(conv.post_nns)
    fill(update.function, map_of(conv.lin))
    if conv.edge_dim is not None:
        fill(message.edge_value.network, map_of(conv.edge_encoder))
    return layer


def res_gated_graph_conv(conv: Any) -> GraphLayer:
    """``layer(x, graph, edge_attr)``; two biases and two edge maps that are only ever added become one each."""
    receiver, sender, value = (map_of(each) for each in (conv.lin_key, conv.lin_query, conv.lin_value))
    own, others = (part.weight.size(1) - (conv.edge_dim or 0) for part in (receiver, sender))
    root, bias = conv.lin_skip is not None, conv.bias is not None
    layer: Any = ResGatedGraph((others, own), value.weight.size(0), conv.edge_dim, root, bias)
    message, update = layer.message_function, layer.update_function
    message.gate = copy.deepcopy(conv.act)
    fill(message.receiver, Map(receiver.weight[:, :own], conv.lin_key.bias + conv.lin_query.bias))
    fill(message.sender, Map(sender.weight[:, :others], None))
    fill(message.value, Map(value.weight[:, :others], value.bias))
    if conv.edge_dim is not None:
        fill(message.edge_gate.linear, Map(receiver.weight[:, own:] + sender.weight[:, others:], None))
        fill(message.edge_value.linear, Map(value.weight[:, others:], None))
    if root:
        fill(update.linear, Map(weight_of(conv.lin_skip), conv.bias))
    else:
        put(update, "bias", conv.bias)
    return layer


def _with_eps(layer: Any, conv: Any) -> GraphLayer:
    if isinstance(conv.eps, nn.Parameter):
        put(layer.update_function.update, "eps", conv.eps)
    else:
        layer.update_function.update.eps = conv.eps.clone()
    return layer
