import copy
import pickle

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import Sum
from graphattn.layer import GraphLayer
from graphattn.message import Bases, Blocks, EachRelation, Kernel, Relation, relation
from graphattn.topology import Edges, Full, Grid, Line, with_hubs
from graphattn.update import Replace

F64 = torch.float64
GRAPH = Edges(torch.tensor([[0, 1, 2, 2, 0], [1, 2, 1, 2, 0]]), 4)
KIND = torch.tensor([2, 0, 2, 0, 0])
WEIGHTS = [EachRelation(8, 6, 3), Bases(8, 6, 3, 2), Blocks(8, 6, 3, 2), Kernel(8, 6, (3,), 2)]
EVERY = pytest.mark.parametrize("weight", WEIGHTS, ids=lambda weight: type(weight).__name__)


@EVERY
def test_each_edge_has_the_weight_of_its_type(weight):
    message = Relation(copy.deepcopy(weight)).double()
    x = torch.randn(4, 8, dtype=F64)
    senders, receivers = message.project(x, None, GRAPH, None)
    assert receivers == {}
    said = {name: state[GRAPH.edge_index()[0]] for name, state in senders.items()}
    score, value = message.speak(said, {}, message.on_edges(GRAPH, {"edge_type": KIND}))
    assert score is None
    blocks = message.weight()
    for edge, (sender, kind) in enumerate(zip(GRAPH.edge_index()[0], KIND, strict=True)):
        truth = torch.block_diag(*blocks[kind].transpose(-1, -2)) @ x[sender]
        assert_close(value[edge].flatten(), truth, rtol=1e-9, atol=1e-9)


@EVERY
def test_a_compiled_layer_says_the_same(weight):
    layer = GraphLayer(Relation(copy.deepcopy(weight)), Sum(), Replace()).double()
    x = torch.randn(4, 8, dtype=F64, requires_grad=True)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    results = [each(x, GRAPH, {"edge_type": KIND}) for each in (layer, compiled)]
    gradients = [torch.autograd.grad(out.sin().sum(), [x, *layer.parameters()]) for out in results]
    assert_close(results[0], results[1], rtol=1e-12, atol=1e-12)
    for plain, other in zip(*gradients, strict=True):
        assert_close(plain, other, rtol=1e-12, atol=1e-12)


@EVERY
def test_layers_are_mapped_over_states_and_copied(weight):
    layer = GraphLayer(Relation(copy.deepcopy(weight)), Sum(), Replace())
    x, edge = torch.randn(2, 4, 8), {"edge_type": KIND}
    alone = torch.stack([layer(each, GRAPH, edge) for each in x])
    assert_close(torch.func.vmap(lambda each: layer(each, GRAPH, edge))(x), alone)
    assert_close(pickle.loads(pickle.dumps(layer))(x[0], GRAPH, edge), alone[0])


@EVERY
def test_gradients_are_those_of_differences(weight):
    layer = GraphLayer(Relation(copy.deepcopy(weight)), Sum(), Replace()).double()
    x = torch.randn(4, 8, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, GRAPH, {"edge_type": KIND}), x)


@EVERY
def test_parameters_are_drawn_anew(weight):
    message = Relation(copy.deepcopy(weight))
    before = [parameter.clone() for parameter in message.parameters()]
    message.reset_parameters()
    assert not any(torch.equal(*pair) for pair in zip(before, message.parameters(), strict=True))


def test_the_topology_may_know_the_types():
    message, line = Relation(EachRelation(8, 6, 3)), Line([2])
    assert message.on_edges(line, {})["edge_type"].tolist() == [1, 2, 0, 1]
    assert message.on_edges(line.as_edges(), {})["edge_type"].tolist() == [1, 2, 0, 1]
    own = torch.tensor([1, 1, 1, 1])
    assert message.on_edges(line, {"edge_type": own})["edge_type"] is own
    assert Relation(EachRelation(8, 6, 3), "bond").on_edges(line, {"bond": own})["edge_type"] is own


