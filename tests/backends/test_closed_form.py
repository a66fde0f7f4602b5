import pytest
import torch

from graphattn.aggregation import LogSumExp, Max, Mean, Min, Multi, RelationMean, Std, Sum, Variance, identity, linear
from graphattn.backends import explain_backend
from graphattn.edge_terms import NetworkValue
from graphattn.layer import GraphLayer
from graphattn.message import (
    AddEdge,
    ByPlace,
    Copy,
    Difference,
    EachRelation,
    Kernel,
    Relation,
    Scaled,
    as_weighted,
    by_row,
    symmetric,
)
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Cross, Edges, Full, Grid, Line, Star
from graphattn.update import Replace

F64 = torch.float64
BOTH = ["closed_form", "edgewise"]
WHOLE = [Full([3, 0, 1, 4]), Cross([3, 0, 1, 4], [2, 3, 0, 1]), Star([3, 0, 1, 4], hubs=2), Full([])]


def layer(message, aggregation=None):
    return GraphLayer(message, aggregation or Sum(), Replace())


def states(graph, channels=4):
    return torch.randn(graph.num_senders, channels, dtype=F64), None


@pytest.mark.parametrize("graph", WHOLE, ids=str)
@pytest.mark.parametrize(
    "aggregation",
    [
        Sum(),
        Mean(),
        Max(),
        Min(),
        Std(),
        Variance(),
        LogSumExp(),
        Multi([Mean(), Max()], [identity, linear], torch.tensor([0, 1, 2])),
    ],
    ids=lambda each: type(each).__name__,
)
def test_receivers_of_a_whole_graph_hear_alike(graph, aggregation):
    for message in (Copy(), Copy(torch.nn.Linear(4, 4)), Scaled(4, 4, by_row), Scaled(4, 4, as_weighted)):
        assert assert_backends_agree(layer(message, aggregation).double(), states(graph), graph) == BOTH


@pytest.mark.parametrize("sizes", [[3, 0, 1, 4], [0], []], ids=str)
def test_a_symmetric_scale_on_full_is_a_mean(sizes):
    graph = Full(sizes)
    assert assert_backends_agree(layer(Scaled(4, 4, symmetric)).double(), states(graph), graph) == BOTH


def test_ties_share_the_gradient():
    graph, x = Full([3, 2]), torch.ones(5, 4, dtype=F64)
    assert assert_backends_agree(layer(Copy(), Max()), x, graph) == BOTH


@pytest.mark.parametrize("graph", WHOLE, ids=str)
@pytest.mark.parametrize("aggregation", [Sum(), Mean(), Max(), Min()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("bias", [True, False])
def test_one_linear_map_of_both_ends_is_two_parts(graph, aggregation, bias):
    both = layer(Difference(torch.nn.Linear(8, 5, bias=bias)), aggregation).double()
    x = torch.randn(graph.num_senders, 4, dtype=F64)
    x = x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, 4, dtype=F64))
    assert assert_backends_agree(both, x, graph) == BOTH


def test_two_parts_are_refused_under_autocast():
    both, x = layer(Difference(torch.nn.Linear(8, 5))), torch.randn(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        told = explain_backend(both, x, Full([3])).reasons["closed_form"]
    assert told == ["needs messages of the precision of x, got autocast"]


@pytest.mark.parametrize("graph", [Full([3, 3]), Full([2, 2]), Cross([3, 3], [4, 4]), Star([3, 3]), Full([0])], ids=str)
def test_factors_of_places_are_a_matrix(graph):
    assert assert_backends_agree(layer(ByPlace(3, 4)).double(), states(graph), graph) == BOTH


GRIDS = [
    Grid(5, 4, images=2),
    Grid(5, 4, kernel_size=(3, 2), stride=(2, 1), padding=(1, 0)),
    Grid(5, 4, kernel_size=3, dilation=2, padding=2, wrap=True),
    Grid(2, 2, kernel_size=3, padding=5, wrap=True),
    Grid(1, 1),
    Line([5, 5], kernel_size=4),
    Line([5], kernel_size=2, stride=2, padding=1),
]


@pytest.mark.parametrize("graph", GRIDS, ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_a_kernel_on_a_grid_is_a_convolution(graph, groups):
    extent = graph.kernel_size if isinstance(graph.kernel_size, tuple) else (graph.kernel_size,)
    both = layer(Relation(Kernel(4, 6, extent, groups))).double()
    assert assert_backends_agree(both, states(graph), graph) == BOTH


RING = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]]))
KERNEL = Relation(Kernel(4, 4, (3,)))


