"""Every kernel gives the same bits on any number of threads, in forked children, in a loader's workers, under several callers."""

import importlib
import os
import pkgutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, Dataset

from graphattn.aggregation import Max, Min, NormalizedSum, SoftmaxSum, Sum
from graphattn.backends import BACKENDS, numba
from graphattn.backends.numba import threads
from graphattn.backends.numba.compiling import KERNELS
from graphattn.edge_terms import LinearBias, LinearValue, RelativeValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.score import Additive, EluKernel, ScaledDot, SoftCap, Then
from graphattn.slots import Inputs
from graphattn.topology import Causal, Edges, Full, Topology
from graphattn.update import Replace
from graphattn.zoo import GAT, GCN, RGCN, EdgeConv, GATv2, GraphSAGE, GraphTransformer, SelfAttention

F64, TWO = torch.float64, Heads(2, 8)


class Family(NamedTuple):
    """A layer of 16 channels whose kernels are of one kind, and the features of edges it needs."""

    make: Callable[[], GraphLayer]
    edge: Callable[[int], dict[str, Tensor]] = lambda edges: {}
    dropout: float = 0.0
    backend: str = "csr"


def attend(score=None, aggregation=None, **terms):
    return GraphLayer(Attend(16, TWO, score, **terms), aggregation or SoftmaxSum(), Replace())


def features(edges):
    return {"edge_attr": torch.randn(edges, 3, dtype=F64)}


def kinds(edges):
    return {"bond": torch.randn(4, 3, dtype=F64), "bond_kind": torch.randint(0, 4, (edges,))}


def types(edges):
    return {"edge_type": torch.randint(0, 3, (edges,))}


def network(wide):
    return nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, wide))


def bias():
    return LinearBias("bond", 3, heads=2)


def said(name="bond"):
    return LinearValue(name, 3, heads=2, head_channels=8)


def far():
    return RelativeValue(3, heads=2, head_channels=8)


FAMILIES = {
    "attention": Family(lambda: SelfAttention(16, heads=2)),
    "attention given edges": Family(lambda: GraphTransformer(16, 8, heads=2, edge_dim=3), features, 0.3),
    "attention given kinds": Family(lambda: attend(edge_bias=bias(), edge_key=said()), kinds),
    "steps": Family(lambda: attend(Then(ScaledDot(), SoftCap(2.0)), edge_key=far(), edge_value=far()), kinds),
    "normalised sums": Family(
        lambda: attend(EluKernel(), NormalizedSum(), edge_value=said("edge_attr")),
        features,
        0.3,
    ),
    "GATv2": Family(lambda: GATv2(16, 8, heads=2, edge_dim=3), features, 0.3),
    "GATv2 given places": Family(
        lambda: attend(Additive(2, 8, nn.LeakyReLU(0.2)), edge_key=far(), edge_bias=bias()), kinds
    ),
    "GAT": Family(lambda: GAT(16, 8, heads=2, edge_dim=3), features, 0.3),
    "weighted sums": Family(lambda: GraphLayer(Copy(), Sum(), Replace()), dropout=0.3),
    "scaled sums": Family(lambda: GCN(16, 16)),
    "means": Family(lambda: GraphSAGE(16, 16)),
    "largest": Family(lambda: GraphLayer(Copy(), Max(), Replace()), dropout=0.3),
    "least": Family(lambda: GraphLayer(Copy(), Min(), Replace())),
    "EdgeConv": Family(lambda: EdgeConv(nn.Linear(32, 16))),
    "EdgeConv, rectified": Family(lambda: EdgeConv(network(16))),
    "EdgeConv, summed": Family(lambda: EdgeConv(network(16), Sum())),
    "relations": Family(lambda: RGCN(16, 16, relations=3), types),
    "whole graphs": Family(lambda: attend(edge_bias=bias()), kinds, 0.3, "small"),
    "whole causal graphs": Family(lambda: SelfAttention(16, heads=2), backend="small"),
}
EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
ON_EDGES = pytest.mark.parametrize(
    "family",
    [it for it in FAMILIES.values() if it.backend == "csr"],
    ids=[name for name, it in FAMILIES.items() if it.backend == "csr"],
)


class Case(NamedTuple):
    """What a backend computes with, and the backend."""

    layer: GraphLayer
    graph: Topology
    inputs: Inputs
    backend: str

    def outcome(self) -> list[Tensor]:
        """What receivers hear, and gradients of all that goes in: by the backend alone, as products of matrices, in torch,
        depend on threads and hang in a forked child."""
        backend = next(each for each in BACKENDS if each.name == self.backend)
        states = [leaves(state) for state in self.inputs[:3]]
        out = backend.heard(self.layer, self.graph, Inputs(*states, self.inputs.seed))
        wanted = [*(value for state in states for value in state.values()), *self.layer.message_function.parameters()]
        wanted = [tensor for tensor in wanted if tensor.requires_grad]
        weight = torch.arange(out.numel(), dtype=F64).view_as(out) % 7 - 3
        return [out.detach(), *torch.autograd.grad(out, wanted, weight, materialize_grads=True)]


