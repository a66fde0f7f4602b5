"""Random layers of PyG on random graphs, and their drop-ins: one case for each number of a seed."""

from __future__ import annotations

import contextlib
import copy
import io
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from graphattn.pyg import accelerate
from tests.robustness.fuzz.cases import BONDS, CHANNELS, DTYPES, STRIDES, Draw, scale, spoil
from tests.robustness.fuzz.checks import Outcome, differences, values_if_huge

ADDED = 9
"""Nodes added where sizes of gradients are asked, with as many edges each, so that no receiver has one sender alone."""


class Given(NamedTuple):
    """What a layer is called with; ``edge`` are features or weights of edges."""

    x: Tensor | tuple[Tensor, Tensor]
    ends: Tensor
    edge: Tensor | None

    def to(self, dtype: torch.dtype) -> Given:
        x = tuple(each.to(dtype) for each in self.x) if isinstance(self.x, tuple) else self.x.to(dtype)
        return self._replace(x=x, edge=None if self.edge is None else self.edge.to(dtype))


def compared(draw: Draw) -> list[str]:
    """Where the drop-in differs from PyG's layer: values, gradients, and whether it refuses."""
    make = draw.of("layer", LAYERS)
    draw.words["width"] = str(draw.wide)
    theirs, two_sets = make(draw)
    theirs = theirs.train(draw.often(0.5))
    given = drawn(draw, getattr(theirs, "edge_dim", None), isinstance(theirs, pyg.GCNConv), two_sets)
    dtype, stride = draw.random.choice(DTYPES), draw.of("strides", STRIDES)
    draw.words["dtype"] = str(dtype)
    theirs, exact = theirs.to(dtype), copy.deepcopy(theirs.to(dtype)).double()
    with contextlib.redirect_stdout(io.StringIO()):
        ours = accelerate(theirs)
    given = given.to(dtype)
    x = tuple(map(stride, given.x)) if isinstance(given.x, tuple) else stride(given.x)
    given = given._replace(x=x, edge=None if given.edge is None else stride(given.edge))
    try:
        plain = outcome(theirs, given)
    except Exception as error:
        return refused(ours, given, error)
    try:
        found = outcome(ours, given)
    except Exception as error:
        return [f"{type(error).__name__} where PyG computes: {error}"]
    truth = outcome(exact, given.to(torch.float64))
    sizes = sizes_of(exact, given.to(torch.float64), truth["out"])
    if hasattr(exact, "heads"):
        truth = values_if_huge(truth, 1e3, *(each.double() for each in (x if isinstance(x, tuple) else (x,))))
    return differences(found, plain, truth, dtype, lambda: shaken(exact, given, dtype), {}, sizes)


def refused(ours, given, theirs) -> list[str]:
    """What PyG refuses, the drop-in refuses."""
    try:
        outcome(ours, given)
    except Exception:
        return []
    return [f"an answer where PyG raises {type(theirs).__name__}: {theirs}"]


def outcome(layer, given: Given, random: bool = False) -> Outcome:
    """The result, and gradients of all that went in."""
    states = given.x if isinstance(given.x, tuple) else (given.x,)
    states = [each.detach().requires_grad_() for each in states]
    edge = None if given.edge is None else given.edge.detach().requires_grad_()
    out = layer(
        tuple(states) if isinstance(given.x, tuple) else states[0], given.ends, *([] if edge is None else [edge])
    )
    weight = 3 * torch.randn_like(out) if random else (torch.arange(out.numel()) % 7 - 3).view_as(out).to(out.dtype)
    leaves = {f"x {k}": each for k, each in enumerate(states)} | ({} if edge is None else {"edge": edge})
    leaves |= dict(layer.named_parameters())
    found = torch.autograd.grad(out, list(leaves.values()), weight, materialize_grads=True)
    return {"out": out.detach(), **dict(zip(leaves, found, strict=True))}


def sizes_of(exact, given: Given, out: Tensor) -> Outcome:
    """How large gradients are where nothing cancels: of random weights and other states, on a larger graph."""
    states = given.x if isinstance(given.x, tuple) else (given.x,)
    numbers = torch.cat([each.detach().flatten().nan_to_num(0, 0, 0).abs() for each in (*states, out)])
    largest = numbers.max() if numbers.numel() else 0
    rows = {f"x {k}": each.size(0) for k, each in enumerate(states)} | {"edge": given.ends.size(1)}
    nobody = torch.zeros(ADDED, CHANNELS, dtype=torch.float64)
    states = [torch.cat([each.nan_to_num(0, 0, 0), nobody]) for each in states]
    states = tuple(each + largest * torch.randn_like(each) for each in states)
    more = torch.stack([torch.randint(0, each.size(0), (9 * ADDED,)) for each in (states[0], states[-1])])
    edge = given.edge
    if edge is not None:
        edge = torch.cat([edge.nan_to_num(0, 0, 0), torch.rand(9 * ADDED, *edge.shape[1:]).to(edge.dtype)])
    ends = torch.cat([given.ends, more], dim=1)
    found = outcome(exact, Given(states if isinstance(given.x, tuple) else states[0], ends, edge), random=True)
    sizes = {name: value.abs().nan_to_num(0, 0, 0) for name, value in found.items()}
    for name in sizes:  # a softmax does not see the bias of its keys
        weight = sizes.get(name.removesuffix("bias") + "weight")
        if name.endswith("bias") and weight is not None and weight.numel() and largest:
            sizes[name] = sizes[name] + weight.max() / largest
    return {name: value[: rows.get(name)] for name, value in sizes.items() if name != "out"}


