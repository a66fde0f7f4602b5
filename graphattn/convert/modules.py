"""Modules of torch and PyG as graph layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch_geometric import nn as pyg
from torch_geometric.nn.resolver import aggregation_resolver

from graphattn.convert import grids, pyg_attention, pyg_convolutions, torch_modules
from graphattn.convert.copying import NotPlainError, placing, refuse
from graphattn.pyg import DROP_INS, survey

_TORCH: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.MultiheadAttention: torch_modules.multihead_attention,
    nn.TransformerEncoderLayer: torch_modules.encoder_layer,
    nn.TransformerEncoder: torch_modules.encoder,
    nn.TransformerDecoderLayer: torch_modules.decoder_layer,
    nn.TransformerDecoder: torch_modules.decoder,
    nn.Transformer: torch_modules.transformer,
    nn.Conv1d: grids.convolution,
    nn.Conv2d: grids.convolution,
}

_SUM = ("add", "sum")
_ANY = tuple(pyg_convolutions.AGGREGATIONS)

_PYG: dict[type[nn.Module], tuple[Callable[[Any], nn.Module], tuple[str, ...]]] = {
    pyg.TransformerConv: (pyg_attention.transformer_conv, _SUM),
    pyg.GATConv: (pyg_attention.gat_conv, _SUM),
    pyg.GATv2Conv: (pyg_attention.gatv2_conv, _SUM),
    pyg.GCNConv: (pyg_convolutions.gcn_conv, _SUM),
    pyg.SAGEConv: (pyg_convolutions.sage_conv, _ANY),
    pyg.GINConv: (pyg_convolutions.gin_conv, _SUM),
    pyg.GINEConv: (pyg_convolutions.gine_conv, _SUM),
    pyg.EdgeConv: (pyg_convolutions.edge_conv, _ANY),
    pyg.RGCNConv: (pyg_convolutions.rgcn_conv, ("mean", *_SUM)),
    pyg.ResGatedGraphConv: (pyg_convolutions.res_gated_graph_conv, _SUM),
    pyg.PNAConv: (pyg_convolutions.pna_conv, ()),
}


def from_torch(module: nn.Module) -> nn.Module:
    """A trained module of ``torch.nn`` or of PyG as a graph layer with copies of its parameters and the same outputs.

    ======================================= ======================================================================
    module                                  the result is called as
    ======================================= ======================================================================
    ``nn.MultiheadAttention``               ``layer(x, graph)``, or ``layer((keys, queries), graph)``
    ``nn.TransformerEncoder``, ``...Layer`` ``block(x, graph)``
    ``nn.TransformerDecoder``, ``...Layer`` ``block(x, memory, graph, cross)``
    ``nn.Transformer``                      ``transformer(source, target, source_graph, target_graph)``
    ``nn.Conv1d``, ``nn.Conv2d``            ``convolution(images)``, or ``convolution(pixels, grid)``
    PyG's convolutions                      ``layer(x, graph, edge_attr)``
    ======================================= ======================================================================

    ``x`` is ``[N, F]``, of all sequences one behind the other. Masks are graphs: no mask is ``Full``, one that hides what comes
    later is ``Causal``, another's keys are ``Cross``; :func:`unpadded` makes nodes and their graph of padded sequences and
    torch's masks. PyG's convolutions are TransformerConv, GATConv, GATv2Conv, GCNConv, SAGEConv, GINConv, GINEConv, EdgeConv,
    RGCNConv (which takes ``{"edge_type": ...}``), ResGatedGraphConv and PNAConv; the loops that some of them add are added here,
    too.

    Args:
        module: the original; a subclass is refused, as it may compute something else.

    Raises:
        TypeError: another module, by name; parts that are not plain (quantised, with adapters, other norms), by path.
        ValueError: an option that is not supported, by name and value.

    >>> original = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    >>> block, x = from_torch(original), torch.randn(2, 3, 8)
    >>> torch.allclose(block(x.flatten(0, 1), Full([3, 3])), original(x).flatten(0, 1), atol=1e-5)
    True
    """
    kind = module.theirs if type(module) in DROP_INS.values() else type(module)
    with placing(module):
        if kind in _TORCH:
            return _TORCH[kind](module).train(module.training)
        if kind not in _PYG:
            raise TypeError(_unknown(module))
        convert, aggregations = _PYG[kind]
        refuse(kind.__name__, module, {"flow": ("source_to_target",)})
        if aggregations:
            _expect_aggregation(kind.__name__, module, aggregations)
        return convert(module).train(module.training)


def _expect_aggregation(owner: str, conv: Any, aggregations: tuple[str, ...]) -> None:
    refuse(owner, conv, {"aggr": aggregations})
    if type(conv.aggr_module) is not type(aggregation_resolver(conv.aggr)):
        raise NotPlainError(f"expected the aggregation {conv.aggr!r} to convert", conv.aggr_module)


def _unknown(module: object) -> str:
    known = ", ".join(each.__name__ for each in [*_TORCH, *_PYG])
    if not isinstance(module, nn.Module):
        named = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
        return f"expected a module, one of {known}, got {named}"
    swapped = survey(module).swapped
    hint = f": graphattn.accelerate takes it as it is, and swaps {len(swapped)} of its layers" if swapped else ""
    return f"expected one of {known}, got {type(module).__name__}{hint}"
