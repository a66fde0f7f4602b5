"""Drop-ins for PyG's layers: the same names, parameters and results, computed by graphattn.

A drop-in subclasses PyG's layer and changes only ``forward``. Where an input is not ours (a hook or an explainer that wants to
see every edge, decomposed channels, a ``SparseTensor``, an aggregation that graphattn does not have), PyG's own ``forward``
answers; :func:`calls` counts both.
"""

from graphattn.pyg.accelerate import DROP_INS, Report, accelerate, deaccelerate, survey
from graphattn.pyg.attention import GATConv, GATv2Conv, TransformerConv
from graphattn.pyg.convolution import EdgeConv, GCNConv, GINConv, SAGEConv
from graphattn.pyg.dropin import Calls, calls, forget_calls
from graphattn.pyg.gps import GPSConv

__all__ = [
    "DROP_INS",
    "Calls",
    "EdgeConv",
    "GATConv",
    "GATv2Conv",
    "GCNConv",
    "GINConv",
    "GPSConv",
    "Report",
    "SAGEConv",
    "TransformerConv",
    "accelerate",
    "calls",
    "deaccelerate",
    "forget_calls",
    "survey",
]
