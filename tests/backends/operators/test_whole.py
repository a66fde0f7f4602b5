"""Attention in whole graphs as an operator: derivatives, mapping, compiling, threads."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import use_backend
from graphattn.backends.operators.whole import Attended, attend, attend_backward, attention
from graphattn.backends.whole import backend
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.topology import Causal, Cross, Full
from graphattn.update import Replace
from graphattn.zoo import SelfAttention

F64, TWO = torch.float64, Heads(2, 4)
GRAPHS = {"Full": Full([3, 0, 2]), "Causal": Causal([3, 0, 2]), "Cross": Cross([3, 2, 0], [2, 0, 2])}


def drawn(graph, heads=2, **options):
    """Something of everything; the edges listed are out of order, and one of them is there twice."""
    edges, rows = graph.num_edges, (graph.num_receivers, graph.num_senders, graph.num_senders)
    shapes = [(n, heads, c) for n, c in zip(rows, (3, 3, 2), strict=True)] + [(edges, heads), (3, heads), (3, heads)]
    tensors = [torch.randn(shape, dtype=F64, requires_grad=True) for shape in shapes]
    return Attended(*tensors, torch.randint(0, 3, (edges,)), torch.tensor([4, 1, 4]) % edges, **options)


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_first_and_second_derivatives(kind, share):
    graph = GRAPHS[kind]
    given = drawn(graph, seed=torch.tensor(5) if share else None, factor=0.7, dropout=share)

    def of(*states):
        return attention(Attended(*states, *given[6:]), graph, "numba")

    assert torch.autograd.gradcheck(of, given[:6])
    assert torch.autograd.gradgradcheck(of, given[:6])


def test_gradients_of_some_arguments_alone():
    graph = GRAPHS["Full"]
    given = drawn(graph)
    whole = torch.autograd.grad(attention(given, graph, "numba")[0].sin().sum(), [given.query, given.bias])
    for k, part in enumerate((given.query, given.bias)):
        rest = [x.detach().requires_grad_(x is part) for x in given[:6]]
        out = attention(Attended(*rest, *given[6:]), graph, "numba")[0]
        (found,) = torch.autograd.grad(out.sin().sum(), [x for x in rest if x.requires_grad])
        assert_close(found, whole[k])


@pytest.fixture
def _however_few(monkeypatch):
    monkeypatch.setattr(backend, "FEWEST", 0)
    monkeypatch.setattr(backend, "FUSED", 0)


def bonded(heads=TWO):
    bias, said = LinearBias("pair", 3, heads=heads.number), LinearValue("bond", 3, heads.number, heads.channels)
    return GraphLayer(Attend(8, heads, edge_bias=bias, edge_value=said), SoftmaxSum(), Replace())


def bonds(graph, dtype=F64):
    return {
        "pair": torch.randn(4, 3, dtype=dtype),
        "pair_kind": torch.randint(0, 4, (graph.num_edges,)),
        "bond": torch.randn(2, 3, dtype=dtype),
        "bond_kind": torch.tensor([0, 1, 0]),
        "bond_number": torch.tensor([1, 3, 4]),
    }


@pytest.mark.usefixtures("_however_few")
def test_functions_of_layers_are_mapped():
    graph, layer = Full([3, 2]), bonded().double()
    many, edge = torch.randn(3, 5, 8, dtype=F64), bonds(graph)
    wide = edge | {"pair": torch.randn(3, 4, 3, dtype=F64)}

    def loss(x, pair):
        return layer(x, graph, edge | {"pair": pair}).sin().sum()

    with use_backend("small"):
        mapped = torch.func.vmap(lambda x: layer(x, graph, edge))(many)
        assert_close(mapped, torch.stack([layer(x, graph, edge) for x in many]))
        slopes = torch.func.vmap(torch.func.grad(loss, (0, 1)))(many, wide["pair"])
        for k in range(3):
            x, pair = (whole[k].clone().requires_grad_() for whole in (many, wide["pair"]))
            for slope, truth in zip(slopes, torch.autograd.grad(loss(x, pair), (x, pair)), strict=True):
                assert_close(slope[k], truth)


@pytest.mark.usefixtures("_however_few")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_layers_leave_it_to_others_and_agree(backend):
    layer, counted = bonded(), []
    torch._dynamo.reset()

    def count(module, inputs):
        counted.append(module)
        return module.forward if backend == "eager" else torch._dynamo.lookup_backend(backend)(module, inputs)

    compiled = torch.compile(layer, fullgraph=True, backend=count)
    for sizes in ([3, 2], [4, 1, 6], [2, 9], [5, 5, 5, 1]):
        graph = Full(sizes).prepare()
        edge, x = bonds(graph, torch.float32), torch.randn(graph.num_receivers, 8, requires_grad=True)
        leaves = [x, *layer.parameters()]
        with use_backend("small"):
            truth = layer(x, graph, edge)
        out = compiled(x, graph, edge)
        assert_close(out, truth)
        assert_close(*(torch.autograd.grad(result.sin().sum(), leaves) for result in (out, truth)))
    # Once for the first sizes, once for all others, once where nothing is divisible by what the first ones were.
    assert len(counted) <= 3


def test_bits_do_not_depend_on_threads(team):
    graph = Full(torch.randint(1, 40, (60,)).tolist())
    edge, results = bonds(graph, torch.float32), []
    for threads in (1, 2, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        # Products of matrices, in torch, do depend on threads.
        states = [torch.randn(graph.num_receivers, 2, 16, requires_grad=True) for _ in range(3)]
        table = edge["pair"][:, :2].contiguous().requires_grad_()
        listed = {"kind": edge["pair_kind"], "listed": edge["bond_number"]}
        given = Attended(*states, table=table, **listed, seed=torch.tensor(3), factor=0.25, dropout=0.2)
        out, alpha = attention(given, graph, "numba")
        grads = torch.autograd.grad(out.sin().sum() + alpha.sum(), [*states, table])
        results.append([out, alpha, *grads])
        assert len(team.shared(threads)) == 2
    for result in results[1:]:
        assert all(torch.equal(ours, first) for ours, first in zip(result, results[0], strict=True))


def test_a_training_step_keeps_nothing_for_each_pair():
    graph, layer = Full([180] * 10), SelfAttention(64, 4)
    x, pairs = torch.randn(1800, 64, requires_grad=True), 10 * 180 * 180 * 4 * 4
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        layer(x, graph).sum().backward()
    assert any("graphattn::whole" in event.name for event in profile.events())
    assert max(event.cpu_memory_usage for event in profile.events()) < pairs / 3


def test_what_torch_takes_for_a_graph_cannot_be_mapped():
    x, ptr = torch.randn(3, 1, 4), torch.tensor([0, 3])

    def of(ptr):
        return attend(*Attended(x, x, x), ptr, ptr, 3, False, "numba")

    with pytest.raises(ValueError, match="vmap over node states and edge terms only, got one over a graph or a seed"):
        torch.func.vmap(of)(ptr.expand(2, -1))


@pytest.mark.parametrize("kind", GRAPHS)
def test_what_compilers_expect_is_what_comes(kind):
    graph = GRAPHS[kind]
    given = drawn(graph, seed=torch.tensor(5), dropout=0.4)
    batch = (graph.receivers.ptr, graph.senders.ptr, 3, kind == "Causal", "numba")
    out, alpha, *kept = attend(*given, *batch)
    torch.library.opcheck(attend, (*given, *batch), test_utils="test_faketensor")
    for wanted in (True, False):
        rest = (torch.randn_like(out), torch.randn_like(alpha), *kept, *given, *batch, wanted)
        torch.library.opcheck(attend_backward, rest, test_utils="test_faketensor")
