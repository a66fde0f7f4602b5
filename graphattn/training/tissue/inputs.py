"""What a model of tissue reads: measurements and types of cells by name, their unit and builder; and which graphs have that."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import torch
from torch_geometric.data import Data

from graphattn.data.graphs import fault
from graphattn.data.wording import listed


@final
@dataclass(frozen=True)
class TissueForm:
    """What tissue graphs consist of, by name.

    Args:
        features: measurements of cells.
        types: of cells; each is one more column of 0 and 1.
        unit: of positions: ``um``, ``px``, or ``""`` where graphs do not say it.
        builder: what joined neighbours, such as ``knn:8``; ``""`` where graphs do not say it.
        edges: features of edges.
        mpp: micrometres per pixel: the least and the largest; none if no graph says it.
    """

    features: tuple[str, ...]
    types: tuple[str, ...]
    unit: str = ""
    builder: str = ""
    edges: tuple[str, ...] = ()
    mpp: tuple[float, ...] = ()

    @classmethod
    def of(cls, graphs: Sequence[Data], without_types: bool = False) -> Self:
        """Of most graphs; types and sizes of pixels of all.

        Args:
            graphs: to train on.
            without_types: whether types are what is learned, so that nothing may tell them.

        >>> graph = Data(x=torch.ones(2, 1), feature_names=["area"], unit="um", builder="knn:8", mpp=0.5)
        >>> TissueForm.of([graph])
        TissueForm(features=('area',), types=(), unit='um', builder='knn:8', edges=(), mpp=(0.5, 0.5))
        """
        ((common, _),) = Counter((_features(each), *_rules(each)) for each in graphs).most_common(1)
        types = () if without_types else tuple(sorted({name for graph in graphs for name in types_in(graph)}))
        sizes = [float(graph["mpp"]) for graph in graphs if math.isfinite(float(graph.get("mpp") or math.nan))]
        edges = tuple(name for name in common[3] if not (without_types and name == "same type"))
        return cls(common[0], types, common[1], common[2], edges, (min(sizes), max(sizes)) if sizes else ())

    def without(self, name: str) -> Self:
        """The same without a measurement, if there is one of that name, as it is what is learned."""
        return dataclasses.replace(self, features=tuple(each for each in self.features if each != name))

    def misfit(self, graph: Data) -> str:
        """Why a graph cannot be used; ``""`` if it can."""
        if wrong := fault(graph):
            return wrong
        if lacking := [name for name in self.features if name not in _features(graph)]:
            has = listed(_features(graph), most=5) or "none"
            return f"it lacks the features {listed(lacking, most=5)}; it has {has}"
        unit, builder, edges = _rules(graph)
        if unit != self.unit:
            return f"its positions are in {unit or 'no known unit'}, expected {self.unit or 'no known unit'}"
        if builder != self.builder:
            return f"its edges are by {builder or 'no known builder'}, expected {self.builder or 'no known builder'}"
        if lacking := [name for name in self.edges if name not in edges]:
            return f"its edges lack the features {listed(lacking)}"
        if self.types and types_in(graph) and not set(types_in(graph)) & set(self.types):
            return f"its types of cells are {listed(types_in(graph), most=5)}, expected {listed(self.types, most=5)}"
        return ""

    def notes(self, graph: Data) -> list[str]:
        """What is different in a graph that can be used: types that are not known, pixels of another size."""
        found = []
        if strange := [name for name in types_in(graph) if self.types and name not in self.types]:
            found.append(f"types {listed(strange, most=5)} are not known: such cells count as cells without a type")
        size = float(graph.get("mpp") or math.nan)
        if self.mpp and math.isfinite(size) and not 0.99 * self.mpp[0] <= size <= 1.01 * self.mpp[1]:
            known = "-".join(dict.fromkeys(f"{each:g}" for each in self.mpp))
            found.append(f"pixels are of {size:g} um, in training of {known} um: measurements may differ")
        return found

    def applied(self, graph: Data) -> Data:
        """A copy with these features in this order, and a column of 0 and 1 for each type; without either the number 1.

        >>> form = TissueForm(("area",), ("b", "t"))
        >>> cells = Data(x=torch.tensor([[5.0, 31.0]]), feature_names=["length", "area"], cell_type=torch.tensor([0]))
        >>> form.applied(cells.update({"cell_type_names": ["t"]})).x.tolist()
        [[31.0, 0.0, 1.0]]
        """
        made = graph.clone()
        columns = []
        if self.features:
            names = _features(graph)
            columns.append(
                graph["x"].reshape(graph.num_nodes, -1)[:, [names.index(name) for name in self.features]].float()
            )
        if self.types:
            made.cell_type, made.cell_type_names = self._types(graph), list(self.types)
            columns.append((made.cell_type[:, None] == torch.arange(len(self.types))).float())
        made.x = torch.cat(columns, dim=1) if columns else torch.ones(graph.num_nodes or 0, 1)
        made.feature_names = [*self.features, *(f"type {name}" for name in self.types)]
        if self.edges:
            known = list(graph["edge_feature_names"])
            made.edge_attr = graph["edge_attr"][:, [known.index(name) for name in self.edges]]
            made.edge_feature_names = list(self.edges)
        elif "edge_attr" in made:
            del made["edge_attr"]
        return made

    def _types(self, graph: Data) -> torch.Tensor:
        """Numbers of types by their names here; -1 of those that are not known."""
        names = graph.get("cell_type_names") or ()
        if not names:
            return torch.full((graph.num_nodes or 0,), -1)
        number = torch.tensor([self.types.index(name) if name in self.types else -1 for name in [*names, None]])
        return number[graph["cell_type"]]  # -1 is the last, which is none

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises:
            ValueError: other names or values.
        """
        known = {each.name for each in dataclasses.fields(cls)}
        texts = all(isinstance(name, str) for key in ("features", "types", "edges") for name in values.get(key, ()))
        if set(values) != known or not texts or not all(isinstance(values[key], str) for key in ("unit", "builder")):
            raise ValueError(f"expected {', '.join(sorted(known))} of tissue, got {values!r}")
        features, types, edges, mpp = (tuple(values[name]) for name in ("features", "types", "edges", "mpp"))
        return cls(features, types, values["unit"], values["builder"], edges, mpp)


def types_in(graph: Data) -> list[str]:
    """Types that cells of a graph have, by name.

    >>> types_in(Data(cell_type=torch.tensor([1, -1]), cell_type_names=["b", "t"]))
    ['t']
    """
    names = graph.get("cell_type_names") or ()
    return (
        [names[at] for at in sorted(set(graph["cell_type"].tolist())) if at >= 0]
        if names and "cell_type" in graph
        else []
    )


def _features(graph: Data) -> tuple[str, ...]:
    names = graph.get("feature_names")
    if names:
        return tuple(map(str, names))
    return () if graph.x is None else tuple(f"feature {at}" for at in range(graph.x.reshape(len(graph.x), -1).size(1)))


def _rules(graph: Data) -> tuple[str, str, tuple[str, ...]]:
    """Unit, builder, and names of the features of edges."""
    return str(graph.get("unit") or ""), str(graph.get("builder") or ""), tuple(graph.get("edge_feature_names") or ())
