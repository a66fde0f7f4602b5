"""EdgeConv, split between receivers and senders: the same as edge by edge, with any network."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.nn import MLP

from graphattn.aggregation import Max, Mean, Min, Std, Sum
from graphattn.backends import explain_backend
from graphattn.pyg import EdgeConv as DropIn
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges, Full
from graphattn.zoo import EdgeConv

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
EACH = pytest.mark.parametrize("aggregation", [Max(), Min(), Sum(), Mean()], ids=lambda each: type(each).__name__)
NETWORKS = {
    "one": lambda: nn.Linear(8, 8),
    "bare": lambda: nn.Linear(8, 8, bias=False),
    "rectified": lambda: nn.Sequential(nn.Linear(8, 7), nn.LeakyReLU(0.1)),
    "two": lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)),
    "odd": lambda: nn.Sequential(
        nn.Linear(8, 5), nn.LeakyReLU(0.2), nn.Linear(5, 3, bias=False), nn.ReLU(inplace=True)
    ),
    "wide": lambda: nn.Sequential(nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 70)),
    "mlp": lambda: MLP([8, 6, 4], norm=None),
    "deep": lambda: nn.Sequential(
        MLP([8, 6, 5], norm=None, act="elu", plain_last=False), nn.LayerNorm(5), nn.Linear(5, 4)
    ),
    "eval": lambda: MLP([8, 6, 4]).eval(),
}
EVERY = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def drawn(receivers, senders, edges, seed):
    torch.manual_seed(seed)
    edges = edges if receivers else 0
    ends = torch.stack([torch.randint(0, senders, (edges,)), torch.randint(0, max(receivers, 1), (edges,))])
    return Edges(ends, (senders, receivers))


@EACH
@EVERY
@settings(max_examples=5)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_equal_to_edgewise(aggregation, network, receivers, senders, edges, seed):
    graph = drawn(receivers, senders, edges, seed)
    x = (torch.randn(senders, 4, dtype=F64), torch.randn(receivers, 4, dtype=F64))
    assert assert_backends_agree(EdgeConv(network(), aggregation).double(), x, graph) == ["csr", "edgewise"]


@EACH
@pytest.mark.parametrize("deep", [False, True])
@settings(max_examples=10)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_ties_and_zeros_share_as_edgewise(aggregation, deep, receivers, senders, edges, seed):
    graph = drawn(receivers, senders, edges, seed)
    network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3)) if deep else nn.Linear(8, 4)
    for parameter in network.parameters():
        nn.init.trunc_normal_(parameter, std=2).data.round_()
    x = tuple(torch.randint(-1, 2, (nodes, 4)).double() for nodes in (senders, receivers))
    assert assert_backends_agree(EdgeConv(network.double(), aggregation), x, graph) == ["csr", "edgewise"]


@EVERY
def test_a_hub_a_lonely_node_and_no_edge(network):
    layer, sender = EdgeConv(network()).double(), torch.randint(0, 500, (460,))
    hub = torch.stack([sender, torch.where(torch.arange(460) < 440, 7, sender.flip(0) % 500)])
    for ends, nodes in ((hub, 502), (EDGES[:, :0], 3), (torch.zeros(2, 1, dtype=torch.long), 1)):
        x = torch.randn(nodes, 4, dtype=F64)
        assert assert_backends_agree(layer, x, Edges(ends, nodes)) == ["csr", "edgewise"]


@EACH
@EVERY
def test_the_drop_in_equals_pyg(aggregation, network):
    kind = {"Max": "max", "Min": "min", "Sum": "sum", "Mean": "mean"}[type(aggregation).__name__]
    theirs = pyg.EdgeConv(network(), aggr=kind).double()
    ours = DropIn(theirs.nn, aggr=kind)
    x, results = torch.randn(6, 4, dtype=F64, requires_grad=True), []
    for layer in (ours, theirs):
        out = layer(x, EDGES)
        results.append([out, *torch.autograd.grad(out.sin().sum(), [x, *layer.parameters()], materialize_grads=True)])
    for one, other in zip(*results, strict=True):
        assert_close(one, other, rtol=1e-9, atol=1e-9)


@EACH
@pytest.mark.parametrize("network", [NETWORKS[name] for name in ("one", "rectified", "two", "odd")])
def test_derivatives(aggregation, network):
    layer, x = EdgeConv(network(), aggregation).double(), torch.randn(6, 4, dtype=F64, requires_grad=True)
    parameters, values = zip(*layer.named_parameters(), strict=True)

    def of(x, *values):
        return torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), (x, Edges(EDGES, 6)))

    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(of, (x, *values))
    many = torch.randn(3, 6, 4, dtype=F64)
    slope = torch.func.grad(lambda x: layer(x, Edges(EDGES, 6)).sin().sum())
    assert_close(torch.func.vmap(slope)(many), torch.stack([slope(x) for x in many]))


@EVERY
@pytest.mark.parametrize("aggregation", [Max(), Sum()], ids=["Max", "Sum"])
def test_layers_are_mapped_and_compiled(network, aggregation):
    layer, many, graph = EdgeConv(network(), aggregation), torch.randn(2, 6, 4), Edges(EDGES, 6).prepare()
    truth = torch.stack([layer(x, graph) for x in many])
    assert_close(torch.func.vmap(lambda x: layer(x, graph))(many), truth)
    torch._dynamo.reset()
    x = many[0].requires_grad_()
    out = torch.compile(layer, fullgraph=True, backend="eager")(x, graph)
    assert_close(out, truth[0])
    assert_close(*(torch.autograd.grad(each.sin().sum(), x)[0] for each in (out, layer(x, graph))))


def test_float32_is_as_precise_as_the_plain_path():
    graph, x = drawn(100, 100, 1_000, 0), torch.randn(100, 4)
    layer = EdgeConv(NETWORKS["two"]()).double()
    truth, errors = layer(x.double(), graph), []
    for explain in (False, True):  # with an explainer, edge by edge
        layer.float().explain = explain
        layer._edge_mask, layer._loop_mask, layer._apply_sigmoid = torch.ones(1_000), None, False
        errors.append((layer(x, graph).double() - truth).abs().max())
    assert errors[0] <= 2 * errors[1] + 1e-6


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.Sequential(nn.ReLU(), nn.Linear(8, 4)), "needs a network that begins with a linear map, got Sequential"),
        (MLP([8, 6, 4]), "needs layers that treat each edge on its own, got BatchNorm1d"),
        (nn.Sequential(nn.Linear(8, 4), nn.Dropout(0.5)), "needs layers that treat each edge on its own, got Dropout"),
    ],
)
def test_networks_that_are_not_split(network, reason):
    assert explain_backend(EdgeConv(network), torch.randn(6, 4), Edges(EDGES, 6)).reasons["csr"] == [reason]


def test_reasons_are_told():
    x, graph, layer = torch.randn(6, 4), Edges(EDGES, 6), EdgeConv(NETWORKS["two"]()).train()
    layer.dropout = 0.5
    assert explain_backend(layer, x, graph).reasons["csr"] == ["needs messages of which none is dropped"]
    layer.eval()
    with torch.autocast("cpu", torch.bfloat16):
        reasons = explain_backend(layer, x, graph).reasons["csr"]
        assert layer(x, graph).dtype == torch.bfloat16
    assert reasons == ["needs messages of the precision of x, got autocast"]
    layer.aggregation = Std()
    assert explain_backend(layer, x, graph).reasons["csr"] == ["needs the aggregation Sum, Mean, Max or Min, got Std"]
    layer = EdgeConv(NETWORKS["two"]())
    layer.message_function.network[2].register_forward_hook(lambda *_: None)
    assert explain_backend(layer, x, graph).reasons["csr"] == ["needs a network without hooks"]


@pytest.mark.parametrize("broken", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("network", ["one", "two", "deep"])
@EACH
def test_infinity_less_infinity_is_no_number_as_in_pyg(network, aggregation, broken):
    names = {Max: "max", Min: "min", Sum: "add", Mean: "mean"}
    peer = pyg.EdgeConv(NETWORKS[network](), aggr=names[type(aggregation)]).double()
    x = torch.randn(6, 4, dtype=F64)
    x[2, 1] = broken
    for graph in (Edges(EDGES, 6), Full([6])):
        ours, theirs = (x.clone().requires_grad_() for _ in range(2))
        layer = EdgeConv(peer.nn, aggregation)
        out, truth = layer(ours, graph), peer(theirs, graph.edge_index())
        assert_close(out, truth, equal_nan=True)
        grads = torch.autograd.grad(out.sum(), ours)[0], torch.autograd.grad(truth.sum(), theirs)[0]
        assert_close(*grads, equal_nan=True)
    assert "csr: needs finite states, got infinity or NaN in x" in str(explain_backend(layer, x, Edges(EDGES, 6)))