@pytest.mark.parametrize(
    ("weight", "graph", "words"),
    [
        (EachRelation(8, 6, 3), Line([4], kernel_size=2), r"kernel of \[3\] weights, got \[2\] in Line"),
        (Kernel(8, 6, (2, 3)), Grid(2, 2, kernel_size=(3, 2)), r"kernel of \[2, 3\] weights, got \[3, 2\] in Grid"),
    ],
)
def test_a_grid_of_another_kernel_is_refused(weight, graph, words):
    layer = GraphLayer(Relation(weight), Sum(), Replace())
    with pytest.raises(ValueError, match=words):
        layer(torch.randn(4, 8), graph)


@pytest.mark.parametrize(
    ("edge", "error", "words"),
    [
        ({}, ValueError, r"types of edges in edge\['edge_type'\] or a topology that knows them, got no edge features"),
        ({"other": KIND}, ValueError, r"got \['other'\] and Edges"),
        ({"edge_type": KIND.float()}, TypeError, "integer types of edges, got torch.float32"),
        ({"edge_type": KIND[:, None]}, ValueError, r"one row \[E\], got shape \[5, 1\]"),
        ({"edge_type": KIND[:4]}, ValueError, "expected 5 rows of edge features for Edges.*, got 4"),
        ({"edge_type": KIND + 1}, ValueError, "types of edges from 0 to 2, got 1 to 3"),
        ({"edge_type": KIND - 1}, ValueError, "types of edges from 0 to 2, got -1 to 1"),
    ],
)
def test_types_that_do_not_fit_are_refused(edge, error, words):
    layer = GraphLayer(Relation(EachRelation(8, 6, 3)), Sum(), Replace())
    with pytest.raises(error, match=words):
        layer(torch.randn(4, 8), GRAPH, edge)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Blocks(8, 6, 3, 4), "channels that 4 blocks divide, got 8 in and 6 out"),
        (lambda: Kernel(9, 6, (3, 3), 2), "channels that 2 groups divide, got 9 in and 6 out"),
    ],
)
def test_channels_that_parts_do_not_divide_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_kernel_starts_as_torchs_convolutions_do():
    torch.manual_seed(0)
    own = Kernel(4, 6, (3, 2), groups=2).weight
    torch.manual_seed(0)
    assert torch.equal(own, torch.nn.Conv2d(4, 6, (3, 2), groups=2, bias=False).weight)


def test_parts_of_a_union_have_weights_of_their_own():
    both = GraphLayer(Relation(EachRelation(8, 6, 2)), Sum(), Replace())
    x, parts = torch.randn(4, 8), (Full([4]), GRAPH)
    truth = torch.zeros(4, 6)
    for part, weight in zip(parts, both.message_function.weight.weight, strict=True):
        sender, receiver = part.edge_index()
        truth = truth.index_add(0, receiver, x[sender] @ weight)
    assert_close(both(x, parts[0] | parts[1]), truth)


def test_types_are_read_once_and_anew_when_they_change(monkeypatch):
    weight = EachRelation(4, 3, relations=2)
    layer = GraphLayer(Relation(weight), Sum(), Replace())
    graph, kind, x = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]])), torch.tensor([0, 1, 0]), torch.randn(3, 4)
    before = layer(x, graph, {"edge_type": kind})
    with monkeypatch.context() as patch:
        patch.setattr(relation, "_read_order", lambda *_: pytest.fail("the types were read again"))
        assert torch.equal(layer(x, graph, {"edge_type": kind}), before)
    kind[0] = 1
    changed = layer(x, graph, {"edge_type": kind})
    assert torch.equal(changed, layer(x, graph, {"edge_type": kind.clone()}))
    assert not torch.equal(changed, before)
    with torch.inference_mode():
        assert torch.equal(layer(x, graph, {"edge_type": kind.clone()}), changed)


@pytest.mark.parametrize("combine", [lambda graph: graph | Full([4]), with_hubs, lambda graph: Line([4, 0])])
def test_types_of_a_topology_are_read_once_for_a_graph(monkeypatch, combine):
    reads, read = [], relation._read_order
    monkeypatch.setattr(relation, "_read_order", lambda *given: reads.append(given) or read(*given))
    graph = combine(GRAPH)
    x = torch.randn(graph.num_senders, 8)
    for _ in range(3):
        GraphLayer(Relation(EachRelation(8, 6, graph.num_edge_types)), Sum(), Replace())(x, graph)
    assert len(reads) == 1
    moved = pickle.loads(pickle.dumps(graph)).to("cpu")
    assert_close(moved.known_types(), graph.edge_type())
