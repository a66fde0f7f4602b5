"""Grids and lines against torch's convolutions and their index arithmetic."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv1d, conv2d, conv_transpose2d, pad, unfold
from torch.testing import assert_close

from graphattn.topology import Edges, Grid, Line, Window

F64 = torch.float64
PAIR = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))
PADS = st.one_of(st.integers(0, 3), st.tuples(st.integers(0, 3), st.integers(0, 3)))
CASES = st.tuples(st.integers(1, 7), st.integers(1, 7), PAIR, PAIR, PAIR, PADS)


def pair(value):
    return (value, value) if isinstance(value, int) else value


def fits(case):
    """Torch refuses a kernel larger than the padded image."""
    *shape, kernel, _, dilation, padding = (pair(part) for part in case)
    return all(
        length[0] + 2 * p > d * (k - 1)
        for length, k, d, p in zip(shape, pair(kernel), pair(dilation), pair(padding), strict=True)
    )


def convolve(graph, x, weight):
    """A convolution as messages: every edge takes the weight of its type, ``x [N_j, F]``, ``weight [F', F, *kernel]``."""
    sender, receiver = graph.edge_index()
    said = torch.einsum("eoi,ei->eo", weight.flatten(2).permute(2, 0, 1)[graph.edge_type()], x[sender])
    return said.new_zeros(graph.num_receivers, weight.size(0)).index_add(0, receiver, said)


@given(CASES.filter(fits), st.integers(1, 2))
def test_a_grid_is_unfold(case, images):
    height, width, kernel, stride, dilation, padding = case
    graph = Grid(height, width, kernel, stride, dilation, padding, images=images)
    # Pixels numbered from 1 tell where each entry of the unfolded image comes from; 0 is padding.
    number = torch.arange(1, images * height * width + 1, dtype=F64).view(images, 1, height, width)
    taken = unfold(number, pair(kernel), pair(dilation), pair(padding), pair(stride))
    image, tap, position = taken.nonzero().unbind(1)
    order = (image * taken.size(2) + position) * taken.size(1) + tap
    sender = taken[image, tap, position].long()[order.argsort()] - 1
    assert graph.num_receivers == images * taken.size(2)
    assert torch.equal(graph.edge_index()[0], sender)
    assert torch.equal(graph.edge_index()[1], (image * taken.size(2) + position)[order.argsort()])
    assert torch.equal(graph.edge_type(), tap[order.argsort()])


@given(CASES.filter(fits))
def test_a_weight_for_each_type_is_conv2d(case):
    height, width, kernel, stride, dilation, padding = case
    x, weight = torch.randn(2, 3, height, width, dtype=F64), torch.randn(4, 3, *pair(kernel), dtype=F64)
    truth = conv2d(x, weight, stride=pair(stride), dilation=pair(dilation), padding=pair(padding))
    graph = Grid(height, width, kernel, stride, dilation, padding, images=2)
    heard = convolve(graph, x.permute(0, 2, 3, 1).flatten(0, 2), weight)
    assert_close(heard, truth.permute(0, 2, 3, 1).flatten(0, 2), rtol=1e-9, atol=1e-9)


@given(st.integers(4, 7), st.integers(4, 7), PAIR, PAIR, PAIR, PADS)
def test_a_grid_that_wraps_is_circular_padding(height, width, kernel, stride, dilation, padding):
    case = (height, width, kernel, stride, dilation, padding)
    if not fits(case):
        return
    x, weight = torch.randn(1, 3, height, width, dtype=F64), torch.randn(4, 3, *pair(kernel), dtype=F64)
    rows, columns = pair(padding)
    around = pad(x, (columns, columns, rows, rows), mode="circular")
    truth = conv2d(around, weight, stride=pair(stride), dilation=pair(dilation))
    graph = Grid(height, width, kernel, stride, dilation, padding, wrap=True)
    heard = convolve(graph, x.permute(0, 2, 3, 1).flatten(0, 2), weight)
    assert_close(heard, truth.permute(0, 2, 3, 1).flatten(0, 2), rtol=1e-9, atol=1e-9)
    assert graph.num_edges == graph.num_receivers * graph.num_edge_types


@given(st.integers(1, 6), st.integers(1, 6), PAIR, PAIR)
def test_same_padding_is_that_of_conv2d_and_keeps_the_nodes(height, width, kernel, dilation):
    x, weight = torch.randn(2, 3, height, width, dtype=F64), torch.randn(4, 3, *pair(kernel), dtype=F64)
    # Torch sees that an even kernel needs unequal padding; here it is done by hand, as there.
    sides = [d * (k - 1) for k, d in zip(pair(kernel), pair(dilation), strict=True)]
    left, right = [side // 2 for side in sides], [side - side // 2 for side in sides]
    padded = pad(x, (left[1], right[1], left[0], right[0]))
    truth = conv2d(padded, weight, dilation=pair(dilation))
    graph = Grid(height, width, kernel, dilation=dilation, images=2)
    assert graph.receivers is graph.senders
    heard = convolve(graph, x.permute(0, 2, 3, 1).flatten(0, 2), weight)
    assert_close(heard, truth.permute(0, 2, 3, 1).flatten(0, 2), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kernel", "stride", "dilation", "padding"), [(3, 1, 1, "same"), (3, 2, 2, 2), (2, 1, 3, 1)])
def test_a_line_is_conv1d_on_each_sequence_alone(kernel, stride, dilation, padding):
    sizes = [5, 9, 4]
    parts, weight = [torch.randn(n, 3, dtype=F64) for n in sizes], torch.randn(4, 3, kernel, dtype=F64)
    truth = [conv1d(part.T[None], weight, None, stride, padding, dilation)[0].T for part in parts]
    graph = Line(sizes, kernel, stride, dilation, padding)
    assert graph.receivers.ptr.diff().tolist() == [len(part) for part in truth]
    assert_close(convolve(graph, torch.cat(parts), weight), torch.cat(truth), rtol=1e-9, atol=1e-9)


def test_a_line_around_a_circle_and_a_kernel_that_goes_round_twice():
    assert Line([4], wrap=True).mask().int().tolist() == [[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1]]
    twice = Line([2], kernel_size=3, wrap=True)
    assert twice.num_edges == 6
    assert twice.edge_index().tolist() == [[1, 0, 1, 0, 1, 0], [0, 0, 0, 1, 1, 1]]
    assert twice.edge_type().tolist() == [0, 1, 2, 0, 1, 2]
    assert twice.mask().all()


def test_a_line_and_a_row_of_a_grid_and_a_window_are_one():
    line = Line([6, 6], kernel_size=5, dilation=2)
    row = Grid(1, 6, kernel_size=(1, 5), dilation=(1, 2), images=2)
    window = Window([6, 6], radius=2, dilation=2)
    assert torch.equal(line.edge_index(), row.edge_index())
    assert torch.equal(line.edge_type(), row.edge_type())
    assert torch.equal(line.edge_index(), window.edge_index())


def test_a_sequence_too_short_for_the_kernel_and_an_empty_one_have_no_output():
    graph = Line([2, 0, 5, 0], kernel_size=3, padding=0)
    assert graph.receivers.ptr.tolist() == [0, 0, 0, 3, 3]
    assert graph.edge_index()[0].tolist() == [2, 3, 4, 3, 4, 5, 4, 5, 6]
    assert Line([0, 3], kernel_size=3, padding=4, wrap=True).receivers.ptr.diff().tolist() == [0, 9]
    empty = Grid(3, 3, images=0)
    assert (empty.num_edges, empty.num_graphs, empty.edge_index().shape) == (0, 0, (2, 0))


def test_the_reverse_is_the_transposed_convolution():
    x, weight = torch.randn(1, 3, 4, 5, dtype=F64), torch.randn(3, 2, 3, 2, dtype=F64)
    truth = conv_transpose2d(x, weight, stride=2, padding=1)
    graph = Grid(*truth.shape[2:], (3, 2), 2, padding=1)
    assert graph.num_receivers == 20
    back = graph.reverse()
    assert isinstance(back, Edges)
    heard = convolve(back, x.permute(0, 2, 3, 1).flatten(0, 2), weight.transpose(0, 1))
    assert_close(heard, truth.permute(0, 2, 3, 1).flatten(0, 2), rtol=1e-9, atol=1e-9)


def test_a_kernel_that_misses_its_own_place_gets_loops_of_a_new_type():
    graph = Line([3], kernel_size=2, dilation=3)
    assert not graph.mask().diagonal().any()
    looped = graph.with_self_loops()
    assert looped.mask().diagonal().all()
    assert looped.edge_type().tolist() == [*graph.edge_type().tolist(), 2, 2, 2]
    centred = Line([3])
    assert centred.with_self_loops() is centred


def test_the_list_is_made_once():
    graph = Grid(3, 3)
    assert graph.edge_index() is graph.edge_index()


def test_grids_say_what_they_are():
    graph = Grid(4, 6, 3, (2, 1), padding=1, images=5)
    assert (graph.images, graph.num_edge_types) == (5, 9)
    assert (graph.kernel_size, graph.stride, graph.dilation, graph.padding) == ((3, 3), (2, 1), (1, 1), 1)
    assert "height=4, width=6, kernel_size=(3, 3), stride=(2, 1)" in repr(graph)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Grid(-1, 2), r"expected sizes of 0 or more, got height=-1, width=2 and images=1"),
        (lambda: Grid(2, 2, (3, 0)), r"of 1 or more, got \[3, 0\], \[1, 1\] and \[1, 1\]"),
        (lambda: Grid(2, 2, stride=(1, 2, 3)), r"expected one stride or 2 of them, got \[1, 2, 3\]"),
        (lambda: Grid(2, 2, padding=-1), r"expected a padding of 0 or more, got \[-1, -1\]"),
        (lambda: Grid(2, 2, stride=2), r"expected a stride of 1 with padding 'same', got \[2, 2\]"),
        (lambda: Line([3], dilation=0), r"of 1 or more, got \[3\], \[1\] and \[0\]"),
        (
            lambda: Line([3], 2, 2, padding=0).with_self_loops(),
            r"the same nodes for self-loops, got 3 senders and 1 rec",
        ),
    ],
)
def test_wrong_grids_are_refused_with_their_values(build, message):
    with pytest.raises(ValueError, match=message):
        build()
