"""Molecules packed into a few long tensors, so that a batch is cut out by indexing.

PyG's own collation visits every molecule of every batch in Python; cutting from packed tensors does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import QuantileTransformer
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.data.molecules.fingerprints import BITS

_JOINED = {"x": 0, "random_walk": 0, "edge_index": 1, "edge_attr": 0, "distance": 0}
_OF_ATOMS = {"x": torch.int64, "random_walk": torch.float32}


class Standardiser:
    """Descriptors as standardised normal scores, cut at +-6; missing values become 0, the mean.

    A value is replaced by the normal deviate of the share of training molecules that have less (cut at +-3), so that no outlier
    stands out; the scores of each column are then brought to mean 0 and deviation 1.

    Args:
        knots: float64 ``[Q, D]``, the quantiles 0, 1 / (Q - 1), ..., 1 of each column's finite training values.
        mean, deviation: float64 ``[D]``, of the normal scores of the training molecules.

    Raises:
        ValueError: statistics that do not fit; a matrix with another number of columns than the one it was made from.

    >>> fitted = Standardiser.of(torch.tensor([[1.0], [2.0], [3.0], [float("nan")]]))
    >>> fitted(torch.tensor([[1.0], [2.0], [float("nan")], [1e9]])).squeeze().tolist()
    [-1.22, 0.0, 0.0, 1.22]
    """

    quantiles = 32
    limit = 6.0

    def __init__(self, knots: Tensor, mean: Tensor, deviation: Tensor) -> None:
        self.knots, self.mean, self.deviation = knots.double(), mean.double(), deviation.double()
        width = self.knots.shape[1:]
        if self.knots.dim() != 2 or not len(knots) or self.mean.shape != width or self.deviation.shape != width:
            shapes = ", ".join(str(list(each.shape)) for each in (knots, mean, deviation))
            raise ValueError(f"expected knots [Q, D], mean [D] and deviation [D] of descriptors, got {shapes}")
        finite = all(bool(each.isfinite().all()) for each in (self.knots, self.mean, self.deviation))
        if not finite or bool((self.knots.diff(dim=0) < 0).any()) or not bool((self.deviation > 0).all()):
            raise ValueError("expected finite descriptor statistics, knots that do not fall and deviations above 0")

    @property
    def width(self) -> int:
        """Number D of descriptors."""
        return self.knots.size(1)

    @classmethod
    def of(cls, raw: Tensor) -> "Standardiser":
        """Statistics of the finite values of each column of ``raw`` [N, D]; a column without any counts as constant."""
        values = np.where(raw.isfinite().numpy(), raw.double().numpy(), np.nan)
        values[:, np.isnan(values).all(0)] = 0
        quantiles = np.nanquantile(values, np.linspace(0, 1, cls.quantiles), axis=0)
        # Ten digits, so that constants are constant and a saved model stays small.
        digits = [[float(f"{value:.10g}") for value in row] for row in np.maximum.accumulate(quantiles)]
        knots = torch.tensor(digits, dtype=torch.float64).reshape(cls.quantiles, -1)
        scores = _normal_scores(raw, knots)
        known = scores.isfinite()
        count = known.sum(0).clamp(min=1)
        mean = torch.where(known, scores, 0.0).sum(0) / count
        deviation = torch.where(known, scores - mean, 0.0).square().sum(0).div(count).sqrt()
        return cls(knots, mean, torch.where(deviation > 1e-9, deviation, 1.0))

    def __call__(self, raw: Tensor) -> Tensor:
        """``raw`` [N, D] -> float32 [N, D]."""
        if raw.shape[1] != self.width:
            raise ValueError(f"expected {self.width} descriptors per molecule, as in training; got {raw.shape[1]}")
        scaled = (_normal_scores(raw, self.knots) - self.mean) / self.deviation
        return scaled.nan_to_num(0.0).clamp(-self.limit, self.limit).float()

    def to_dict(self) -> dict[str, Any]:
        """The statistics as lists, for JSON."""
        return {"knots": self.knots.tolist(), "mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Standardiser":
        """The inverse of ``to_dict``."""
        return cls(*(torch.tensor(stored[name], dtype=torch.float64) for name in ("knots", "mean", "deviation")))


def _normal_scores(raw: Tensor, knots: Tensor) -> Tensor:
    """float64 [N, D], cut at +-3; NaN for missing values, 0 where the knots are all equal."""
    if not len(raw):
        return raw.double()
    scores = QuantileTransformer(n_quantiles=len(knots), output_distribution="normal")
    fitted = {
        "quantiles_": knots.numpy(),
        "references_": np.linspace(0, 1, len(knots)),
        "n_features_in_": knots.size(1),
    }
    vars(scores).update(fitted)
    values = np.where(raw.isfinite().numpy(), raw.double().numpy(), np.nan)
    found = torch.from_numpy(scores.transform(values)).clamp(-3, 3)
    return torch.where(knots[0] < knots[-1], found, 0.0)


class Packed(torch.utils.data.Dataset):
    """Molecular graphs as long tensors; ``packed[positions]`` is a PyG ``Batch`` of them, in that order.

    Args:
        nodes, edges: int64 ``[molecules]``, how many atoms, and bonds in both directions, each molecule has.
        parts: ``x``, ``random_walk``, ``edge_index``, ``edge_attr`` and ``distance`` of all molecules, one behind the other, as
            ``graphattn.data.to_data`` makes them; whole numbers of any width.
        beside: what each molecule brings as a row, by name: ``y``, ``weight``, ``descriptors``, ...
    """

    def __init__(
        self, nodes: Tensor, edges: Tensor, parts: Mapping[str, Tensor], beside: Mapping[str, Tensor] | None = None
    ) -> None:
        self.nodes, self.edges, self.parts, self.beside = nodes, edges, dict(parts), dict(beside or {})
        self.starts = [_offsets(count)[:-1] for count in (nodes, edges, nodes.square())]

    @classmethod
    def of(cls, graphs: Sequence[Data], standardiser: Standardiser | None = None, table: int = 0) -> "Packed":
        """The graphs of ``to_data``, with ``y`` [1, T], ``weight`` [1], raw ``descriptors`` [1, D], ``fingerprint`` where used.

        ``standardiser=None`` leaves descriptors out, and ``table=0`` the columns that a forest reads.

        Raises:
            ValueError: no graphs; one without descriptors or without a fingerprint.
        """
        if not graphs:
            raise ValueError("there are no molecules: expected at least one graph, got 0")
        nodes = torch.tensor([len(graph["x"]) for graph in graphs])
        edges = torch.tensor([len(graph["edge_attr"]) for graph in graphs])
        parts = {name: torch.cat([graph[name] for graph in graphs], dim=dim) for name, dim in _JOINED.items()}
        rows = ("y", "weight")
        beside = {name: torch.cat([graph[name] for graph in graphs]) for name in rows if name in graphs[0]}
        if standardiser:
            beside["descriptors"] = standardiser(raw_descriptors(graphs))
        if table:
            beside["table"] = table_of(graphs, table > BITS)
        return cls(nodes, edges, parts, beside)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, positions: Sequence[int] | np.ndarray | Tensor) -> Batch:
        chosen = torch.as_tensor(np.asarray(positions), dtype=torch.int64)
        sizes, edges = self.nodes[chosen], self.edges[chosen]
        atoms = _rows(self.starts[0][chosen], sizes)
        bonds = _rows(self.starts[1][chosen], edges)
        ptr = _offsets(sizes)
        shift = torch.repeat_interleave(ptr[:-1], edges)
        parts = {name: self.parts[name].index_select(0, atoms).to(kind) for name, kind in _OF_ATOMS.items()}
        batch = Batch(
            **parts,
            edge_index=self.parts["edge_index"].index_select(1, bonds) + shift,
            edge_attr=self.parts["edge_attr"].index_select(0, bonds).long(),
            distance=_pieces(self.parts["distance"], self.starts[2][chosen], sizes.square()).long(),
            ptr=ptr,
            batch=torch.repeat_interleave(torch.arange(len(chosen)), sizes),
        )
        for name, values in self.beside.items():
            batch[name] = values[chosen]
        return batch


def raw_descriptors(graphs: Sequence[Data]) -> Tensor:
    """Descriptors of the graphs, ``[N, D]``.

    Raises:
        ValueError: a graph without any.
    """
    for position, graph in enumerate(graphs):
        if "descriptors" not in graph:
            raise ValueError(f"the model reads descriptors, but the graph at position {position} has none")
    return torch.cat([graph["descriptors"] for graph in graphs])


def table_of(graphs: Sequence[Data], descriptors: bool) -> Tensor:
    """What a forest reads: counts of the fingerprints, and raw descriptors, missing ones as 0; float32 ``[N, 2048 + D]``.

    Raises:
        ValueError: a graph without a fingerprint, or without descriptors.
    """
    for position, graph in enumerate(graphs):
        if "fingerprint" not in graph:
            raise ValueError(f"the model reads fingerprints, but the graph at position {position} has none")
    counts = torch.cat([graph["fingerprint"] for graph in graphs]).float()
    if not descriptors:
        return counts
    # Trees compare with the mean of two values, which has to be a float32 as well.
    most = torch.finfo(torch.float32).max / 2
    return torch.cat([counts, raw_descriptors(graphs).nan_to_num(0.0).clamp(-most, most)], dim=1)


def _offsets(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _rows(starts: Tensor, counts: Tensor) -> Tensor:
    """Row numbers start, start + 1, ... of each piece, one piece after the other."""
    ptr = _offsets(counts)
    return torch.arange(int(ptr[-1])) + torch.repeat_interleave(starts - ptr[:-1], counts)


def _pieces(values: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
    """The values of each piece, one piece after the other; where pieces are long, their rows need no numbers."""
    pieces = [values.narrow(0, *piece) for piece in zip(starts.tolist(), counts.tolist(), strict=True)]
    return torch.cat(pieces) if pieces else values[:0]
