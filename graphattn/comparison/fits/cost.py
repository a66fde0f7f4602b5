"""Costs of a network: parameters, floating-point operations by formula, and graphs per second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import Linear

from graphattn.comparison.fits.process import seconds
from graphattn.comparison.problems.base import Problem
from graphattn.layer import GraphLayer
from graphattn.models.by_name.layers import LayerWork
from graphattn.models.by_name.network import parameters
from graphattn.models.by_name.topologies import Configuration
from graphattn.models.by_name.whole import Architecture
from graphattn.models.network import Network
from graphattn.slots import State
from graphattn.topology import Blockwise, Topology


class Cost(NamedTuple):
    """Numbers that are trained; operations of one forward pass for each graph; graphs that pass in a second."""

    parameters: int
    flops: float
    graphs_per_second: float


def cost(
    model: nn.Module,
    configuration: Architecture,
    heads: int,
    problem: Problem,
    rows: Sequence[int],
    batch_size: int = 256,
    repeats: int = 3,
) -> Cost:
    """Cost of the network on some of the graphs.

    A product and its sum are two operations. Products with matrices and messages along edges are counted; a sum over all nodes
    that is the same for every receiver is counted once for a graph, as it is computed. Activations, norms, softmax and the mean
    of the readout are not. The time, of one thread on a processor, is the least of some passes over batches that are there
    already; the topology is built anew in each.

    Operations of whole models are not counted: they are 0.

    Args:
        model: of :func:`~graphattn.comparison.fits.networks.network`.
        configuration, heads: its layer and topology, and how many heads its layers have.
        problem: as :func:`~graphattn.comparison.fits.networks.prepared` for the configuration.
        rows: numbers of graphs.
        batch_size: graphs that pass at once.
        repeats: how often time is taken.

    Raises:
        ValueError: no rows.
    """
    if len(rows) == 0:
        raise ValueError("expected graphs to measure the cost on, got none")
    device = next(model.parameters()).device
    batches = batched(problem, rows, batch_size, device)
    operations = 0
    if isinstance(configuration, Configuration) and isinstance(model, Network):
        operations = sum(flops(model, configuration, heads, batch) for batch in batches)
    with evaluating(model), torch.no_grad():
        fastest = min(_spent(model, batches, device) for _ in range(repeats))
    return Cost(parameters(model), operations / len(rows), len(rows) / fastest)


def batched(problem: Problem, rows: Sequence[int], batch_size: int, device: torch.device) -> list[Data]:
    """Some of the graphs, in batches on a device."""
    graphs = [problem.graphs[int(row)] for row in rows]
    return [batch.to(device) for batch in DataLoader(graphs, batch_size=batch_size)]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation; behind it as it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def flops(model: Network, configuration: Configuration, heads: int, batch: Data) -> int:
    """Operations of one forward pass.

    Three nodes with two neighbours each: a GCN's map of 8 channels to 8 and its sum, ``2 * 3 * 64 + 2 * 6 * 8``; beside it the
    encoder ``2 * 3 * 5 * 8``, the token-wise network ``4 * 3 * 8 * 16``, the head ``3 * (2 * 64 + 2 * 8)``.

    >>> from graphattn.comparison.fits.networks import network
    >>> from graphattn.models.by_name.network import Size
    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), y=torch.arange(3.0))
    >>> problem = Problem("ring", [graph], "regression", level="node")
    >>> configuration = Configuration("gcn", "edges")
    >>> flops(network(problem, configuration, Size(8, 16, depth=1)), configuration, heads=4, batch=graph)
    2688
    """
    counted: list[int] = []
    layers = [module for module in model.trunk.blocks.modules() if isinstance(module, GraphLayer)]
    inner = {module for layer in layers for module in layer.modules()}

    def linear(module: Any, given: Any, out: Tensor) -> None:
        counted.append(2 * out.numel() * module.weight.size(1))

    def layer_hook(layer: GraphLayer, given: tuple[Any, ...]) -> None:
        counted.append(configuration.layer_kind.flops(work(heads, *given[:3])))

    outer = [module for module in model.modules() if isinstance(module, nn.Linear | Linear) and module not in inner]
    handles = [module.register_forward_hook(linear) for module in outer]
    handles += [layer.register_forward_pre_hook(layer_hook) for layer in layers]
    try:
        with evaluating(model), torch.no_grad():
            model(batch)
    finally:
        for handle in handles:
            handle.remove()
    return sum(counted)


def work(heads: int, x: Tensor, graph: Topology, edge: State | None) -> LayerWork:
    """Sizes that the operations of one layer depend on."""
    sums = graph.num_receivers if isinstance(graph, Blockwise) else graph.num_edges
    edge = edge or {}
    kinds, edge_kinds = (len(edge[name]) if name in edge else 0 for name in ("pair", "bond_number"))
    return LayerWork(len(x), graph.num_edges, sums, x.size(1), heads, kinds, edge_kinds)


def _spent(model: nn.Module, batches: Sequence[Data], device: torch.device) -> float:
    started = seconds()
    for batch in batches:
        model(batch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return seconds() - started
