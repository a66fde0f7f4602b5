"""What edges say to attention on lists of edges: the same as edge by edge, and no edge ever has heads times channels."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.backends import explain_backend, use_backend
from graphattn.edge_terms import GridBias, LinearBias, LinearValue, NetworkValue, RelativeBias, RelativeValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import Additive, Cosine, EluKernel, LearnedTemperature, ScaledDot, SoftCap, SplitAdditive, Then
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Edges, Full, Grid, Line, Reversed, collate, with_hubs
from graphattn.update import Replace
from graphattn.zoo import GAT, GATv2, GraphTransformer, LinearAttention, SelfAttention

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
H, C = 2, 8


def attend(score=None, aggregation=SoftmaxSum, **terms):
    return GraphLayer(Attend(6, Heads(H, C), score, **terms), aggregation(), Replace())


def linear(name="bond", channels=3, bias=False):
    term = LinearValue(name, channels, H, C)
    term.linear = nn.Linear(channels, H * C, bias=bias)
    return term


def network(*, bias=True, ends="linear"):
    layers = [nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, H * C, bias=bias)]
    return NetworkValue("bond", nn.Sequential(*layers, *([] if ends == "linear" else [nn.Tanh()])), heads=H)


def relative(tables=1):
    return RelativeValue(2, H, C, tables)


def leaky(score):
    return score(H, C, nn.LeakyReLU(0.2))


def both(term):
    return {"edge_key": term, "edge_value": term}


CASES = {
    "linear key and value": lambda: attend(**both(linear())),
    "linear with a bias": lambda: attend(**both(linear(bias=True))),
    "linear value with a bias": lambda: attend(edge_value=linear(bias=True)),
    "two features": lambda: attend(edge_key=linear(), edge_value=linear("other", 4)),
    "two maps of one feature": lambda: attend(edge_key=linear(), edge_value=linear(bias=True)),
    "relative key": lambda: attend(edge_key=relative(), edge_bias=RelativeBias(3, H)),
    "relative value": lambda: attend(edge_value=relative(tables=2)),
    "relative key and value": lambda: attend(edge_key=relative(), edge_value=relative()),
    "one relative table": lambda: attend(**both(relative())),
    "linear key, relative value": lambda: attend(edge_key=linear(), edge_value=relative()),
    "relative key, network value": lambda: attend(edge_key=relative(), edge_value=network()),
    "network key and value": lambda: attend(**both(network())),
    "network without a bias": lambda: attend(edge_value=network(bias=False)),
    "GATv2 with edges": lambda: attend(leaky(Additive), edge_key=linear(), edge_bias=LinearBias("other", 4, H)),
    "GATv2 with a network": lambda: attend(leaky(Additive), edge_key=network()),
    "GATv2 with places": lambda: attend(leaky(Additive), edge_key=relative()),
    "GAT with edges": lambda: attend(leaky(SplitAdditive), edge_key=LinearValue("bond", 3, H, 1)),
    "GAT with values of edges": lambda: attend(leaky(SplitAdditive), edge_value=linear(), edge_bias=RelativeBias(2, H)),
    "GAT with tanh": lambda: attend(SplitAdditive(H, C, nn.Tanh()), edge_value=relative()),
    "temperature and cap": lambda: attend(
        Then(Cosine(), LearnedTemperature(H), SoftCap(5.0)), edge_value=linear(), edge_bias=RelativeBias(2, H)
    ),
    "cap on keys of edges": lambda: attend(Then(ScaledDot(), SoftCap(2.0)), edge_key=network(), edge_value=relative()),
    "positive kernel": lambda: attend(EluKernel(), NormalizedSum, edge_value=relative()),
}
EVERY = pytest.mark.parametrize("case", CASES)
BY_KERNELS_ALONE = ("GATv2 with edges", "GATv2 with a network", "GATv2 with places")
"""What torch's own operators do not compute without a tensor of edges times channels."""


