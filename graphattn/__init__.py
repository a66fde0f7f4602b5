"""Attention is message passing; choose the graph.

One layer, on PyTorch Geometric::

    x_i' = update( x_i , aggregate_{j in N(i)} message( x_i , x_j , e_ji ) )

====================  ==============================  ==========================================
term                  question                        file
====================  ==============================  ==========================================
``N(i)``              who hears whom?                 ``topology/``
``message``           what is said on one edge?       ``message/``; its similarity in ``score/``
``aggregate``         how does a node listen?         ``aggregation/``
``update``            what does the node become?      ``update/``
the equation          all of it                       ``layer.py``; the slots' types in ``slots.py``
named rows            a GCN, self-attention, ...      ``zoo/``; blocks of them in ``blocks/``
``e_ji``              what does an edge add?          ``edge_terms/``
position              where is a node?                ``encoding/``
the same, faster      which code computes it?         ``backends/``
PyG's own names       the same, for PyG's models      ``pyg/``
a trained model       as a graph network              ``convert/``
attention or a GCN?   which layer, on which graph?    ``comparison/``
====================  ==============================  ==========================================

The sender is ``j``, the receiver is ``i``; ``edge_index`` is ``[sender, receiver]``, an attention matrix is
``[receiver, sender]``. Around the layer: whole models in ``models/``, data in ``data/``, training in ``training/``,
drawings in ``explain/``, scikit-learn estimators in ``estimators/``, the command line
in ``cli.py``.

Names are resolved when they are first used, so that ``import graphattn`` costs nothing:

>>> import graphattn
>>> "GCN" in dir(graphattn)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphattn import data
    from graphattn.aggregation import Max, Mean, SoftmaxSum, Sum
    from graphattn.backends import explain_backend, use_backend
    from graphattn.blocks import GPS, Block, DecoderBlock, EncoderBlock, Graphormer, Mixer, Perceiver, Readout, Stack
    from graphattn.comparison.compare import compare
    from graphattn.convert import from_torch, from_transformers
    from graphattn.estimators import GraphClassifier, GraphRegressor, MoleculeClassifier, MoleculeRegressor
    from graphattn.layer import GraphLayer
    from graphattn.message import Attend, Copy, Difference, Heads, Scaled
    from graphattn.models import Decoder, Encoder, MoleculeTransformer, Seq2Seq, ViT
    from graphattn.pyg import accelerate, deaccelerate
    from graphattn.score import ScaledDot
    from graphattn.topology import (
        Causal,
        Cross,
        Edges,
        Full,
        Grid,
        Line,
        Prefix,
        Star,
        Topology,
        Union,
        Window,
        WithHubs,
        collate,
        with_hubs,
    )
    from graphattn.update import AddRoot, Project, Replace
    from graphattn.zoo import (
        GAT,
        GCN,
        GIN,
        GINE,
        PNA,
        RGCN,
        CrossAttention,
        EdgeConv,
        GatedGraph,
        GATv2,
        GraphSAGE,
        GraphTransformer,
        GridConv,
        LinearAttention,
        ResGatedGraph,
        SelfAttention,
        TokenMixing,
    )

__version__ = "0.1.0"

_PUBLIC = {
    "compare": "comparison.compare",
    "GraphClassifier": "estimators",
    "GraphRegressor": "estimators",
    "Decoder": "models",
    "Encoder": "models",
    "Seq2Seq": "models",
    "ViT": "models",
    "from_transformers": "convert",
    "from_torch": "convert",
    "deaccelerate": "pyg",
    "accelerate": "pyg",
    "AddRoot": "update",
    "Attend": "message",
    "Block": "blocks",
    "Causal": "topology",
    "Copy": "message",
    "Cross": "topology",
    "CrossAttention": "zoo",
    "DecoderBlock": "blocks",
    "Difference": "message",
    "EdgeConv": "zoo",
    "Edges": "topology",
    "EncoderBlock": "blocks",
    "Full": "topology",
    "GAT": "zoo",
    "GATv2": "zoo",
    "GCN": "zoo",
    "GIN": "zoo",
    "GINE": "zoo",
    "GPS": "blocks",
    "GatedGraph": "zoo",
    "GraphLayer": "layer",
    "GraphSAGE": "zoo",
    "GraphTransformer": "zoo",
    "Graphormer": "blocks",
    "Grid": "topology",
    "GridConv": "zoo",
    "Heads": "message",
    "Line": "topology",
    "LinearAttention": "zoo",
    "Max": "aggregation",
    "Mean": "aggregation",
    "Mixer": "blocks",
    "MoleculeClassifier": "estimators",
    "MoleculeRegressor": "estimators",
    "MoleculeTransformer": "models",
    "PNA": "zoo",
    "Perceiver": "blocks",
    "Prefix": "topology",
    "Project": "update",
    "RGCN": "zoo",
    "Readout": "blocks",
    "Replace": "update",
    "ResGatedGraph": "zoo",
    "Scaled": "message",
    "ScaledDot": "score",
    "SelfAttention": "zoo",
    "SoftmaxSum": "aggregation",
    "Stack": "blocks",
    "Star": "topology",
    "Sum": "aggregation",
    "TokenMixing": "zoo",
    "Topology": "topology",
    "Union": "topology",
    "Window": "topology",
    "WithHubs": "topology",
    "collate": "topology",
    "data": "data",
    "explain_backend": "backends",
    "use_backend": "backends",
    "with_hubs": "topology",
}

__all__ = [
    "GAT",
    "GCN",
    "GIN",
    "GINE",
    "GPS",
    "PNA",
    "RGCN",
    "AddRoot",
    "Attend",
    "Block",
    "Causal",
    "Copy",
    "Cross",
    "CrossAttention",
    "Decoder",
    "DecoderBlock",
    "Difference",
    "EdgeConv",
    "Edges",
    "Encoder",
    "EncoderBlock",
    "Full",
    "GATv2",
    "GatedGraph",
    "GraphClassifier",
    "GraphLayer",
    "GraphRegressor",
    "GraphSAGE",
    "GraphTransformer",
    "Graphormer",
    "Grid",
    "GridConv",
    "Heads",
    "Line",
    "LinearAttention",
    "Max",
    "Mean",
    "Mixer",
    "MoleculeClassifier",
    "MoleculeRegressor",
    "MoleculeTransformer",
    "Perceiver",
    "Prefix",
    "Project",
    "Readout",
    "Replace",
    "ResGatedGraph",
    "Scaled",
    "ScaledDot",
    "SelfAttention",
    "Seq2Seq",
    "SoftmaxSum",
    "Stack",
    "Star",
    "Sum",
    "TokenMixing",
    "Topology",
    "Union",
    "ViT",
    "Window",
    "WithHubs",
    "accelerate",
    "collate",
    "compare",
    "data",
    "deaccelerate",
    "explain_backend",
    "from_torch",
    "from_transformers",
    "use_backend",
    "with_hubs",
]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'graphattn' has no attribute {name!r}; it has {', '.join(__all__)}")
    module = import_module(f"graphattn.{_PUBLIC[name]}")
    return module if name == _PUBLIC[name] else getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
