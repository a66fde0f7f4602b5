"""What a score may know besides how to compare two states: a part per node, and how it works on whole matrices.

Letters: ``E`` edges, ``N`` nodes, ``H`` heads, ``C`` channels per head, ``n`` receivers and ``m`` senders of a matrix.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from graphattn.slots import Score
from graphattn.topology import Topology


@runtime_checkable
class NodeScore(Protocol):
    """A score with a part that is computed once per node, before any edge exists.

    The score is what ``compare`` makes of the prepared query and key. ``linear_in_key`` tells whether preparing is linear in
    the key, so that the key of an edge can be added after it.
    """

    @property
    def linear_in_key(self) -> bool: ...

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        """``query [N_i, H, C]``, ``key [N_j, H, C]`` -> what ``compare`` takes, node by node."""
        ...

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        """Prepared ``query [E, H, C']``, ``key [E, H, C']`` -> ``[E, H]``."""
        ...


@runtime_checkable
class ProductScore(Protocol):
    """A score that is the dot product of (prepared) query and key, times a number: what fused kernels compute."""

    def factor(self, channels: int) -> float:
        """What the plain dot product is multiplied with."""
        ...


@runtime_checkable
class MatrixScore(Protocol):
    """A score that needs no ``n x m x channels`` tensor to compare ``n`` receivers with ``m`` senders.

    ``on_matrices`` tells whether it does; a score around another one asks that one.
    """

    @property
    def on_matrices(self) -> bool: ...

    def matrix(self, query: Tensor, key: Tensor) -> Tensor:
        """Prepared ``query [H, ..., n, C']``, ``key [H, ..., m, C']`` -> ``[H, ..., n, m]``."""
        ...


def dot(query: Tensor, key: Tensor) -> Tensor:
    """The dot product of each query with its key, ``[..., C], [..., C] -> [...]``."""
    return (query * key).sum(-1)


def prepare(score: Score, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
    """The part of the score that is computed per node; query and key as they are, where there is none."""
    return score.prepare(query, key, graph) if isinstance(score, NodeScore) else (query, key)


def compare(score: Score, query: Tensor, key: Tensor) -> Tensor:
    """The score of prepared queries and keys, ``[E, H, C'], [E, H, C'] -> [E, H]``."""
    return score.compare(query, key) if isinstance(score, NodeScore) else score(query, key)


def knows_matrices(score: Score) -> bool:
    """Whether :func:`matrix` can be asked."""
    return isinstance(score, ProductScore) or (isinstance(score, MatrixScore) and score.on_matrices)


def matrix(score: Score, query: Tensor, key: Tensor) -> Tensor:
    """All prepared queries with all prepared keys, ``[H, ..., n, C'], [H, ..., m, C'] -> [H, ..., n, m]``.

    Raises:
        ValueError: a score that does not know how, by name.
    """
    if isinstance(score, ProductScore):
        return (query * score.factor(query.size(-1))) @ key.transpose(-1, -2)
    if isinstance(score, MatrixScore) and score.on_matrices:
        return score.matrix(query, key)
    raise ValueError(f"expected a score that works on matrices, got {type(score).__name__}")