@pytest.mark.parametrize(
    ("each", "graph", "edge", "reasons"),
    [
        (
            layer(AddEdge(NetworkValue("edge_attr")), Max()),
            Full([3]),
            {"edge_attr": torch.ones(9, 4)},
            ["needs the message Copy, Scaled, Difference, ByPlace, Relation or Attend, got AddEdge"],
        ),
        (
            layer(Difference(torch.nn.Sequential(torch.nn.Linear(8, 4)))),
            Full([3]),
            {},
            ["needs a network of one linear map, got Sequential"],
        ),
        (
            layer(Difference(torch.nn.Linear(8, 4)), Std()),
            Causal([3]),
            {},
            ["needs a topology of whole graphs", "needs the aggregation Sum, Mean, Max, Min, got Std"],
        ),
        (layer(Copy()), RING, {}, ["needs a topology of whole graphs (Full, Cross, Star), got Edges"]),
        (layer(Copy()), Causal([3]), {}, ["needs a topology of whole graphs (Full, Cross, Star), got Causal"]),
        (layer(Copy(), RelationMean(2)), Full([3]), {}, ["needs the aggregation Sum, Mean, Max, Min, Std, Variance"]),
        (
            layer(Scaled(4, 4, lambda graph, weight: None)),
            Full([3]),
            {},
            ["needs the scale symmetric, by_row or as_weighted"],
        ),
        (layer(Scaled(4, 4)), Full([3]), {"edge_attr": torch.ones(9)}, ["edges have weights of their own"]),
        (layer(ByPlace(3), Mean()), Full([3]), {}, ["needs the aggregation Sum, got Mean"]),
        (layer(ByPlace(3)), Full([3, 0]), {}, ["needs graphs of equal size"]),
        (layer(ByPlace(3)), RING, {}, ["needs a topology of whole graphs (Full, Cross, Star), got Edges"]),
        (layer(KERNEL), Full([3]), {}, ["needs a topology of offsets (Grid, Line), got Full"]),
        (layer(Relation(EachRelation(4, 4, 3))), Line([3]), {}, ["needs the weight Kernel, got EachRelation"]),
        (layer(KERNEL), Line([3]), {"edge_type": torch.zeros(7)}, ["edges have types of their own"]),
        (layer(KERNEL), Line([2, 1]), {}, ["needs sequences of equal length"]),
    ],
    ids=str,
)
def test_every_reason_is_told(each, graph, edge, reasons):
    told = explain_backend(each, torch.randn(3, 4), graph, edge).reasons["closed_form"]
    assert len(told) == len(reasons)
    assert all(mine.startswith(reason) for mine, reason in zip(told, reasons, strict=True))


def test_empty_grids_and_symmetric_stars_are_left_to_edges():
    told = explain_backend(layer(KERNEL), torch.randn(0, 4), Line([0])).reasons["closed_form"]
    assert told == ["needs at least one sender and one receiver, got an empty graph"]
    told = explain_backend(layer(Scaled(4, 4)), (torch.randn(3, 4), None), Star([3])).reasons["closed_form"]
    assert told == ["needs Full for the scale symmetric, got Star"]


def test_hooks_and_dropout_see_every_edge():
    watched = layer(Copy())
    watched.register_message_forward_hook(lambda *hook: None)
    told = explain_backend(watched, torch.randn(3, 4), Full([3])).reasons["closed_form"]
    assert told == ["an explainer or a hook is attached, which wants to see every edge"]
    loud = GraphLayer(Copy(), Sum(), Replace(), dropout=0.5)
    told = explain_backend(loud, torch.randn(3, 4), Full([3])).reasons["closed_form"]
    assert told == ["messages are dropped edge by edge"]


def test_no_edge_is_listed(monkeypatch):
    graphs = [
        (layer(Difference(torch.nn.Linear(8, 4)), Max()), Full([3])),
        (layer(Copy()), Full([3])),
        (layer(ByPlace(3)), Full([3])),
        (layer(KERNEL), Line([3])),
    ]
    for kind in (Full, Line):
        monkeypatch.setattr(kind, "edge_index", lambda self: pytest.fail("the edges were listed"))
    for each, graph in graphs:
        assert each(torch.randn(3, 4), graph).shape == (3, 4)
