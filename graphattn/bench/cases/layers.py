"""A training step of layers of PyG, before and after ``accelerate``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphattn.bench import graphs
from graphattn.bench.comparison import COMPILED, OURS, TRAINING, Comparison, Step, trained
from graphattn.bench.compiling import compiled
from graphattn.pyg import accelerate

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "TransformerConv": lambda: pyg.TransformerConv(128, 16, heads=8),
    "GATv2Conv": lambda: pyg.GATv2Conv(128, 16, heads=8),
    "GATConv": lambda: pyg.GATConv(128, 16, heads=8),
    "GCNConv": lambda: pyg.GCNConv(128, 128),
    "SAGEConv": lambda: pyg.SAGEConv(128, 128),
    "GINConv": lambda: pyg.GINConv(nn.Linear(128, 128)),
    "EdgeConv": lambda: pyg.EdgeConv(nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 64))),
}
"""128 channels in and 8 heads of 16 or 128 channels out; EdgeConv has 64 in and 2 x 64 - 64 - 64."""

CACHED = "PyG, cached, sparse matrix"


def layer(name: str, shrink: int = 1) -> Iterator[Comparison]:
    """One layer inside a network: gradients of its parameters and of its input, on random edges."""
    nodes = max(10_000 // shrink, 16)
    ends, channels = graphs.random(nodes), 64 if name == "EdgeConv" else 128
    x = torch.randn(nodes, channels, requires_grad=True)
    theirs = LAYERS[name]()
    ours = accelerate(theirs)

    def step(module: nn.Module, call: Callable[..., Tensor], graph: Tensor) -> Step:
        return trained(call, (x, graph), (*module.parameters(), x))

    sides = {
        OURS: step(ours, ours, ends),
        "PyG": step(theirs, theirs, ends),
        COMPILED: step(theirs, compiled(theirs), ends),
    }
    if name == "GCNConv":
        cached = pyg.GCNConv(128, 128, cached=True)
        cached.load_state_dict(theirs.state_dict())
        sides[CACHED] = step(cached, cached, matrix(ends, nodes))
    sizes = f"{nodes:,} nodes, {ends.size(1):,} edges, {channels} channels"
    yield Comparison(TRAINING, sizes, sides)


def matrix(edge_index: Tensor, nodes: int, weight: Tensor | None = None) -> Tensor:
    """The edges as PyG's ``adj_t``: a sparse matrix ``[receiver, sender]``."""
    value = torch.ones(edge_index.size(1)) if weight is None else weight
    ptr = torch.cat([torch.zeros(1, dtype=torch.long), edge_index[1].bincount(minlength=nodes).cumsum(0)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # sparse matrices are "in beta state"
        return torch.sparse_csr_tensor(ptr, edge_index[0], value, (nodes, nodes))
