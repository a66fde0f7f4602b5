"""One side of the comparison of two commits: makes cases ready, and takes their steps whenever it is asked.

Run by its path, with the tree of a commit in PYTHONPATH: it imports only public names that all commits from 991ce95 on have.
A line asks `{"case": ...}`, then `{"step": ..., "calls": ...}` for times, or `{"step": ...}` for memory.
"""

import gc
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TextIO

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

import graphattn
from graphattn import (
    GAT,
    GCN,
    RGCN,
    Attend,
    EdgeConv,
    Edges,
    Full,
    GATv2,
    GraphLayer,
    GraphSAGE,
    Heads,
    Max,
    Replace,
    SelfAttention,
    SoftmaxSum,
    accelerate,
    explain_backend,
)
from graphattn.aggregation import NormalizedSum
from graphattn.edge_terms import LinearBias, LinearValue, NetworkValue
from graphattn.score import EluKernel, LearnedTemperature, ScaledDot, SoftCap, Temperature, Then

FORWARD, BOTH, TRAINING = "forward", "forward and backward", "training step"
NODES, DEGREE, KINDS, CHANNELS = 10_000, 16, 20, 128
Step = Callable[[], list[Tensor]]
Edge = dict[str, Tensor] | None


def _measuring() -> ModuleType:
    """`graphattn.memory` of this tree, whichever commit is measured: both sides count in the same way."""
    spec = spec_from_file_location("measuring", Path(__file__).parents[2] / "graphattn" / "memory.py")
    if spec is None or spec.loader is None:
        raise ImportError("expected graphattn/memory.py in the tree of the benchmarks")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


measuring = _measuring()


class Case(NamedTuple):
    """Steps on one graph: a forward pass gives its result, one with a backward pass gives all gradients."""

    sizes: str
    backend: str
    steps: dict[str, Step]


class Sample(NamedTuple):
    """A graph, its number of nodes, and what its edges have; `shrink` divides the number of nodes."""

    graph: Any
    nodes: int
    edge: Edge
    sizes: str