def said(edges, dtype=F64):
    return {"bond": torch.randn(edges, 3, dtype=dtype), "other": torch.randn(edges, 4, dtype=dtype)}


@EVERY
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_what_edges_say_equals_edgewise(case, dropout):
    layer, x = CASES[case]().double(), torch.randn(6, 6, dtype=F64)
    layer.dropout = dropout
    for ends in (EDGES, EDGES.flip(1), EDGES[:, :0]):
        graph, edge = Edges(ends, 6), said(ends.size(1))
        sparse = [] if case in BY_KERNELS_ALONE else ["sparse"]
        assert assert_backends_agree(layer, x, graph, edge) == ["csr", *sparse, "edgewise"]


@EVERY
def test_some_edges_or_kinds_of_edges_may_speak(case):
    layer, x, graph = CASES[case]().double(), torch.randn(6, 6, dtype=F64), Edges(EDGES, 6)
    number, kind = torch.tensor([5, 0, 7, 0]), torch.tensor([0, 3, 3, 1, 2, 0, 1, 1])
    some = {**said(4), "bond_number": number, "other_number": number}
    kinds = {**said(4), "bond_kind": kind, "other_kind": kind}
    for edge in (some, kinds, {**kinds, "bond_kind": kind[:4], "bond_number": number}):
        assert "csr" in assert_backends_agree(layer, x, graph, edge)


