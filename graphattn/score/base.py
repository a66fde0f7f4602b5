"""What a score may know besides how to compare two states: a part per node, and how it works on whole matrices.

Letters: ``E`` edges, ``N`` nodes, ``H`` heads, ``C`` channels per head, ``n`` receivers and ``m`` senders of a matrix.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

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


def is_product(score: object) -> TypeGuard[ProductScore]:
    """Whether it is a :class:`ProductScore`; asked on every call, where asking the protocol itself would be slow."""
    return hasattr(score, "factor")


def has_node_part(score: object) -> TypeGuard[NodeScore]:
    """Whether it is a :class:`NodeScore`, likewise."""
    return hasattr(score, "prepare") and hasattr(score, "compare") and hasattr(score, "linear_in_key")


def dot(query: Tensor, key: Tensor) -> Tensor:
    """The dot product of each query with its key, ``[..., C], [..., C] -> [...]``."""
    return (query * key).sum(-1)


def prepare(score: Score, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
    """The part of the score that is computed per node; query and key as they are, where there is none."""
    return score.prepare(query, key, graph) if has_node_part(score) else (query, key)


def compare(score: Score, query: Tensor, key: Tensor) -> Tensor:
    """The score of prepared queries and keys, ``[E, H, C'], [E, H, C'] -> [E, H]``."""
    return score.compare(query, key) if has_node_part(score) else score(query, key)


def knows_matrices(score: Score) -> bool:
    """Whether :func:`matrix` can be asked."""
    return is_product(score) or (_may_know_matrices(score) and score.on_matrices)


def matrix(score: Score, query: Tensor, key: Tensor) -> Tensor:
    """All prepared queries with all prepared keys, ``[H, ..., n, C'], [H, ..., m, C'] -> [H, ..., n, m]``.

    Raises:
        ValueError: a score that does not know how, by name.
    """
    if is_product(score):
        return (query * score.factor(query.size(-1))) @ key.transpose(-1, -2)
    if _may_know_matrices(score) and score.on_matrices:
        return score.matrix(query, key)
    raise ValueError(f"expected a score that works on matrices, got {type(score).__name__}")


def _may_know_matrices(score: object) -> TypeGuard[MatrixScore]:
    return hasattr(score, "matrix") and hasattr(score, "on_matrices")