def on_edges(shrink: int, nodes: int = NODES) -> Sample:
    """Edges between random nodes, 16 for each in the mean, in no order; each is of a kind and a type, and has 16 features."""
    nodes = max(nodes // shrink, 16)
    number = nodes * DEGREE
    ends, kind = torch.randint(0, nodes, (2, number)), torch.randint(0, KINDS, (number,))
    edge = {
        "bond": torch.randn(KINDS, KINDS),
        "bond_kind": kind,
        "edge_type": kind % 8,
        "edge_attr": torch.randn(number, 16),
    }
    return Sample(Edges(ends, nodes).prepare(), nodes, edge, f"{nodes:,} nodes, {number:,} edges")


def whole_graphs(shrink: int) -> Sample:
    """256 complete graphs of the sizes of molecules, each pair of a kind."""
    sizes = torch.randint(10, 38, (max(256 // shrink, 2),)).tolist()
    graph = Full(sizes)
    edge = {"bond": torch.randn(KINDS, KINDS), "bond_kind": torch.randint(0, KINDS, (graph.num_edges,))}
    return Sample(graph, sum(sizes), edge, f"{len(sizes)} graphs, {sum(sizes):,} nodes, {graph.num_edges:,} pairs")


def messages(layer: GraphLayer, x: Tensor, sample: Sample, terms: tuple[str, ...]) -> dict[str, Step]:
    """Message passing alone: from states at hand to what receivers get, without the linear maps of nodes."""
    _, graph, inputs = layer.prepare(x, sample.graph, chosen(sample, terms))
    leaves: dict[int, Tensor] = {}

    def leaf(state: Tensor) -> Tensor:
        return leaves.setdefault(id(state), state.detach().clone().requires_grad_(state.is_floating_point()))

    given = inputs._replace(
        senders={name: leaf(state) for name, state in inputs.senders.items()},
        receivers={name: leaf(state) for name, state in inputs.receivers.items()},
    )
    return both_passes(lambda: layer.become(None, graph, given), [*leaves.values(), *layer.parameters()])


def whole(layer: GraphLayer, x: Tensor, sample: Sample, terms: tuple[str, ...]) -> dict[str, Step]:
    """The layer as it is called, linear maps and all."""
    edge = chosen(sample, terms)
    return both_passes(lambda: layer(x, sample.graph, edge), [x, *layer.parameters()])


def both_passes(call: Callable[[], Tensor], leaves: list[Tensor]) -> dict[str, Step]:
    """A forward pass without a graph of gradients, and both passes with one fixed gradient of the result."""
    with torch.no_grad():
        given = torch.randn(call().shape)
    wanted = [leaf for leaf in leaves if leaf.requires_grad]

    def both() -> list[Tensor]:
        found = torch.autograd.grad(call(), wanted, given, allow_unused=True)
        return [each for each in found if each is not None]

    return {FORWARD: torch.no_grad()(lambda: [call()]), BOTH: both}


def chosen(sample: Sample, terms: tuple[str, ...]) -> Edge:
    """Those of the edges' features that the layer takes."""
    return {name: (sample.edge or {})[name] for name in terms} or None


def redraw(module: nn.Module) -> None:
    """Parameters that do not depend on the order in which a commit draws them."""
    with torch.no_grad():
        for _, parameter in sorted(module.named_parameters()):
            parameter.normal_(std=parameter.size(-1) ** -0.5 if parameter.dim() else 0.1)


def of_layer(
    make: Callable[[], GraphLayer],
    channels: int = CHANNELS,
    terms: tuple[str, ...] = (),
    place: Callable[[int], Sample] = on_edges,
    road: Callable[..., dict[str, Step]] = messages,
) -> Callable[[int], Case]:
    """A case of a layer of so many channels in, on some graph."""

    def case(shrink: int) -> Case:
        sample, layer = place(shrink), make()
        redraw(layer)
        x = torch.randn(sample.nodes, channels, requires_grad=True)
        backend = explain_backend(layer, x, sample.graph, chosen(sample, terms)).chosen
        return Case(sample.sizes, backend, road(layer, x, sample, terms))

    return case


def of_drop_in(make: Callable[[], nn.Module], channels: int = CHANNELS) -> Callable[[int], Case]:
    """A training step of a layer of PyG after `accelerate`: squares as the loss, gradients of the parameters and the input."""

    def case(shrink: int) -> Case:
        nodes = max(NODES // shrink, 16)
        ends, layer = torch.randint(0, nodes, (2, nodes * DEGREE)), accelerate(make())
        redraw(layer)
        x = torch.randn(nodes, channels, requires_grad=True)
        leaves = [x, *layer.parameters()]
        step = lambda: list(torch.autograd.grad(layer(x, ends).square().mean(), leaves))  # noqa: E731
        return Case(f"{nodes:,} nodes, {nodes * DEGREE:,} edges", "accelerate", {TRAINING: step})

    return case


def attention(heads: int = 8, channels: int = 16, dropout: float = 0.0, **terms: Any) -> GraphLayer:
    """Attention without an output map."""
    message = Attend(heads * channels, Heads(heads, channels), **terms)
    return GraphLayer(message, SoftmaxSum(), Replace(), dropout=dropout)


def scored(*functions: nn.Module) -> GraphLayer:
    """Attention with functions behind its score."""
    return attention(score=Then(ScaledDot(), *functions))


def by_kinds() -> GraphLayer:
    """Attention whose edges add a key and a value by their kind."""
    said = NetworkValue("bond", nn.Sequential(nn.Linear(KINDS, CHANNELS), nn.ReLU()), 8)
    return attention(edge_key=said, edge_value=said)


def by_features() -> GraphLayer:
    """Attention whose edges add a key and a value that are linear in their features."""
    said = LinearValue("edge_attr", 16, 8, 16)
    return attention(edge_key=said, edge_value=said)


def normalised() -> GraphLayer:
    """Attention of a positive kernel."""
    return GraphLayer(Attend(CHANNELS, Heads(8, 16), EluKernel()), NormalizedSum(), Replace())


def gat(heads: int, channels: int) -> GraphLayer:
    """GAT without a bias."""
    return GAT(heads * channels, channels, heads, update=Replace())


def gatv2(heads: int, channels: int) -> GraphLayer:
    """GATv2 without a bias behind its sum."""
    return GATv2(heads * channels, channels, heads, update=Replace())


def edge_conv() -> GraphLayer:
    """EdgeConv of a network with two linear maps."""
    return EdgeConv(nn.Sequential(nn.Linear(CHANNELS, 64), nn.ReLU(), nn.Linear(64, 64)))


_SHAPES = {"8x8": (8, 8), "8x16": (8, 16), "4x64": (4, 64)}
_MANY = partial(on_edges, nodes=100_000)
_BONDS = ("bond", "bond_kind")

CASES: dict[str, Callable[[int], Case]] = {
    **{f"GAT {name}": of_layer(partial(gat, *shape), shape[0] * shape[1]) for name, shape in _SHAPES.items()},
    **{f"GATv2 {name}": of_layer(partial(gatv2, *shape), shape[0] * shape[1]) for name, shape in _SHAPES.items()},
    "dot product 8x16": of_layer(attention),
    "dot product 4x64": of_layer(partial(attention, 4, 64), 256),
    "dropout 8x16": of_layer(partial(attention, dropout=0.1)),
    "soft cap 8x16": of_layer(lambda: scored(SoftCap(5.0))),
    "temperature 8x16": of_layer(lambda: scored(Temperature(0.5))),
    "learned temperature 8x16": of_layer(lambda: scored(LearnedTemperature(8))),
    "bias by kind 8x16": of_layer(lambda: attention(edge_bias=LinearBias("bond", KINDS, 8)), terms=_BONDS),
    "key and value by kind 8x16": of_layer(by_kinds, terms=_BONDS),
    "edge features 8x16": of_layer(by_features, terms=("edge_attr",)),
    "normalised sum 8x16": of_layer(normalised),
    "GCN 128": of_layer(lambda: GCN(CHANNELS, CHANNELS, bias=False)),
    "maximum 128": of_layer(lambda: GraphSAGE(CHANNELS, CHANNELS, Max(), root_weight=False, bias=False), road=whole),
    "EdgeConv 64": of_layer(edge_conv, 64),
    "RGCN 64": of_layer(lambda: RGCN(64, 64, 8, root_weight=False, bias=False), 64, ("edge_type",)),
    "molecule batch, bias by kind 8x16": of_layer(
        lambda: attention(edge_bias=LinearBias("bond", KINDS, 8)), terms=_BONDS, place=whole_graphs
    ),
    "100,000 nodes, dot product 8x16": of_layer(attention, place=_MANY),
    "100,000 nodes, GAT 8x16": of_layer(partial(gat, 8, 16), place=_MANY),
    "100,000 nodes, GATv2 8x16": of_layer(partial(gatv2, 8, 16), place=_MANY),
    "layer GAT(128, 16, 8)": of_layer(lambda: GAT(CHANNELS, 16, 8), road=whole),
    "layer GATv2(128, 16, 8)": of_layer(lambda: GATv2(CHANNELS, 16, 8), road=whole),
    "layer SelfAttention(128, 8)": of_layer(lambda: SelfAttention(CHANNELS, 8), road=whole),
    "accelerate(GATConv(128, 16, 8))": of_drop_in(lambda: pyg.GATConv(CHANNELS, 16, 8)),
    "accelerate(GATv2Conv(128, 16, 8))": of_drop_in(lambda: pyg.GATv2Conv(CHANNELS, 16, 8)),
    "accelerate(TransformerConv(128, 16, 8))": of_drop_in(lambda: pyg.TransformerConv(CHANNELS, 16, 8)),
    "accelerate(GCNConv(128, 128))": of_drop_in(lambda: pyg.GCNConv(CHANNELS, CHANNELS)),
}
"""Heads x channels, or channels; a name that begins with neither `layer` nor `accelerate` is message passing alone."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """No search for cycles of garbage inside; one before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed(step: Step, calls: int) -> dict[str, float]:
    """Seconds of a call on both clocks, the mean of several after one that is not counted."""
    with undisturbed():
        step()
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(calls):
            step()
        return {"cpu": (time.process_time() - cpu) / calls, "wall": (time.perf_counter() - wall) / calls}


def memory(step: Step) -> dict[str, float | None]:
    """MiB of a step at its most: growth of resident memory, None where unknown, the least of three; and tensors that it made."""
    grown = [each.extra for each in (measuring.peak(step) for _ in range(3)) if each is not None]
    return {"rss_mib": min(grown, default=None), "tensors_mib": measuring.tensors(step)}


def made(name: str, shrink: int) -> tuple[Case, dict[str, Any]]:
    """A case, and what there is to say of it: the norms of each step's tensors, so that two commits can be compared."""
    torch.manual_seed(0)
    case = CASES[name](shrink)
    norms = {kind: sorted(float(each.double().norm()) for each in step()) for kind, step in case.steps.items()}
    return case, {"sizes": case.sizes, "backend": case.backend, "norms": norms}


def serve(requests: TextIO, answers: TextIO, shrink: int) -> None:
    """One answer for each line; a case that cannot be made here is answered with the reason."""
    case: Case | None = None
    for line in requests:
        asked = json.loads(line)
        if "case" in asked:
            case = None
            try:
                case, answer = made(asked["case"], shrink)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
        elif "calls" in asked and case is not None:
            answer = timed(case.steps[asked["step"]], asked["calls"])
        else:
            assert case is not None
            answer = memory(case.steps[asked["step"]])
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Says where graphattn is; then one answer for each line."""
    threads, shrink = map(int, sys.argv[1:])
    answers, sys.stdout = sys.stdout, sys.stderr  # so that nothing else is said there
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    print(json.dumps({"file": graphattn.__file__}), file=answers, flush=True)
    serve(sys.stdin, answers, shrink)


if __name__ == "__main__":
    main()