class Largest(TorchDispatchMode):
    """Remembers the largest number of elements of a tensor that is made."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        # A view of few numbers is none of many.
        sizes = [
            x.untyped_storage().nbytes() // x.element_size() for x in tree_leaves(out) if isinstance(x, torch.Tensor)
        ]
        self.elements = max(self.elements, *sizes, 0)
        return out


def watched(layer, x, graph, edge):
    graph.listed().prepare()  # what is made once for a graph
    with Largest() as largest:
        layer(x, graph, edge).sum().backward()
    return largest.elements


def assert_never_channels_of_edges(layer, x, graph, edge, wide):
    assert explain_backend(layer, x, graph, edge).chosen == "csr"
    assert watched(layer, x, graph, edge) < wide
    with use_backend("edgewise"):
        assert watched(layer, x, graph, edge) >= wide


@EVERY
def test_no_edge_has_channels(case):
    graph, edges = Edges(torch.randint(0, 50, (2, 2000)), 50), 2000
    x = torch.randn(50, 6, requires_grad=True)
    assert_never_channels_of_edges(CASES[case](), x, graph, said(edges, torch.float32), edges * H * C)


TOPOLOGIES = {
    "Line": lambda: Line([40, 20], kernel_size=15),
    "Grid": lambda: Grid(8, 8, kernel_size=5),
    "Union": lambda: Line([30, 30], kernel_size=9) | Causal([30, 30]),
    "WithHubs": lambda: with_hubs(Line([30, 20], kernel_size=9), hubs=2),
    "hubs of lists": lambda: with_hubs(Edges(torch.randint(0, 40, (2, 500)), 40)),
}
ON_TOPOLOGIES = pytest.mark.parametrize("topology", TOPOLOGIES)


@ON_TOPOLOGIES
@pytest.mark.parametrize("bias", [None, RelativeBias(3, H), GridBias(8, 8, H)], ids=lambda bias: type(bias).__name__)
def test_every_topology_is_a_list(topology, bias):
    graph = TOPOLOGIES[topology]()
    x = torch.randn(graph.num_senders, 6, requires_grad=True)
    assert_never_channels_of_edges(attend(edge_bias=bias), x, graph, {}, graph.num_edges * H * C)
    layer = attend(edge_bias=bias, edge_key=linear(), edge_value=relative()).double()
    layer.dropout = 0.3
    compared = assert_backends_agree(layer, x.detach().double(), graph, said(graph.num_edges))
    assert compared == ["csr", "sparse", "edgewise"]


def test_blocks_are_lists_where_scores_know_no_matrices():
    x = torch.randn(12, 6, dtype=F64)
    for graph in (Full([9, 3]), Reversed(Causal([9, 3]))):
        assert explain_backend(attend().double(), x, graph).chosen == "dense"
        layer = attend(leaky(Additive), edge_key=relative()).double()
        assert explain_backend(layer, x, graph).chosen == "csr"
        assert assert_backends_agree(layer, x, graph) == ["csr", "edgewise"]


@ON_TOPOLOGIES
def test_lists_are_made_once_and_go_where_their_topology_goes(topology):
    graph = TOPOLOGIES[topology]().prepare()
    assert graph.grouped
    assert graph.listed() is graph.listed()
    assert torch.equal(graph.listed().edge_index(), graph.edge_index())
    for other in (graph.to("cpu"), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert other.grouped
        assert other.listed().senders is other.listed().receivers
        assert torch.equal(other.listed().edge_index(), graph.edge_index())
    twice = collate([graph, TOPOLOGIES[topology]()])
    assert not twice.grouped
    assert torch.equal(twice.listed().edge_index(), twice.edge_index())


@ON_TOPOLOGIES
@pytest.mark.parametrize("case", ["relative key and value", "GATv2 with edges", "GAT with values of edges"])
def test_prepared_topologies_compile_into_one_graph(topology, case):
    graph, layer = TOPOLOGIES[topology]().prepare(), CASES[case]()
    x, edge = torch.randn(graph.num_senders, 6, requires_grad=True), said(graph.num_edges, torch.float32)
    torch._dynamo.reset()
    out, truth = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, graph, edge), layer(x, graph, edge)
    torch.testing.assert_close(out, truth)
    torch.testing.assert_close(*(torch.autograd.grad(result.sin().sum(), x)[0] for result in (out, truth)))


SMALL = Edges(torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]]), 4)


@EVERY
def test_first_and_second_derivatives(case):
    layer, leaves = CASES[case]().double(), {"x": torch.randn(4, 6, dtype=F64), **said(5)}
    leaves.update(layer.named_parameters())
    names = [name for name in leaves if "query" not in name and "value." not in name]

    def heard(*values):
        given = {**leaves, **dict(zip(names, values, strict=True))}
        edge = {name: given.pop(name) for name in ("bond", "other")}
        torch.manual_seed(0)
        return torch.func.functional_call(layer, given, (given.pop("x"), SMALL, edge))

    inputs = [leaves[name].detach().requires_grad_() for name in names]
    layer.dropout = 0.3
    assert torch.autograd.gradcheck(heard, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(heard, inputs, fast_mode=True)


@EVERY
def test_functions_of_layers_are_mapped(case):
    layer, many, edge = CASES[case]().double(), torch.randn(3, 6, 6, dtype=F64), said(8)
    bonds = torch.randn(3, 8, 3, dtype=F64)

    def loss(x, bond):
        return layer(x, Edges(EDGES, 6), {**edge, "bond": bond}).sin().sum()

    slopes = torch.func.vmap(torch.func.grad(loss))(many, bonds)
    for x, bond, slope in zip(many, bonds, slopes, strict=True):
        torch.testing.assert_close(slope, torch.func.grad(loss)(x, bond))


ZOO = {
    "SelfAttention": lambda: SelfAttention(6, heads=2),
    "GraphTransformer": lambda: GraphTransformer(6, 4, heads=2, edge_dim=3),
    "GAT": lambda: GAT(6, 4, heads=2, edge_dim=3),
    "GATv2": lambda: GATv2(6, 4, heads=2, edge_dim=3),
    "LinearAttention": lambda: LinearAttention(6, heads=2),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", [*CASES, *ZOO])
def test_half_precision_is_as_near_to_the_truth_as_edgewise(case, dtype):
    layer, graph = {**CASES, **ZOO}[case](), Edges(torch.randint(0, 50, (2, 500)), 50)
    x, edge = torch.randn(50, 6).to(dtype), {name: value.to(dtype) for name, value in said(500).items()}
    edge |= {} if case in CASES else {"edge_attr": edge["bond"]}
    layer = layer.to(dtype)

    def found(layer, x, edge):
        out = layer(x, graph, edge)
        return [out, *torch.autograd.grad(out.sum(), [x], materialize_grads=True)]

    exact = {name: value.double() for name, value in edge.items()}
    wanted, errors = found(copy.deepcopy(layer).double(), x.double().requires_grad_(), exact), {}
    for name in ("csr", "edgewise"):
        with use_backend(name):
            results = found(layer, x.clone().requires_grad_(), edge)
        assert {result.dtype for result in results} == {dtype}
        errors[name] = [(a - b).norm() for a, b in zip(results, wanted, strict=True)]
    assert explain_backend(layer, x, graph, edge).chosen == "csr"
    for ours, plain, size in zip(errors["csr"], errors["edgewise"], wanted, strict=True):
        assert ours <= 2 * plain + torch.finfo(dtype).eps * size.norm()


def test_reasons_are_told():
    graph, x = Edges(EDGES, 6), torch.randn(6, 6)

    class Own:
        def on_edges(self, graph, edge):
            return None, torch.zeros(graph.num_edges, H, C)

    for layer, reason in (
        (attend(edge_value=Own()), "needs keys and values of edges in two factors, got the edge_value Own"),
        (attend(edge_value=network(ends="tanh")), "needs a network that ends with a linear map, got Tanh"),
        (attend(edge_value=NetworkValue("bond", None, H)), "needs a network behind values of 2 heads, got none"),
        (attend(Cosine(), edge_key=linear()), "needs a score that is linear in the key of an edge, got Cosine"),
        (attend(Additive(H, C)), "needs a leaky ReLU in the score, got Tanh"),
        (attend(leaky(Additive), edge_value=linear()), "needs values of nodes alone, got the edge_value LinearValue"),
        (attend(leaky(Additive), NormalizedSum), "needs the aggregation SoftmaxSum, got NormalizedSum"),
    ):
        assert explain_backend(layer, x, graph, said(8)).reasons["csr"] == [reason]
    kinds = {"bond": torch.randn(4, 3), "bond_kind": torch.tensor([0, 3, 3, 1, 2, 0, 1, 1])}
    assert explain_backend(attend(edge_value=network(ends="tanh")), x, graph, kinds).chosen == "csr"


def test_nodes_without_edges_do_not_reach_the_gradient_of_a_score():
    layer, x = GATv2(4, 4, heads=H).double(), torch.randn(7, 4, dtype=F64)
    x[6] = torch.inf
    graph = Edges(torch.tensor([[0, 1, 2, 0], [1, 2, 1, 3]]), 7)
    found = []
    for backend in ("csr", "sparse", "edgewise"):
        with use_backend(backend):
            found.append(torch.autograd.grad(layer(x, graph)[:6].sum(), layer.message_function.score.weight)[0])
    assert found[0].isfinite().all()
    assert_close(found[0], found[2])
    assert_close(found[1], found[2])


@pytest.mark.parametrize("backend", ["csr", "sparse"])
def test_features_that_are_only_values_do_not_reach_scores(backend):
    """Nor do the unit vectors that a linear map is read by: its gradient has no products with zero."""
    layer, x, graph = attend(edge_value=linear()), torch.randn(6, 6), Edges(EDGES, 6)
    edge = said(8)
    edge["bond"][0, 1] = torch.inf
    layer, x, edge = layer.double(), x.double().requires_grad_(), {"bond": edge["bond"].double()}
    found = []
    for name in (backend, "edgewise"):
        with use_backend(name):
            out = layer(x, graph, edge)
            others = torch.arange(6) != EDGES[1, 0]
            found.append(
                (out, *torch.autograd.grad(out[others].sum(), [x, layer.message_function.edge_value.linear.weight]))
            )
    assert found[1][2].isfinite().any()
    for ours, truth in zip(*found, strict=True):
        assert_close(ours, truth, equal_nan=True)
