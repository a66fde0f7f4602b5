"""Weights of relations applied to sums: the same as applied to each edge."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from torch_geometric.nn import RGCNConv

from graphattn.aggregation import Max, RelationMean, Sum
from graphattn.backends import explain_backend, use_backend
from graphattn.backends.edges.relations import parts_of
from graphattn.layer import GraphLayer
from graphattn.message import Bases, Blocks, EachRelation, Kernel, Relation
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.update import Replace
from graphattn.zoo import RGCN

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
KIND = torch.tensor([2, 0, 2, 0, 0, 2, 2, 2])
WEIGHTS = {
    "each": EachRelation,
    "bases": partial(Bases, bases=2),
    "blocks": partial(Blocks, blocks=2),
    "kernel": lambda channels, out, relations: Kernel(channels, out, (relations,), 2),
}
EVERY = pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
EACH = pytest.mark.parametrize("aggregation", [Sum(), RelationMean(3)], ids=lambda each: type(each).__name__)


@EVERY
@EACH
@settings(max_examples=10)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_equal_to_edgewise(weight, aggregation, receivers, senders, edges, seed):
    torch.manual_seed(seed)
    edges = edges if receivers else 0
    ends = torch.stack([torch.randint(0, senders, (edges,)), torch.randint(0, max(receivers, 1), (edges,))])
    kind = torch.randint(0, 3, (edges,))
    layer = RGCN((4, 5), 6, 3, weight, aggregation).double()
    x = (torch.randn(senders, 4, dtype=F64), torch.randn(receivers, 5, dtype=F64))
    for graph, edge in (
        (Edges(ends, (senders, receivers)), {"edge_type": kind}),
        (Edges(ends, (senders, receivers), edge_type=kind), {}),
    ):
        assert assert_backends_agree(layer, x, graph, edge) == ["csr", "edgewise"]


def test_equal_to_pyg():
    theirs, ours = RGCNConv(4, 6, 3).double(), RGCN(4, 6, 3).double()
    with torch.no_grad():
        ours.message_function.weight.weight.copy_(theirs.weight)
        ours.update_function.linear.weight.copy_(theirs.root.t())
        ours.update_function.linear.bias.copy_(theirs.bias)
    x = torch.randn(6, 4, dtype=F64, requires_grad=True)
    one, other = ours(x, EDGES, {"edge_type": KIND}), theirs(x, EDGES, KIND)
    assert_close(one, other, rtol=1e-9, atol=1e-9)
    assert_close(*(torch.autograd.grad(out.sin().sum(), x)[0] for out in (one, other)), rtol=1e-9, atol=1e-9)


@EVERY
@EACH
def test_first_and_second_derivatives(weight, aggregation):
    layer, x = RGCN(4, 2, 3, weight, aggregation).double(), torch.randn(6, 4, dtype=F64, requires_grad=True)
    names, values = zip(*layer.named_parameters(), strict=True)
    graph = Edges(EDGES, 6, edge_type=KIND)

    def of(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x, graph))

    with use_backend("csr"):
        for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
            assert check(of, (x, *values))
        frozen = torch.autograd.grad(layer.requires_grad_(False)(x, graph).sum(), x, create_graph=True)[0]
        assert frozen.shape == x.shape


def test_layers_are_mapped_and_compiled():
    layer, many, graph = RGCN(4, 8, 3), torch.randn(2, 6, 4), Edges(EDGES, 6, edge_type=KIND).prepare()
    truth = torch.stack([layer(x, graph) for x in many])
    assert_close(torch.func.vmap(lambda x: layer(x, graph))(many), truth)
    torch._dynamo.reset()
    assert_close(torch.compile(layer, fullgraph=True, backend="eager")(many[0], graph), truth[0])


def test_parts_are_made_once_for_types_and_graph():
    kind, graph, other = KIND.clone(), Edges(EDGES, 6), Edges(EDGES.flip(0), 6)
    parts = parts_of(graph, kind, 3)
    assert parts_of(graph, kind, 3) is parts
    assert parts_of(other, kind, 3) is not parts
    assert parts_of(other, kind, 3)[0].receivers.tolist() == EDGES[0][kind == 0].unique().tolist()
    kind[0] = 1
    assert parts_of(graph, kind, 3)[1].receivers.tolist() == [1]


def test_types_out_of_range():
    with pytest.raises(ValueError, match="expected types of edges from 0 to 1, got 0 to 2"):
        RGCN(4, 6, 2)(torch.randn(6, 4), EDGES, {"edge_type": KIND})


def test_reasons_are_told():
    x, graph = torch.randn(6, 4), Edges(EDGES, 6, edge_type=KIND)

    def told(layer):
        return explain_backend(layer, x, graph).reasons["csr"]

    layer = GraphLayer(Relation(EachRelation(4, 6, 3)), Sum(), Replace(), dropout=0.5)
    assert told(layer) == ["needs messages of which none is dropped"]
    layer.eval()
    assert told(layer) == []
    with torch.autocast("cpu", torch.bfloat16):
        assert told(layer) == ["needs messages of the precision of x, got autocast"]
    layer.aggregation = RelationMean(4)
    assert told(layer) == ["needs a mean for each of 3 relations, got 4"]
    layer.aggregation = Max()
    assert told(layer) == ["needs the aggregation Sum or RelationMean, got Max"]
    layer.aggregation = Sum()
    reasons = []
    torch.func.vmap(lambda x: reasons.extend(explain_backend(layer, x, graph).reasons["csr"]) or x)(x[None])
    assert reasons == ["needs sizes that depend on the graph, which torch.func cannot map"]
