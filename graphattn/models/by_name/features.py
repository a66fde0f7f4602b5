"""From the features of graphs to the states of nodes: columns of numbers or categories, and their encoders.

Letters: ``N`` nodes, ``F`` channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.models.parts.embedding import CategoryEmbedding, Distinct, each_distinct
from graphattn.models.parts.reading import MeanOfNodes
from graphattn.slots import State
from graphattn.topology import Topology, WithHubs, read_sizes

MOST_CATEGORIES = 1000
"""Each category has a vector of its own; a column of larger integers is one of numbers."""


class FeatureColumns(NamedTuple):
    """What stands in the columns of a feature: so many numbers, or categories, each column with so many.

    Of numbers also ``mean`` and ``deviation`` of each column, by which networks standardise them; 0 and 1 if not given.
    ``missing`` are the columns in which values are missing (NaN).
    """

    numbers: int
    categories: tuple[int, ...]
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    missing: tuple[int, ...] = ()

    @classmethod
    def of(cls, features: Sequence[Tensor]) -> FeatureColumns:
        """Read from the features of all graphs, ``[..., columns]`` or ``[...]``.

        Raises:
            ValueError: graphs that differ in columns, or in whether these are numbers; a negative category, or one that is so
                large that it must be a number.

        >>> FeatureColumns.of([torch.tensor([[0, 4]]), torch.tensor([[2, 1]])])
        FeatureColumns(numbers=0, categories=(3, 5), mean=(), deviation=(), missing=())
        """
        rows = [as_rows(each) for each in features]
        seen = {(each.is_floating_point(), each.size(1)) for each in rows}
        if len(seen) != 1:
            words = sorted(f"{count} {'numbers' if floating else 'categories'}" for floating, count in seen)
            raise ValueError(f"expected the same columns in all graphs, got {' and '.join(words) or 'no graph'}")
        ((floating, count),) = seen
        every = torch.cat(rows)
        if floating:
            missing = every.isnan().any(0).nonzero().flatten().tolist()
            return cls(count, (), *_standard(every.double()), tuple(missing))
        if every.numel() and int(every.min()) < 0:
            raise ValueError(f"expected categories of 0 or more, got {int(every.min())}")
        if every.numel() and (largest := int(every.max())) >= MOST_CATEGORIES:
            column = int(every.amax(0).argmax())
            raise ValueError(
                f"expected at most {MOST_CATEGORIES:,} categories in a column of integers, got values up to {largest:,} in "
                f"column {column}: as numbers they would be floats (.float()), as categories they are numbered from 0"
            )
        return cls(0, tuple((every.amax(0) + 1).tolist()) if len(every) else (1,) * count)


@final
class Features(NamedTuple):
    """What a network has to know of the graphs of a problem: columns of nodes, and of edges and places where there are any.

    ``extent`` is how far nodes stand from the middle of their graph, root mean square.
    """

    nodes: FeatureColumns
    edges: FeatureColumns | None = None
    places: int = 0
    extent: float = 1.0

    @classmethod
    def of(cls, graphs: Sequence[Data]) -> Features:
        """Read from all graphs; labels are not looked at."""
        nodes = FeatureColumns.of([data["x"] for data in graphs])
        joined = all("edge_attr" in data for data in graphs)
        edges = FeatureColumns.of([data["edge_attr"] for data in graphs]) if joined else None
        if not all("pos" in data for data in graphs):
            return cls(nodes, edges)
        apart = torch.cat([data["pos"] - data["pos"].mean(0) for data in graphs if len(data["pos"])])
        return cls(nodes, edges, apart.size(1), float(apart.square().mean().sqrt()) or 1.0)

    def standardised(self, graphs: Sequence[Data]) -> Features:
        """The same columns, with means, deviations and gaps of these graphs alone, such as those of the training part.

        >>> graphs = [Data(x=torch.tensor([[1.0], [3.0]])), Data(x=torch.tensor([[100.0]]))]
        >>> Features.of(graphs).standardised(graphs[:1]).nodes
        FeatureColumns(numbers=1, categories=(), mean=(2.0,), deviation=(1.0,), missing=())
        """
        of, edges = Features.of(graphs), self.edges
        if edges is not None and of.edges is not None:
            edges = edges._replace(mean=of.edges.mean, deviation=of.edges.deviation, missing=of.edges.missing)
        nodes = self.nodes._replace(mean=of.nodes.mean, deviation=of.nodes.deviation, missing=of.nodes.missing)
        return Features(nodes, edges, self.places, of.extent)


def as_rows(feature: Tensor) -> Tensor:
    """``[N, columns]``; one column may come as ``[N]``, and what is neither long nor floating becomes a category."""
    rows = feature.unsqueeze(1) if feature.dim() == 1 else feature
    return rows if rows.is_floating_point() else rows.long()


def _standard(rows: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each column, of the values that are there; 1 where a column is all the same."""
    if not len(rows):
        return (), ()
    if bool(rows.isnan().any()):
        mean = rows.nanmean(0).nan_to_num()
        deviation = (rows - mean).square().nanmean(0).sqrt().nan_to_num()
    else:
        deviation, mean = torch.std_mean(rows, dim=0, correction=0)
    return tuple(mean.tolist()), tuple(torch.where(deviation > 1e-9, deviation, 1.0).tolist())


