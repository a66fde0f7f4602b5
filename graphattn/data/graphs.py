"""Which graphs of a list can be used: what is wrong with one, what all have in common, and copies with nothing else in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import is_sparse, to_edge_index

from graphattn.data.wording import list_problems


class Form(NamedTuple):
    """What graphs of one data set have in common: how many columns of what; ``""`` and 0 where there is nothing.

    >>> str(form(Data(x=torch.rand(3, 2), edge_index=torch.tensor([[0], [1]]))))
    'x of 2 numbers, edge_index'
    """

    x: str
    columns: int
    edge_index: bool
    edge_attr: str
    edge_columns: int
    pos: int

    def __str__(self) -> str:
        parts = (
            f"x of {self.columns} {self.x}" if self.x else "",
            "edge_index" if self.edge_index else "",
            f"edge_attr of {self.edge_columns} {self.edge_attr}" if self.edge_attr else "",
            f"pos in {self.pos} dimensions" if self.pos else "",
        )
        return ", ".join(filter(None, parts)) or "nothing"


def fault(graph: object) -> str:
    """Why a graph cannot be used, whatever the others are; ``""`` if it can.

    >>> fault(Data(x=torch.tensor([[0.5], [float("nan")]])))
    'x of node 1 is [nan]'
    """
    if not isinstance(graph, Data):
        return f"expected a PyG Data, got {type(graph).__name__}"
    if not any(name in graph for name in ("x", "pos", "num_nodes")):
        return "it has neither x nor num_nodes"
    if not graph.num_nodes:
        return "it has no nodes"
    if graph.edge_index is None and "adj_t" in graph and not is_sparse(graph["adj_t"]):
        return f"expected adj_t as a sparse matrix, got {_described(graph['adj_t'])}"
    edge_index = edges_of(graph)
    if edge_index is not None:
        if not isinstance(edge_index, Tensor) or edge_index.dtype != torch.long or edge_index.shape[:-1] != (2,):
            return f"expected edge_index [2, K] of int64, got {_described(edge_index)}"
        strange = edge_index[(edge_index < 0) | (edge_index >= graph.num_nodes)]
        if len(strange):
            return f"edge_index names node {int(strange[0])} of {graph.num_nodes}"
    edges = 0 if edge_index is None else edge_index.size(1)
    rows = {"x": (graph.num_nodes, "node"), "pos": (graph.num_nodes, "node")}
    rows |= {"edge_attr": (edges, "edge"), "true_edge": (edges, "edge")}
    return next(filter(None, (_fault_of(graph, name, *each) for name, each in rows.items() if name in graph)), "")


def edges_of(graph: Data) -> Tensor | None:
    """A graph's ``edge_index``, or that of its ``adj_t``; None where it has neither.

    >>> edges_of(Data(adj_t=torch.tensor([[0.0, 1.0], [0.0, 0.0]]).to_sparse_coo(), num_nodes=2))
    tensor([[1],
            [0]])
    """
    if graph.edge_index is not None or "adj_t" not in graph:
        return graph.edge_index
    return to_edge_index(graph["adj_t"])[0].flip(0)


def form(graph: Data) -> Form:
    """What a graph without a :func:`fault` consists of."""
    x, edge_attr, pos = graph.x, graph.edge_attr, graph.pos
    return Form(
        "" if x is None else _kind(x),
        0 if x is None else _table(x).size(1),
        edges_of(graph) is not None,
        "" if edge_attr is None else _kind(edge_attr),
        0 if edge_attr is None else _table(edge_attr).size(1),
        0 if pos is None else _table(pos).size(1),
    )


def misfits(graphs: Sequence[object], common: Form | None = None) -> tuple[Form | None, dict[int, str]]:
    """The form of most graphs, or the one given, and why the others cannot be used, by their position."""
    wrong = {position: why for position, graph in enumerate(graphs) if (why := fault(graph))}
    forms = {position: form(cast(Data, graph)) for position, graph in enumerate(graphs) if position not in wrong}
    if common is None and forms:
        ((common, _),) = Counter(forms.values()).most_common(1)
    others = {position: f"it has {each}, expected {common}" for position, each in forms.items() if each != common}
    return common, dict(sorted((wrong | others).items()))


def plain(graph: Data) -> Data:
    """A copy of a graph with nothing in it but what layers hear, as :class:`Problem` has it; the graph itself is not changed.

    Numbers become float32 and categories int64, features ``[n, columns]``; edges from a node to itself are left out.
    """
    count = cast(int, graph.num_nodes)
    edge_index = edges_of(graph)
    edge_index = torch.zeros(2, 0, dtype=torch.long) if edge_index is None else edge_index
    keep = edge_index[0] != edge_index[1]
    held = Data(x=torch.ones(count, 1) if graph.x is None else _features(graph.x), edge_index=edge_index[:, keep])
    if graph.edge_attr is not None:
        held.edge_attr = _features(graph.edge_attr)[keep]
    if graph.pos is not None:
        held.pos = _table(graph.pos).float()
    if "true_edge" in graph:
        held.true_edge = graph["true_edge"].bool()[keep]
    return held


def set_aside(problems: Mapping[int, str], count: int) -> tuple[str, ...]:
    """A note about graphs that are left out; none if there are none.

    Raises `ValueError` if they are half of all or more: then they are not what is wrong.
    """
    if not problems:
        return ()
    if 2 * len(problems) >= count:
        raise ValueError(f"{len(problems)} of {count} graphs cannot be used: {list_problems(dict(problems))}")
    return (f"{len(problems)} of {count} graphs were set aside: {list_problems(dict(problems))}",)


def _fault_of(graph: Data, name: str, rows: int, of: str) -> str:
    values = graph[name]
    if not isinstance(values, Tensor) or values.dim() not in (1, 2) or values.is_complex() or _is_sparse(values):
        return f"expected {name} [{rows}, columns] of numbers, got {_described(values)}"
    table = _table(values)
    if table.size(0) != rows or not table.size(1):
        return f"expected {name} of {rows} {of}s, got {_described(values)}"
    wrong = ~table.isfinite() if name in ("pos", "true_edge") or table.is_floating_point() else table < 0
    bad = wrong.any(1).nonzero().flatten().tolist()
    return f"{name} of {of} {bad[0]} is {table[bad[0]].tolist()}" if bad else ""


def _kind(values: Tensor) -> str:
    return "numbers" if values.is_floating_point() or values.dtype == torch.bool else "categories"


def _table(values: Tensor) -> Tensor:
    return values if values.dim() == 2 else values.unsqueeze(1)


def _features(values: Tensor) -> Tensor:
    return _table(values).float() if _kind(values) == "numbers" else _table(values).long()


def _is_sparse(values: Tensor) -> bool:
    return values.layout != torch.strided


def _described(values: object) -> str:
    if isinstance(values, Tensor):
        sparse = "sparse " if _is_sparse(values) else ""
        return f"{sparse}{str(values.dtype).removeprefix('torch.')} {list(values.shape)}"
    return type(values).__name__
