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
in ``cli``.

Names are resolved when they are first used, so that ``import graphattn`` costs nothing; ``__init__.pyi`` lists them:

>>> import graphattn
>>> "GCN" in dir(graphattn)
True
"""

import lazy_loader

__version__ = "0.1.0"

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'graphattn' has no attribute {name!r}; it has {', '.join(__all__)}")
    return _public(name)