def shaken(exact, given: Given, dtype: torch.dtype) -> list[Outcome]:
    """The truth for inputs that differ as much as rounding makes them differ."""

    def shake(value: Tensor) -> Tensor:
        return value * (1 + torch.finfo(dtype).eps * (torch.rand_like(value) * 2 - 1))

    found, wide = [], given.to(torch.float64)
    for _ in range(3):
        x = tuple(map(shake, wide.x)) if isinstance(wide.x, tuple) else shake(wide.x)
        found.append(outcome(exact, wide._replace(x=x, edge=None if wide.edge is None else shake(wide.edge))))
    return found


def drawn(draw, edge_dim: int | None, weighed: bool, two_sets: bool) -> Given:
    """States, a list of edges, and features of edges where the layer takes them."""
    senders = draw.random.choice((1, 2, 5, 9, 60))
    receivers = draw.random.choice((1, 3, 8)) if two_sets else senders
    edges = draw.of("edges", {
        "none": lambda: torch.empty(2, 0, dtype=torch.long),
        "some": lambda: torch.stack([torch.randint(0, n, (3 * senders,)) for n in (senders, receivers)]),
        "many": lambda: torch.stack([torch.randint(0, n, (20 * senders,)) for n in (senders, receivers)]),
        "one pair": lambda: torch.zeros(2, 9, dtype=torch.long),
        "hub": lambda: torch.stack([torch.randint(0, senders, (5 * senders,)), torch.zeros(5 * senders, dtype=torch.long)]),
        "loops": lambda: torch.arange(min(senders, receivers)).repeat(2, 2),
    })()  # fmt: skip
    draw.words["nodes"] = f"{senders} to {receivers}" if two_sets else str(senders)
    x = torch.randn(senders, CHANNELS, dtype=torch.float64)
    x = (x, torch.randn(receivers, CHANNELS, dtype=torch.float64)) if two_sets else x
    edge = torch.randn(edges.size(1), BONDS, dtype=torch.float64) if edge_dim else None
    if weighed and draw.often(0.5):
        edge = torch.rand(edges.size(1), dtype=torch.float64)
    given = {} if edge is None else {"edge": edge}
    draw.words["edge features"] = str(edge is not None)
    scale(draw, None, x, given)
    spoil(draw, x, given)
    return Given(x, edges, edge)


# Layers, each with whether its senders and receivers are two sets of nodes ----------------------------------------------


def options(draw, **choices):
    """Keyword arguments, each one of several."""
    chosen = {name: draw.random.choice(values) for name, values in choices.items()}
    draw.words |= {name: str(value) for name, value in chosen.items()}
    return chosen


TRUTH = (True, False)


def channels(draw, two_sets):
    return (CHANNELS, CHANNELS) if two_sets else CHANNELS


def transformer(draw):
    two = draw.often(0.3)
    chosen = options(draw, concat=TRUTH, edge_dim=(None, BONDS), bias=TRUTH, root_weight=TRUTH)
    chosen |= options(draw, beta=TRUTH) if chosen["root_weight"] else {}
    return pyg.TransformerConv(channels(draw, two), draw.wide, heads=2, **chosen), two


def gat(draw):
    two = draw.often(0.3)
    chosen = options(
        draw, concat=TRUTH, edge_dim=(None, BONDS), bias=TRUTH, residual=TRUTH, fill_value=("mean", 1.0, "max")
    )
    chosen["add_self_loops"] = not two and draw.often(0.7)
    return pyg.GATConv(channels(draw, two), draw.wide, heads=2, **chosen), two


def gatv2(draw):
    two = draw.often(0.3)
    chosen = options(draw, concat=TRUTH, edge_dim=(None, BONDS), bias=TRUTH, residual=TRUTH, share_weights=TRUTH)
    chosen["add_self_loops"] = not two and draw.often(0.7)
    return pyg.GATv2Conv(channels(draw, two), draw.wide, heads=2, **chosen), two


def gcn(draw):
    chosen = options(draw, improved=TRUTH, normalize=TRUTH, bias=TRUTH)
    chosen["add_self_loops"] = chosen["normalize"] and draw.often(0.7)
    return pyg.GCNConv(CHANNELS, 2 * draw.wide, **chosen), False


def sage(draw):
    two = draw.often(0.3)
    chosen = options(
        draw, aggr=("mean", "max", "min", "sum", "add"), normalize=TRUTH, root_weight=TRUTH, project=TRUTH, bias=TRUTH
    )
    return pyg.SAGEConv(channels(draw, two), 2 * draw.wide, **chosen), two


def gin(draw):
    return pyg.GINConv(
        nn.Sequential(nn.Linear(CHANNELS, 8), nn.ReLU(), nn.Linear(8, 4)), **options(draw, train_eps=TRUTH)
    ), draw.often(0.3)


def edge_conv(draw):
    network = draw.of("network", {
        "linear": lambda: nn.Linear(2 * CHANNELS, 2 * draw.wide),
        "two": lambda: nn.Sequential(nn.Linear(2 * CHANNELS, 8), nn.ReLU(), nn.Linear(8, 2 * draw.wide)),
        "MLP": lambda: pyg.MLP([2 * CHANNELS, 8, 8], norm=None),
    })()  # fmt: skip
    return pyg.EdgeConv(network, **options(draw, aggr=("max", "mean", "sum", "min"))), draw.often(0.3)


LAYERS = {
    "TransformerConv": transformer,
    "GATConv": gat,
    "GATv2Conv": gatv2,
    "GCNConv": gcn,
    "SAGEConv": sage,
    "GINConv": gin,
    "EdgeConv": edge_conv,
}
