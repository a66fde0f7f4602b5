"""Which graphs of a list can be used: what is wrong with one, what all have in common, and copies with nothing else in them.

Layers differ in what they read of edges: ``reads`` names what is looked at, of :data:`READ_BY_SOME`. What is not read is not
demanded, and is in no copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import is_sparse, to_edge_index

from graphattn.data.wording import list_problems

READ_BY_SOME = frozenset({"edge_attr", "edge_weight"})
"""What some layers read of edges and others do not."""


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
    edge_weight: bool = False

    def __str__(self) -> str:
        parts = (
            f"x of {self.columns} {self.x}" if self.x else "",
            "edge_index" if self.edge_index else "",
            f"edge_attr of {self.edge_columns} {self.edge_attr}" if self.edge_attr else "",
            f"pos in {self.pos} dimensions" if self.pos else "",
        )
        return ", ".join(filter(None, parts)) or "nothing"

    def read(self, reads: Collection[str]) -> Form:
        """The same without what is not read; weights are read as a feature of edges, too."""
        attr = (self.edge_attr, self.edge_columns) if "edge_attr" in reads else ("", 0)
        return self._replace(edge_attr=attr[0], edge_columns=attr[1], edge_weight=self.edge_weight and bool(reads))


def fault(graph: object, reads: Collection[str] = READ_BY_SOME) -> str:
    """Why a graph cannot be used, whatever the others are; ``""`` if it can. A number that is missing (NaN) is no reason.

    >>> fault(Data(x=torch.tensor([[0.5, 1.0], [float("nan"), float("-inf")]])))
    'x of node 1 is -inf in feature 1'
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
    held = {name: (graph[name], graph.num_nodes, "node") for name in ("x", "pos") if name in graph}
    if "edge_attr" in reads and "edge_attr" in graph:
        held["edge_attr"] = graph["edge_attr"], edges, "edge"
    if reads and (weight := _weight(graph)) is not None:
        held["edge_weight"] = weight, edges, "edge"
    if "true_edge" in graph:
        held["true_edge"] = graph["true_edge"], edges, "edge"
    return next(filter(None, (_fault_of(name, *each) for name, each in held.items())), "")


def edges_of(graph: Data) -> Tensor | None:
    """A graph's ``edge_index``, or that of its ``adj_t``; None where it has neither.

    >>> edges_of(Data(adj_t=torch.tensor([[0.0, 1.0], [0.0, 0.0]]).to_sparse_coo(), num_nodes=2))
    tensor([[1],
            [0]])
    """
    if graph.edge_index is not None or "adj_t" not in graph:
        return graph.edge_index
    return to_edge_index(graph["adj_t"])[0].flip(0)


def _weight(graph: Data) -> object:
    """``edge_weight`` as it is, or the values of ``adj_t`` where they are not all 1; None where there is neither."""
    if graph.edge_index is not None or "adj_t" not in graph:
        return graph.edge_weight if "edge_weight" in graph else None
    values = to_edge_index(graph["adj_t"])[1]
    weighs = values.dim() == 1 and values.is_floating_point() and bool((values != 1).any())
    return values if weighs else None


def weighted(graph: Data) -> bool:
    """Whether the edges of a graph have weights.

    >>> weighted(Data(edge_index=torch.zeros(2, 0).long(), edge_weight=torch.zeros(0)))
    True
    """
    return _weight(graph) is not None


def form(graph: Data, reads: Collection[str] = READ_BY_SOME) -> Form:
    """What a graph without a :func:`fault` consists of."""
    x, edge_attr, pos = graph.x, graph.edge_attr if "edge_attr" in reads else None, graph.pos
    return Form(
        "" if x is None else _kind(x),
        0 if x is None else _table(x).size(1),
        edges_of(graph) is not None,
        "" if edge_attr is None else _kind(edge_attr),
        0 if edge_attr is None else _table(edge_attr).size(1),
        0 if pos is None else _table(pos).size(1),
        bool(reads) and _weight(graph) is not None,
    )


def misfits(
    graphs: Sequence[object], common: Form | None = None, reads: Collection[str] = READ_BY_SOME
) -> tuple[Form | None, dict[int, str]]:
    """The form of most graphs, or the one given, and why the others cannot be used, by their position.

    Weights are no difference: where some graphs have them, edges of the others weigh 1.
    """
    wrong = {position: why for position, graph in enumerate(graphs) if (why := fault(graph, reads))}
    forms = {position: form(cast(Data, graph), reads) for position, graph in enumerate(graphs) if position not in wrong}
    weighted = any(each.edge_weight for each in forms.values()) if common is None else common.edge_weight
    forms = {position: each._replace(edge_weight=weighted) for position, each in forms.items()}
    if common is None and forms:
        ((common, _),) = Counter(forms.values()).most_common(1)
    others = {position: f"it has {each}, expected {common}" for position, each in forms.items() if each != common}
    return common, dict(sorted((wrong | others).items()))


