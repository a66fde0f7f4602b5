"""What has the wrong dtype or length, and what compilers and other threads do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.utils import to_torch_csr_tensor

from graphattn import pyg as drop_ins
from graphattn import zoo
from graphattn.aggregation import SoftmaxSum
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.topology import Edges, Full
from graphattn.update import Replace
from tests.robustness.attacks.scene import (
    CHANNELS,
    EDGES,
    LAYERS,
    NODES,
    TORCHS,
    Attack,
    answer,
    drawn,
    states,
    truth,
    verdict,
)


def wrong(make: Callable[[], Any]) -> Callable[[], str]:
    def run() -> str:
        found = make()
        out = found[0] if isinstance(found, tuple) else found
        if isinstance(out, Tensor) and out.requires_grad:
            out.sum().backward()
        return f"an answer: {type(found).__name__}"

    return run


def x(many: int = NODES, channels: int = CHANNELS) -> Tensor:
    return torch.randn(many, channels, requires_grad=True)


def told(layer: str, **other: Tensor) -> Any:
    made = LAYERS[layer].make()
    _, graph, inputs = made.prepare(x(), Edges(drawn(), NODES), LAYERS[layer].edge(EDGES))
    return made.become(None, graph, inputs._replace(senders={**inputs.senders, **other}))


def lying_matrix(part: str) -> Tensor:
    matrix = to_torch_csr_tensor(drawn(), size=(NODES, NODES))
    rows, columns = matrix.crow_indices().clone(), matrix.col_indices().clone()
    (rows if part == "rows" else columns)[5] = 10**9
    return torch.sparse_csr_tensor(rows, columns, matrix.values(), (NODES, NODES), check_invariants=False)


WRONG: dict[str, Callable[[], Any]] = {
    **{
        f"edge_index of {dtype}": (lambda dtype=dtype: zoo.GCN(8, 8)(x(), torch.ones(2, 5).to(dtype)))
        for dtype in (torch.bool, torch.complex64, torch.float32, torch.float16)
    },
    **{
        f"Edges of {dtype}": (lambda dtype=dtype: Edges(torch.ones(2, 5).to(dtype)))
        for dtype in (torch.bool, torch.complex64, torch.float32, torch.float16)
    },
    "edge_index of three rows": lambda: zoo.GCN(8, 8)(x(), torch.ones(3, 5).long()),
    "edge_index of one dimension": lambda: zoo.GCN(8, 8)(x(), torch.ones(5).long()),
    "a number of 33 bits": lambda: zoo.GCN(8, 8)(x(), torch.tensor([[0, 2**32], [0, 1]])),
    "a number of 33 bits below 0": lambda: zoo.GCN(8, 8)(x(), torch.tensor([[0, -(2**32)], [0, 1]])),
    "fewer nodes than states": lambda: zoo.GCN(8, 8)(x(), Edges(drawn(), NODES + 5)),
    "more states than nodes": lambda: zoo.SelfAttention(8)(x(NODES + 3), Edges(drawn(), NODES)),
    "num_nodes below 0": lambda: Edges(drawn()[:, :0], -5),
    "num_nodes of float": lambda: Edges(drawn(), 30.5),
    "num_nodes too small": lambda: zoo.GCN(8, 8)(x(3), Edges(drawn(), 3)),
    "columns of adj_t that are not there": lambda: zoo.GCN(8, 8)(x(), lying_matrix("columns")),
    "weights, one too many": lambda: zoo.GCN(8, 8)(x(), drawn(), torch.rand(EDGES + 1)),
    "weights, one too many, by name": lambda: zoo.GCN(8, 8)(x(), Edges(drawn()), {"edge_attr": torch.rand(EDGES + 1)}),
    "weights, one too few, by name": lambda: zoo.GCN(8, 8)(x(), Edges(drawn()), {"edge_attr": torch.rand(EDGES - 1)}),
    "weights of a drop-in, one too many": lambda: drop_ins.GCNConv(8, 8, normalize=False)(
        x(), drawn(), torch.rand(EDGES + 1)
    ),
    "weights of a drop-in, one too few": lambda: drop_ins.GCNConv(8, 8, normalize=False)(
        x(), drawn(), torch.rand(EDGES - 1)
    ),
    "features of a drop-in, one too many": lambda: drop_ins.TransformerConv(8, 4, edge_dim=3)(
        x(), drawn(), torch.rand(EDGES + 1, 3)
    ),
    "features of a drop-in, one too few": lambda: drop_ins.GATv2Conv(8, 4, edge_dim=3, add_self_loops=False)(
        x(), drawn(), torch.rand(EDGES - 1, 3)
    ),
    "a cache of fewer keys": lambda: told("SelfAttention", key=torch.randn(3, 2, 4)),
    "a cache of fewer values": lambda: told("SelfAttention", value=torch.randn(3, 2, 4)),
    "a cache of fewer states": lambda: told("Max", value=torch.randn(3, 1, CHANNELS)),
    "states of fewer channels": lambda: zoo.EdgeConv(nn.Linear(16, 8))(
        (x(), x(NODES, 4)), Edges(drawn(), (NODES, NODES))
    ),
    "keys of other channels": lambda: GraphLayer(
        Attend(8, Heads(2, 4)).set_maps(key=nn.Linear(8, 4)), SoftmaxSum(), Replace()
    )(x(), Edges(drawn(), NODES)),
    "keys of other channels on Full": lambda: GraphLayer(
        Attend(8, Heads(2, 4)).set_maps(key=nn.Linear(8, 4)), SoftmaxSum(), Replace()
    )(x(64), Full([64])),
    "fewer values than keys on Full": lambda: told_whole(value=torch.randn(3, 2, 4)),
}


def told_whole(**other: Tensor) -> Any:
    made = zoo.SelfAttention(CHANNELS, heads=2)
    _, graph, inputs = made.prepare(x(64), Full([64]))
    return made.become(None, graph, inputs._replace(senders={**inputs.senders, **other}))


def wrong_kinds() -> Iterator[Attack]:
    for name, make in WRONG.items():
        yield Attack(name, wrong(make), ("refused",))


def compiled(layer: str, lie: str) -> str:
    made, graph = LAYERS[layer].make(), Edges(drawn(), NODES).prepare()
    edge = LAYERS[layer].edge(EDGES)
    run = torch.compile(made, backend="eager", fullgraph=True)
    run(states(graph), graph, edge)
    if lie == "a huge kind":
        edge = {**edge, "bond_kind": torch.full((EDGES,), 10**9)}
    elif lie == "fewer rows":
        edge = {"bond": torch.randn(3, 3)}
    out = run(states(graph), graph, edge)
    out.sum().backward()
    return f"an answer of shape {list(out.shape)}"


def written_under_compile() -> str:
    made, ends = LAYERS["SelfAttention"].make(), drawn()
    graph, clean = Edges(ends, NODES).prepare(), Edges(drawn(), NODES)
    run = torch.compile(made, backend="eager", fullgraph=True)
    run(states(graph), graph)
    ends.numpy()[...] = 10**9
    graph.edge_index().numpy()[...] = 10**9
    return verdict(answer(run, graph, None), was=lambda: truth(made, clean, None))


def raced(seconds: float = 1.0) -> str:
    """Somebody writes all the time."""
    ends, stop, layer = drawn(5000), threading.Event(), LAYERS["SelfAttention"].make()
    array, refused, right = ends.numpy(), 0, 0

    def write() -> None:
        number = 0
        while not stop.is_set():
            array[:, number % 5000] = (10**9, -1, 5, 2**32)[number % 4]
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for graph in (lambda: Edges(ends, NODES), lambda: ends):
            try:
                out, slope = answer(layer, graph(), None)
                right += bool(out.isfinite().all() and slope.isfinite().all())
            except ValueError:
                refused += 1
        ends.copy_(drawn(5000))
    stop.set()
    thread.join()
    return "was" if right + refused else "nothing"


def compilers_and_threads() -> Iterator[Attack]:
    for layer in ("bias of kinds", "values of kinds", "GATv2 of kinds"):
        yield Attack(f"compiled: a huge kind, {layer}", lambda a=layer: compiled(a, "a huge kind"), ("refused", TORCHS))
    yield Attack("compiled: fewer rows", lambda: compiled("values", "fewer rows"), ("refused", TORCHS))
    yield Attack("compiled: edges written", written_under_compile, ("was",))
    yield Attack("written by another thread, all the time", raced, ("was",))
