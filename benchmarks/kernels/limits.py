"""What keeps two cases from their targets: a call's Python, and reading the rows of senders."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from torch import Tensor

from graphattn import backends
from graphattn.aggregation import Sum
from graphattn.bench import graphs, interleaved
from graphattn.bench.cases import dense, sparse
from graphattn.bench.comparison import OURS
from graphattn.layer import GraphLayer
from graphattn.message import Copy
from graphattn.slots import Inputs
from graphattn.topology import Edges
from graphattn.update import Replace

HEADS, CHANNELS = 8, 32
NEAR = 32


def table(rounds: int = 9, nodes: int = 10_000, small: int = 8, large: int = 256) -> str:
    """Markdown: medians and the fastest round of each step, in microseconds."""
    calls = {
        f"a complete graph of {many}, {side}": step for many in (small, large) for side, step in _call(many).items()
    }
    lines = ["| step | median, µs | fastest, µs |", "|---|---|---|"]
    for name, seconds in interleaved(calls | _rows(nodes), rounds).items():
        lines.append(f"| {name} | {median(seconds) * 1e6:,.0f} | {min(seconds) * 1e6:,.0f} |")
    return "\n".join(lines)


def _call(nodes: int) -> Mapping[str, Callable[[], Any]]:
    """A forward pass of attention with its maps, of ours and of torch's operators alone: few nodes leave the call itself."""
    forward = next(iter(dense.complete(nodes)))
    return {name: forward.sides[name] for name in (OURS, "bare SDPA")}


def _rows(nodes: int) -> dict[str, Callable[[], Any]]:
    """Attention without maps beside the sum of the same keys and values, which reads as much and computes next to nothing.

    Once from senders anywhere, once from senders nearby, whose rows are in a cache already.
    """
    far = graphs.random(nodes)
    near = torch.stack([(far[1] + torch.randint(1, NEAR, far[1].shape)) % nodes, far[1]])
    query, key, value = torch.randn(3, nodes, HEADS, CHANNELS)
    both = torch.cat([key, value], dim=-1).view(nodes, 1, -1)
    adding = GraphLayer(Copy(), Sum(), Replace())
    found = {}
    for name, ends in (("anywhere", far), ("nearby", near)):
        graph = Edges(ends, nodes).prepare()
        attend, add = sparse.attended(sparse.attention(HEADS, CHANNELS), graph), _adds(adding, graph)
        found[f"attention, senders {name}"] = torch.no_grad()(lambda attend=attend: attend(query, key, value))
        found[f"sum of keys and values, senders {name}"] = torch.no_grad()(lambda add=add: add(both))
    return found


def _adds(layer: GraphLayer, graph: Edges) -> Callable[[Tensor], Tensor]:
    def add(value: Tensor) -> Tensor:
        inputs = Inputs({"value": value}, {}, {}, None)
        return backends.choose(layer, graph, inputs).heard(layer, graph, inputs)

    return add
