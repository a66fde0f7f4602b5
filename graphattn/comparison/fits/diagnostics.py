r"""Diagnostics of a trained network: width and reach of attention, over-smoothing, receptive field of a node.

Letters: ``N`` nodes, ``E`` edges of a layer's topology, ``H`` heads, ``K`` edges of the data, ``F`` channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.comparison.fits.cost import batched, evaluating
from graphattn.comparison.problems.base import Problem
from graphattn.encoding import shortest_path
from graphattn.explain.attention import AttentionMap, attention_maps, entropy
from graphattn.models.by_name.topologies import Configuration
from graphattn.models.by_name.whole import Architecture
from graphattn.models.network import Network
from graphattn.topology import Full, Topology, WithHubs, graph_of

NOWHERE = 2**30
"""Hops of a pair without a path are above it."""
_GRAPHS = 64
_PAIRS = 2**18
_PAIRS_OF_EDGES = 2**24


class Seen(NamedTuple):
    """A batch, and what is known of all pairs of nodes in a graph, receiver-major as the edges of ``Full``.

    ``hops`` are those on the edges of the data, ``pair [K]`` the number of each of these edges among the pairs.
    """

    batch: Data
    hops: Tensor
    pair: Tensor


def learned(
    model: nn.Module, configuration: Architecture, problem: Problem, rows: Sequence[int]
) -> dict[str, float | list[float]]:
    """What the network learned, by name; a list has a number for each layer. What is not defined is not there.

    - ``entropy``, by layer: of attention, as a share of its maximum, the logarithm of the number of senders; the mean over heads
      and nodes of degree two or more. Not for layers without attention.
    - ``distance``, by layer: hops from sender to receiver on the edges of the data, weighted by attention; pairs without a path
      and virtual nodes are left out.
    - ``dirichlet``, in front of the first block and behind each one: how much nodes differ that an edge of the data joins
      (:func:`dirichlet`); near 0 it is over-smoothing.
    - ``reach``: hops from which a node's state behind the last block comes (:func:`reach`).
    - ``true_edges``, by layer: the area under the ROC curve of attention (mean of heads, times the number of senders) for
      ``true_edge``, among the edges of the data that are in its topology.

    Of whole models nothing.

    Args:
        model: of :func:`~graphattn.comparison.fits.networks.network`.
        configuration: its layer and topology.
        problem: as :func:`~graphattn.comparison.fits.networks.prepared` for the configuration.
        rows: numbers of graphs; of these the first are looked at, up to 64 and as memory allows.
    """
    if not isinstance(configuration, Configuration) or not isinstance(model, Network):
        return {}
    chosen = affordable(
        [int(problem.graphs[int(row)].num_nodes or 0) for row in rows], configuration.topology_kind.whole
    )
    if not chosen:
        return {}
    device = next(model.parameters()).device
    (batch,) = batched(problem, [rows[number] for number in chosen], len(chosen), device)
    seen = look(batch)
    with evaluating(model):
        found = _of_states(model, seen) | _of_attention(model, seen)
    return {name: value for name, value in found.items() if _defined(value)}


def affordable(nodes: Sequence[int], whole: bool) -> list[int]:
    """Which graphs can be looked at pair by pair, given how many nodes they have; fewer where all pairs are edges.

    >>> affordable([10, 5000, 20], whole=True)
    [0, 2]
    """
    left, chosen = _PAIRS if whole else _PAIRS_OF_EDGES, []
    for number, count in enumerate(nodes):
        if 0 < count**2 <= left and len(chosen) < _GRAPHS:
            chosen.append(number)
            left -= count**2
    return chosen


def look(batch: Data) -> Seen:
    """Measures the hops of all pairs in the graphs of a batch."""
    full, edge_index = Full(batch), batch["edge_index"]
    ptr = full.receivers.ptr
    graph = graph_of(ptr, edge_index[0])
    ends = (edge_index - ptr[graph]).split(graph.bincount(minlength=full.num_graphs).tolist(), dim=1)
    sizes = ptr.diff().tolist()
    hops = [shortest_path(each.cpu(), size, NOWHERE) for each, size in zip(ends, sizes, strict=True)]
    return Seen(batch, torch.cat(hops).to(ptr.device), full.edge_number(edge_index[1], edge_index[0]))


def relative_entropy(attention: AttentionMap, mask: Tensor) -> float:
    """Mean entropy of the nodes in ``mask`` (bool ``[N_i]``) of degree two or more, as a share of its maximum; else NaN.

    >>> alpha = torch.tensor([[0.5], [0.5], [1.0], [0.0]])
    >>> relative_entropy(AttentionMap("layer", Full([2]), alpha), torch.tensor([True, True]))
    0.5
    """
    degree = attention.graph.degrees()
    several = mask & (degree > 1)
    return _mean((entropy(attention).mean(1) / degree.clamp(min=2).log())[several])


def dirichlet(x: Tensor, edge_index: Tensor) -> float:
    r"""The Dirichlet energy of states for their size (Cai & Wang 2020; Rusch et al. 2023).

    .. math:: \frac{\sum_{(j, i)} \lVert x_i - x_j \rVert^2}{\sum_{(j, i)} \lVert x_i \rVert^2 + \lVert x_j \rVert^2}

    0 where all nodes that an edge joins are alike, 1 where they have nothing in common, 2 where they are opposite: the Rayleigh
    quotient of :math:`D^{1/2} x` with the normalised Laplacian. NaN without edges.

    >>> joined = torch.tensor([[0, 1], [1, 0]])
    >>> [dirichlet(x, joined) for x in (torch.ones(2, 3), torch.eye(2), torch.tensor([[1.0], [-1.0]]))]
    [0.0, 1.0, 2.0]
    """
    sender, receiver = x.double()[edge_index]
    size = sender.square().sum() + receiver.square().sum()
    return float((sender - receiver).square().sum() / size) if edge_index.numel() else math.nan


def reach(through: Callable[[Tensor], Tensor], x: Tensor, seen: Seen, draws: int = 8) -> float:
    r"""From how many hops the state of a node comes: the mean over senders, weighted by the gradient.

    .. math:: \frac{\sum_j \lVert v^\top \partial x_i' / \partial x_j \rVert\, d(j, i)}
        {\sum_j \lVert v^\top \partial x_i' / \partial x_j \rVert}

    for a node ``i`` of each graph and a vector ``v`` of signs, drawn ``draws`` times. A pair without a path is left out.

    Args:
        through: maps states ``x [N, F]`` to later ones.
        x: the states.
        seen: the batch and its hops.
        draws: nodes of each graph.
    """
    full, generator = Full(seen.batch), torch.Generator().manual_seed(0)
    ptr = full.receivers.ptr
    sender, found = torch.arange(len(x), device=x.device), []
    with torch.enable_grad():
        start = x.detach().requires_grad_()
        out = through(start)
        for draw in range(draws):
            share = torch.rand(full.num_graphs, generator=generator).to(ptr.device)
            signs = (2 * torch.randint(2, (1, out.size(1)), generator=generator) - 1).to(out)
            node = ptr[:-1] + (share * ptr.diff()).long()
            (gradient,) = torch.autograd.grad((out[node] * signs).sum(), start, retain_graph=draw < draws - 1)
            receiver = node.repeat_interleave(ptr.diff())
            hops = seen.hops[full.edge_number(receiver, sender)]
            found.append(_weighted(gradient.norm(dim=1), hops, receiver, len(x))[node])
    return _mean(torch.cat(found))


def _of_states(model: Network, seen: Seen) -> dict[str, float | list[float]]:
    with torch.no_grad():
        states = model.through(model.start(seen.batch), seen.batch)
    energy = [dirichlet(x, seen.batch["edge_index"]) for x in states]
    return {"dirichlet": energy, "reach": reach(lambda x: model.through(x, seen.batch)[-1], states[0], seen)}


def _of_attention(model: Network, seen: Seen) -> dict[str, float | list[float]]:
    maps = attention_maps(model, seen.batch)
    if not maps:
        return {}
    nodes = [among_nodes(each) for each in maps]
    masks = [each >= 0 for each in nodes]
    found: dict[str, float | list[float]] = {
        "entropy": [relative_entropy(each, mask) for each, mask in zip(maps, masks, strict=True)],
        "distance": [mean_hops(each, number, seen) for each, number in zip(maps, nodes, strict=True)],
    }
    if "true_edge" in seen.batch:
        found["true_edges"] = [true_edges(each, number, seen) for each, number in zip(maps, nodes, strict=True)]
    return found


def among_nodes(attention: AttentionMap) -> Tensor:
    """The node that each row of the layer's topology is, -1 for virtual nodes."""
    graph: Topology = attention.graph
    number = torch.arange(graph.num_receivers, device=graph.receivers.ptr.device)
    if not isinstance(graph, WithHubs):
        return number
    return torch.full_like(number, -1).index_copy(0, graph.node_rows, number[: len(graph.node_rows)])


def mean_hops(attention: AttentionMap, nodes: Tensor, seen: Seen) -> float:
    """Hops from sender to receiver weighted by attention, the mean over receivers."""
    sender, receiver, alpha = _between_nodes(attention, nodes)
    hops = seen.hops[Full(seen.batch).edge_number(receiver, sender)]
    return _mean(_weighted(alpha, hops, receiver, int(nodes.max()) + 1))


def true_edges(attention: AttentionMap, nodes: Tensor, seen: Seen) -> float:
    """The area under the ROC curve of attention for ``true_edge``; NaN where all edges or none are true."""
    from sklearn.metrics import roc_auc_score

    sender, receiver, alpha = _between_nodes(attention, nodes)
    many = attention.graph.degrees()[nodes >= 0].to(alpha.dtype)
    pair = Full(seen.batch).edge_number(receiver, sender)
    score = alpha.new_full(seen.hops.shape, math.nan).index_copy(0, pair, alpha * many[receiver])[seen.pair]
    scored = ~score.isnan()
    truth = seen.batch["true_edge"].bool()[scored]
    if bool(truth.all()) or not bool(truth.any()):
        return math.nan
    return float(roc_auc_score(truth.cpu().numpy(), score[scored].double().cpu().numpy()))


def _between_nodes(attention: AttentionMap, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sender, receiver and the mean weight of heads, of the edges that join nodes of the data."""
    sender, receiver = nodes[attention.graph.edge_index()]
    real = (sender >= 0) & (receiver >= 0)
    return sender[real], receiver[real], attention.alpha.mean(1)[real]


def _weighted(weight: Tensor, hops: Tensor, receiver: Tensor, count: int) -> Tensor:
    """The mean hops of each receiver ``[count]``, NaN where nothing has a path and a weight."""
    weight = torch.where(hops > NOWHERE, 0.0, weight).double()
    near = torch.where(hops > NOWHERE, 0, hops)
    total = weight.new_zeros(count).index_add(0, receiver, weight)
    return weight.new_zeros(count).index_add(0, receiver, weight * near) / total


def _mean(values: Tensor) -> float:
    return float(values[~values.isnan()].double().mean()) if bool((~values.isnan()).any()) else math.nan


def _defined(value: float | list[float]) -> bool:
    return all(map(math.isfinite, value if isinstance(value, list) else [value]))
