"""A convolution is a graph layer on a grid: torch's, in values and gradients, float64, within 1e-9."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.backends import use_backend
from graphattn.topology import Grid, Line
from graphattn.zoo import GridConv

F64 = torch.float64
BACKENDS = pytest.mark.parametrize("backend", ["closed_form", "edgewise"])


def compare(result, truth, x, own, other):
    assert_close(result, truth, rtol=1e-9, atol=1e-9)
    gradients = [
        torch.autograd.grad(out.sin().sum(), [x, *parameters], materialize_grads=True)
        for out, parameters in ((result, own), (truth, other))
    ]
    for mine, its in zip(*gradients, strict=True):
        assert_close(mine, its, rtol=1e-9, atol=1e-9)


def copied(ours, theirs):
    own = [ours.message_function.weight.weight, *ours.update_function.parameters()]
    with torch.no_grad():
        for mine, its in zip(own, theirs.parameters(), strict=True):
            nn.init.normal_(its)
            mine.copy_(its)
    return own


IMAGES = [
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": 1, "padding": 0},
    {"kernel_size": (2, 3), "padding": "same"},
    {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    {"kernel_size": 2, "stride": 3, "padding": 0},
    {"kernel_size": 3, "dilation": 2, "padding": 2},
    {"kernel_size": (3, 2), "dilation": (1, 3), "padding": (2, 4)},
    {"kernel_size": 3, "padding": 1, "wrap": True},
    {"kernel_size": 3, "stride": 2, "padding": (1, 2), "wrap": True},
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@BACKENDS
@pytest.mark.parametrize("options", IMAGES, ids=str)
@pytest.mark.parametrize(("groups", "bias"), [(1, True), (2, False)])
def test_grid_conv_is_conv2d(backend, options, groups, bias):
    options = dict(options)
    graph = Grid(5, 4, images=2, **options)
    mode = "circular" if options.pop("wrap", False) else "zeros"
    theirs = nn.Conv2d(4, 6, **options, groups=groups, bias=bias, padding_mode=mode, dtype=F64)
    ours = GridConv(4, 6, graph.kernel_size, groups, bias).double()
    own = copied(ours, theirs)
    x = torch.randn(40, 4, dtype=F64, requires_grad=True)
    with use_backend(backend):
        result = ours(x if graph.senders is graph.receivers else (x, None), graph)
    truth = theirs(x.unflatten(0, (2, 5, 4)).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).flatten(0, 2)
    compare(result, truth, x, own, list(theirs.parameters()))


LINES = [
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": 4, "padding": "same", "dilation": 2},
    {"kernel_size": 2, "stride": 2, "padding": 0},
    {"kernel_size": 3, "stride": 2, "padding": 3},
    {"kernel_size": 3, "padding": 1, "wrap": True},
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("options", LINES, ids=str)
@pytest.mark.parametrize(("groups", "bias"), [(1, True), (2, False)])
@pytest.mark.parametrize(
    ("sizes", "backend"), [([7, 4, 4], "edgewise"), ([4, 4], "edgewise"), ([4, 4], "closed_form")], ids=str
)
def test_grid_conv_on_sequences_is_conv1d_of_each_alone(options, groups, bias, sizes, backend):
    options = dict(options)
    graph = Line(sizes, **options)
    mode = "circular" if options.pop("wrap", False) else "zeros"
    theirs = nn.Conv1d(4, 6, **options, groups=groups, bias=bias, padding_mode=mode, dtype=F64)
    ours = GridConv(4, 6, graph.kernel_size, groups, bias).double()
    own = copied(ours, theirs)
    x = torch.randn(sum(sizes), 4, dtype=F64, requires_grad=True)
    with use_backend(backend):
        result = ours(x if graph.senders is graph.receivers else (x, None), graph)
    truth = torch.cat([theirs(part.T[None])[0].T for part in x.split(sizes)])
    compare(result, truth, x, own, list(theirs.parameters()))


@pytest.mark.parametrize("graph", [Grid(0, 3), Grid(3, 3, images=0), Line([]), Line([0, 0])], ids=str)
def test_an_empty_grid_gives_an_empty_result(graph):
    assert GridConv(4, 6, graph.kernel_size)(torch.zeros(0, 4), graph).shape == (0, 6)


@BACKENDS
def test_a_kernel_that_is_not_the_grids_is_refused(backend):
    with use_backend(backend), pytest.raises(ValueError, match=r"a kernel of \[3, 3\] weights, got \[2, 2\] in Grid"):
        GridConv(4, 6, (3, 3))(torch.randn(12, 4), Grid(3, 4, kernel_size=2))


@BACKENDS
def test_a_convolution_compiles_into_one_graph(backend):
    layer, x, graph = GridConv(4, 6, (3, 2)), torch.randn(40, 4), Grid(5, 4, kernel_size=(3, 2), images=2)
    graph.edge_index()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    with use_backend(backend):
        assert_close(compiled(x, graph), layer(x, graph))
