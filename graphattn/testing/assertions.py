"""Assertions: backends agree, batched equals alone, renumbered equals renumbered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor
from torch.testing import assert_close

from graphattn.backends import BACKENDS, use_backend
from graphattn.layer import GraphLayer
from graphattn.slots import State
from graphattn.topology import Topology, read_sizes

Inputs = Tensor | tuple[Tensor, Tensor | None]


def assert_backends_agree(layer: GraphLayer, x: Inputs, graph: Topology, edge: State | None = None) -> list[str]:
    """Every backend that supports the layer gives the same values and gradients as ``edgewise``: float64, within 1e-9.

    Returns the names of the backends compared, so that a test can require one.

    Raises:
        AssertionError: a difference, with its place and size.

    >>> layer = SelfAttention(4, heads=2).double()
    >>> assert_backends_agree(layer, torch.randn(5, 4, dtype=torch.float64), Full([2, 3]))
    ['dense', 'edgewise']
    """
    edge = edge or {}
    results: dict[str, list[Tensor]] = {}
    for backend in BACKENDS:
        with use_backend(backend.name):
            try:
                results[backend.name] = _values_and_gradients(layer, x, graph, edge)
            except ValueError as error:
                if "refuses" not in str(error):
                    raise
    for name, result in results.items():
        for ours, truth in zip(result, results["edgewise"], strict=True):
            assert_close(ours, truth, rtol=1e-9, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")
    return list(results)


def assert_batched_equals_alone(
    layer: GraphLayer,
    x: Tensor,
    sizes: list[int],
    topology: Callable[[list[int]], Topology],
    edge: Callable[[Topology], State] = lambda graph: {},
) -> None:
    """A graph hears the same in a batch as alone: values, float64, within 1e-9.

    ``topology(sizes)`` builds both, ``edge(graph)`` their edge features.

    Raises:
        AssertionError: a difference, with its place and size.

    >>> x = torch.randn(5, 4, dtype=torch.float64)
    >>> assert_batched_equals_alone(SelfAttention(4).double(), x, [2, 0, 3], Full)
    """

    def heard(x: Tensor, sizes: list[int]) -> Tensor:
        graph = topology(sizes)
        return layer(x, graph, edge(graph))

    ends = read_sizes(sizes).ptr.tolist()
    alone = [heard(x[start:end], [end - start]) for start, end in pairwise(ends)]
    assert_close(heard(x, sizes), torch.cat(alone), rtol=1e-9, atol=1e-9)


def assert_permutation_equivariant(
    layer: Callable[[Tensor, Tensor], Tensor], x: Tensor, edge_index: Tensor, permutation: Tensor
) -> None:
    """Renumbered nodes give renumbered results: ``layer(x, edge_index)``, float64, within 1e-9.

    ``permutation[new]`` is the old number of a node.

    Raises:
        AssertionError: a difference, with its place and size.

    >>> edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    >>> x = torch.randn(3, 4, dtype=torch.float64)
    >>> assert_permutation_equivariant(GCN(4, 4).double(), x, edges, torch.tensor([2, 0, 1]))
    """
    renumbered = permutation.argsort()[edge_index]
    assert_close(layer(x[permutation], renumbered), layer(x, edge_index)[permutation], rtol=1e-9, atol=1e-9)


def _values_and_gradients(layer: GraphLayer, x: Inputs, graph: Topology, edge: State) -> list[Tensor]:
    def leaf(tensor: Tensor | None) -> Tensor | None:
        return tensor if tensor is None else tensor.detach().requires_grad_(tensor.is_floating_point())

    given = (leaf(x[0]), leaf(x[1])) if isinstance(x, tuple) else leaf(x)
    known = {name: leaf(value) for name, value in edge.items()}
    torch.manual_seed(0)  # the same edge dropout on every backend
    out = layer(given, graph, known)  # pyright: ignore[reportArgumentType]
    leaves = [*(given if isinstance(given, tuple) else (given,)), *known.values(), *layer.parameters()]
    wanted = [tensor for tensor in leaves if tensor is not None and tensor.requires_grad]
    # A nonlinear loss, so that a wrong value shows in every gradient.
    return [out.detach(), *torch.autograd.grad(out.sin().sum(), wanted, materialize_grads=True)]