def plain(graph: Data, common: Form | None = None, reads: Collection[str] = READ_BY_SOME) -> Data:
    """A copy of a graph with nothing in it but what layers hear, as :class:`Problem` has it; the graph itself is not changed.

    Numbers become float32 and categories int64, features ``[n, columns]``. Weights of edges are float64 ``[K]``, and one more
    column of features that are numbers.

    Args:
        graph: without a :func:`fault`.
        common: what is in the copies of all graphs; the graph's own form if not given.
        reads: what layers read.

    >>> graph = Data(x=torch.tensor([1, 2]), edge_index=torch.tensor([[0], [1]]), edge_weight=torch.tensor([0.5]))
    >>> plain(graph)
    Data(x=[2, 1], edge_index=[2, 1], edge_weight=[1], edge_attr=[1, 1])
    """
    common = (form(graph, reads) if common is None else common).read(reads)
    count, edge_index = cast(int, graph.num_nodes), edges_of(graph)
    edge_index = torch.zeros(2, 0, dtype=torch.long) if edge_index is None else edge_index
    held = Data(x=torch.ones(count, 1) if graph.x is None else _features(graph.x), edge_index=edge_index)
    features = [_features(cast(Tensor, graph.edge_attr))] if common.edge_attr else []
    if common.edge_weight:
        weight = _weight(graph)
        weight = (
            weight.double().flatten()
            if isinstance(weight, Tensor)
            else edge_index.new_ones(edge_index.size(1)).double()
        )
        held.edge_weight = weight
        if "edge_attr" in reads and common.edge_attr != "categories":
            features.append(weight.float()[:, None])
    if features:
        held.edge_attr = torch.cat(features, dim=1)
    if graph.pos is not None:
        held.pos = _table(graph.pos).float()
    if "true_edge" in graph:
        held.true_edge = graph["true_edge"].bool()
    return held


def gaps(graphs: Sequence[Data], reads: Collection[str] = READ_BY_SOME) -> tuple[str, ...]:
    """A sentence for each feature of which values are missing (NaN).

    >>> gaps([Data(x=torch.tensor([[0.5, 1.0], [float("nan"), 2.0]]), feature_names=["area", "length"])])
    ('feature 0 (area): 1 of 2 values missing, replaced by the mean of the training part',)
    """
    found = []
    for name, what in (("x", "feature"), ("edge_attr", "edge feature")):
        held = [_table(graph[name]) for graph in graphs if name in graph and (name == "x" or name in reads)]
        if not held or not any(each.is_floating_point() for each in held):
            continue
        missing = torch.stack([each.isnan().sum(0) for each in held]).sum(0)
        names = graphs[0]["feature_names"] if name == "x" and "feature_names" in graphs[0] else ()
        total = sum(map(len, held))
        for column in missing.nonzero().flatten().tolist():
            called = f"{what} {column}" + (f" ({names[column]})" if column < len(names) else "")
            rest = "values missing, replaced by the mean of the training part"
            found.append(f"{called}: {int(missing[column]):,} of {total:,} {rest}")
    return tuple(found)


def set_aside(problems: Mapping[int, str], count: int) -> tuple[str, ...]:
    """A note about graphs that are left out; none if there are none.

    Raises:
        ValueError: they are half of all or more: then they are not what is wrong.
    """
    if not problems:
        return ()
    if 2 * len(problems) >= count:
        raise ValueError(f"{len(problems)} of {count} graphs cannot be used: {list_problems(dict(problems))}")
    return (f"{len(problems)} of {count} graphs were set aside: {list_problems(dict(problems))}",)


def _fault_of(name: str, values: object, rows: int, of: str) -> str:
    if not isinstance(values, Tensor) or values.dim() not in (1, 2) or values.is_complex() or _is_sparse(values):
        why = "Complex data not supported: " if isinstance(values, Tensor) and values.is_complex() else ""
        return f"{why}expected {name} [{rows}, columns] of numbers, got {_described(values)}"
    table = _table(values)
    if not table.size(1):
        return f"{name} has 0 feature(s) (shape={tuple(table.shape)}) while a minimum of 1 is required"
    if table.size(0) != rows:
        return f"expected {name} of {rows} {of}s, got {_described(values)}"
    if name == "edge_weight" and table.size(1) > 1:
        return f"expected one {name} for each edge, got {_described(values)}"
    features = name in ("x", "edge_attr")
    allowed = ~table.isinf() if table.is_floating_point() else table >= 0
    places = (~(allowed if features else table.isfinite())).nonzero().tolist()
    if not places:
        return ""
    row, column = places[0]
    return f"{name} of {of} {row} is {table[row, column].item()}" + (f" in feature {column}" if features else "")


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