def encoder(columns: FeatureColumns, channels: int) -> CategoryEncoder | NumberEncoder:
    """A linear map of numbers, or the sum of a learned vector for each category: ``[N, columns] -> [N, F]``."""
    return CategoryEncoder(columns.categories, channels) if columns.categories else NumberEncoder(columns, channels)


@final
class NodeEncoder(nn.Module):
    """The states of nodes: what is made of ``x``, and a linear map of ``pos`` from the middle of the graph, if there is one.

    Args:
        features: of the problem.
        channels: ``F``.

    Shapes: a batch of ``N`` nodes -> ``[N, F]``.
    """

    def __init__(self, features: Features, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.start = encoder(features.nodes, channels)
        flat = (0.0,) * features.places, (features.extent,) * features.places
        self.place = NumberEncoder(FeatureColumns(features.places, (), *flat), channels) if features.places else None
        self.middle = MeanOfNodes(channels, heads=1)

    def forward(self, data: Data) -> Tensor:
        start = self.start(data["x"])
        if self.place is None:
            return start
        sizes, pos = read_sizes(data), data["pos"]
        middle = self.middle(pos, sizes).repeat_interleave(sizes.ptr.diff(), dim=0, output_size=len(pos))
        return start + self.place(pos - middle)


def edge_weights(data: Data, graph: Topology, hubs: int = 0) -> State | None:
    """Weights of all edges of a list that begins with those of the data; others, such as self-loops that a layer adds, weigh 1.

    Args:
        data: a batch; without ``edge_weight`` all weigh 1, and nothing is returned.
        graph: of its edges.
        hubs: virtual nodes that each graph gets beside.

    >>> data = Data(edge_index=torch.tensor([[0], [1]]), edge_weight=torch.tensor([0.5]), num_nodes=2)
    >>> edge_weights(data, Edges(torch.tensor([[0, 0, 1], [1, 0, 1]])))
    {'edge_attr': tensor([0.5000, 1.0000, 1.0000])}
    """
    if "edge_weight" not in data:
        return None
    weight, count = data["edge_weight"], (WithHubs(graph, hubs) if hubs else graph).num_edges
    return {"edge_attr": torch.cat([weight, weight.new_ones(count - len(weight))])}


@final
class NumberEncoder(nn.Module):
    """A linear map of standardised numbers, which may come in any precision; a missing one (NaN) is replaced by the mean.

    Each column of which values were missing in training has a second one beside it, 1 where the value is missing.

    >>> columns = FeatureColumns.of([torch.tensor([[1.0], [3.0], [torch.nan]])])
    >>> map = NumberEncoder(columns, channels=4).map
    >>> columns.mean, map.in_features
    ((2.0,), 2)
    """

    mean: Tensor
    deviation: Tensor
    missing: Tensor

    def __init__(self, columns: FeatureColumns, channels: int) -> None:
        super().__init__()
        self.map = nn.Linear(columns.numbers + len(columns.missing), channels)
        self.register_buffer("mean", torch.tensor(columns.mean or (0.0,) * columns.numbers))
        self.register_buffer("deviation", torch.tensor(columns.deviation or (1.0,) * columns.numbers))
        self.register_buffer("missing", torch.tensor(columns.missing, dtype=torch.long), persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:
        given = as_rows(numbers)
        absent = given.isnan()
        known = torch.where(absent, 0.0, (given.to(self.mean.dtype) - self.mean) / self.deviation)
        return self.map(
            torch.cat([known, absent[:, self.missing].to(known.dtype)], dim=1) if len(self.missing) else known
        )

    def distinct(self, numbers: Tensor) -> Distinct:
        """The same; all rows are taken to be different."""
        return each_distinct(self(numbers))


@final
class CategoryEncoder(nn.Module):
    """The sum of a learned vector for each category; those that no graph of the problem had are one more category.

    >>> encoder = CategoryEncoder((2, 3), channels=4)
    >>> encoder(torch.tensor([[1, 3]])).equal(encoder(torch.tensor([[1, 99]])))
    True
    """

    last: Tensor

    def __init__(self, sizes: Sequence[int], channels: int) -> None:
        super().__init__()
        self.embedding = CategoryEmbedding([size + 1 for size in sizes], channels)
        self.register_buffer("last", torch.tensor(sizes), persistent=False)

    def known(self, categories: Tensor) -> Tensor:
        """The categories, and what is unknown as the last of its column."""
        return as_rows(categories).minimum(self.last)

    def forward(self, categories: Tensor) -> Tensor:
        return self.embedding(self.known(categories))

    def distinct(self, categories: Tensor) -> Distinct:
        """The same, each different row ``[K, columns]`` once."""
        return self.embedding.distinct(self.known(categories))