def leaves(state):
    return {name: value.detach().requires_grad_(value.is_floating_point()) for name, value in state.items()}


def case(family, graph=None):
    if graph is None:
        graph = Edges(torch.randint(0, 100, (2, 900)), 100)
        if family.backend == "small":
            graph = (Causal if family.make().name == "SelfAttention" else Full)([50, 70, 60])
    layer = family.make().double().train()
    layer.dropout = family.dropout
    _, graph, inputs = layer.prepare(torch.randn(graph.num_senders, 16, dtype=F64), graph, family.edge(graph.num_edges))
    backend = next(each for each in BACKENDS if each.name == family.backend)
    assert not [*backend.unsupported(layer, graph, inputs)]
    return Case(layer, graph, inputs, family.backend)


def equal(ours, truth):
    return all(torch.equal(one, other) for one, other in zip(ours, truth, strict=True))


@pytest.fixture(params=["torch's threads", "a pool"])
def either_team(request, team, monkeypatch):
    if request.param == "a pool":
        monkeypatch.setattr(threads, "openmp", lambda: None)
    elif threads.openmp() is None:
        pytest.skip("this system does not tell which OpenMP library torch computes with")
    return team


@EVERY
def test_bits_do_not_depend_on_threads(family, either_team):
    each = case(family)
    first, second = each.outcome(), each.outcome()
    assert either_team.shared()
    assert equal(first, second)
    torch.set_num_threads(1)
    assert equal(each.outcome(), first)
    assert_close(first, each._replace(backend="edgewise").outcome(), rtol=1e-9, atol=1e-9)


def test_every_kernel_is_among_them(team):
    for module in pkgutil.iter_modules(numba.__path__, numba.__name__ + "."):
        importlib.import_module(module.name)
    for family in FAMILIES.values():
        case(family).outcome()
    takes_a_range = [it.py_func for it in KERNELS if it.py_func.__code__.co_varnames[:2] == ("low", "high")]
    assert team.shared() == {f"{it.__module__.rpartition('.')[-1]}.{it.__name__}" for it in takes_a_range}


@EVERY
def test_python_threads_may_call_at_once(family, either_team):
    each = case(family)
    truth = each.outcome()
    with ThreadPoolExecutor(4) as pool:
        assert all(equal(result, truth) for result in pool.map(lambda _: each.outcome(), range(8)))
    assert either_team.shared()


def two_threads_for_kernels(_worker=None):
    """In a forked child: torch's own operators would wait forever for the parent's threads."""
    torch.set_num_threads(1)
    torch.get_num_threads = lambda: 2


# Python warns of any fork in a process with threads.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@EVERY
def test_a_forked_child_goes_on_with_several_threads(family, team):
    each = case(family)
    truth = each.outcome()
    team.shared()
    child = os.fork()
    if child == 0:
        signal.alarm(100)  # instead of waiting forever
        two_threads_for_kernels()
        same = equal(each.outcome(), truth)
        os._exit(0 if same and team.shared() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Outcomes(Dataset):
    """Outcomes, with the threads that computed them."""

    def __init__(self, case, team):
        self.case, self.team = case, team

    def __len__(self):
        return 3

    def __getitem__(self, index):
        outcome = self.case.outcome()
        return outcome, self.team.shared(torch.get_num_threads())


# A worker has one thread, unless it asks for more.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("init", [None, two_threads_for_kernels], ids=["one thread", "two threads"])
@EVERY
def test_workers_of_a_loader_go_on(family, team, init):
    each = case(family)
    truth = each.outcome()
    team.shared()
    loader = DataLoader(Outcomes(each, team), num_workers=2, batch_size=None, timeout=100, worker_init_fn=init)
    for outcome, kernels in loader:
        assert equal(outcome, truth)
        assert kernels


@pytest.mark.parametrize("flip", [False, True], ids=["hears many", "is heard by many"])
@ON_EDGES
def test_a_node_with_very_many_edges_is_no_exception(family, team, flip):
    many = torch.stack([torch.randint(0, 60, (9000,)), torch.full((9000,), 4)])
    ends = torch.cat([many, torch.randint(0, 60, (2, 500))], dim=1)
    each = case(family, Edges(ends.flip(0) if flip else ends, 60))
    many_threads = each.outcome()
    assert team.shared()
    torch.set_num_threads(1)
    assert equal(each.outcome(), many_threads)
    assert_close(many_threads, each._replace(backend="edgewise").outcome(), rtol=1e-9, atol=1e-9)
