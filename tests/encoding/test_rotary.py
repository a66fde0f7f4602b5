"""Rotary positions: multiplication of complex numbers, and scores that depend on differences of positions alone."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.encoding import AxialRotary, Rotary, grid_coordinates, turn_halves, turn_neighbours
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.testing import assert_backends_agree, assert_batched_equals_alone
from graphattn.topology import Edges, Full
from graphattn.update import Project

F64 = torch.float64
TURNS = pytest.mark.parametrize("turn", [turn_neighbours, turn_halves])


def attention(rotate):
    return GraphLayer(Attend(16, Heads(2, 8), rotate=rotate), SoftmaxSum(), Project(16, 16)).double()


@pytest.mark.parametrize("base", [10000.0, 100.0])
@pytest.mark.parametrize("channels", [2, 6, 8])
def test_neighbours_turn_as_complex_numbers(channels, base):
    states, position = torch.randn(5, 2, 8, dtype=F64), torch.tensor([0, 1, 7, 1000, -3])
    expected = states.clone()
    for node in range(5):
        for head in range(2):
            for pair in range(channels // 2):
                angle = position[node].double() * base ** (-2 * pair / channels)
                number = torch.complex(*states[node, head, 2 * pair : 2 * pair + 2]) * torch.polar(angle * 0 + 1, angle)
                expected[node, head, 2 * pair : 2 * pair + 2] = torch.view_as_real(number)
    assert_close(Rotary(channels, base)(states, position), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("channels", [4, 8])
def test_halves_turn_as_in_neox(channels):
    # `rotate_half` and `apply_rotary_pos_emb` of GPT-NeoX in transformers.
    states, position = torch.randn(6, 2, 8, dtype=F64), torch.arange(6)
    inverse = 1 / 10000 ** (torch.arange(0, channels, 2, dtype=F64) / channels)
    table = torch.outer(position.double(), inverse)
    table = torch.cat((table, table), dim=-1)[:, None]
    moving, staying = states[..., :channels], states[..., channels:]
    rotated = torch.cat((-moving[..., channels // 2 :], moving[..., : channels // 2]), dim=-1)
    truth = torch.cat((moving * table.cos() + rotated * table.sin(), staying), dim=-1)
    assert_close(Rotary(channels, turn=turn_halves)(states, position), truth, rtol=1e-9, atol=1e-9)


def test_halves_are_neighbours_in_another_order():
    states, position = torch.randn(5, 1, 8, dtype=F64), torch.arange(5)
    order = torch.arange(8).view(2, 4).T.flatten()  # 0 4 1 5 2 6 3 7
    halves = Rotary(8, turn=turn_halves)(states, position)
    assert_close(halves[..., order], Rotary(8)(states[..., order], position))


@TURNS
@given(shift=st.integers(-500, 500), channels=st.sampled_from([2, 4, 8]))
def test_scores_know_differences_only(turn, shift, channels):
    rotary, position = Rotary(channels, turn=turn), torch.tensor([0, 3, 4, 11])
    query, key = torch.randn(2, 4, 1, 8, dtype=F64)

    def scores(at):
        return torch.einsum("ihc,jhc->ij", rotary(query, at), rotary(key, at))

    assert_close(scores(position), scores(position + shift), rtol=1e-9, atol=1e-9)
    assert (scores(position) - scores(position * 2)).abs().max() > 1e-9


@TURNS
def test_lengths_stay(turn):
    states = torch.randn(5, 2, 8, dtype=F64)
    turned = Rotary(6, turn=turn)(states, torch.arange(5) * 37)
    assert_close(turned.norm(dim=-1), states.norm(dim=-1))
    assert torch.equal(turned[..., 6:], states[..., 6:])
    assert torch.equal(turned[0], states[0])


@pytest.mark.parametrize("rotate", [Rotary(8), Rotary(4, turn=turn_halves), AxialRotary(Rotary(4), (5, 4))], ids=repr)
def test_layers_agree_on_every_backend_and_in_a_batch(rotate):
    sizes = [3, 0, 9, 1, 20, 3, 0]
    x = torch.randn(sum(sizes), 16, dtype=F64)
    layer = attention(rotate)
    assert "dense" in assert_backends_agree(layer, x, Full(sizes))
    assert_batched_equals_alone(layer, x, sizes, Full)
    full = Full(sizes)
    listed = Edges(full.edge_index(), full.num_senders, ptr=full.receivers.ptr)
    assert_close(layer(x, listed), layer(x, full), rtol=1e-9, atol=1e-9)
    assert (attention(None)(x, full) - layer(x, full)).abs().max() > 1e-6


def test_given_positions_take_the_part_of_places():
    layer, graph, x = attention(Rotary(8)), Full([4, 2]), torch.randn(6, 16, dtype=F64)
    place = graph.places()[0]
    assert torch.equal(layer(x, graph, position=place), layer(x, graph))
    assert_close(layer(x, graph, position=place * 1.0 + 0.5), layer(x, graph), rtol=1e-9, atol=1e-9)
    assert (layer(x, graph, position=place * 0.5) - layer(x, graph)).abs().max() > 1e-6
    assert_close(layer(x, graph, position=(place, place)), layer(x, graph))


def test_rows_and_columns_turn_channels_of_their_own():
    states, place = torch.randn(6, 2, 8, dtype=F64), torch.arange(6)
    axial = AxialRotary(Rotary(2), (2, 3))
    turned = axial(states, place)
    assert_close(turned[..., :2], Rotary(2)(states[..., :2], place // 3))
    assert_close(turned[..., 2:4], Rotary(2)(states[..., 2:4], place % 3))
    assert torch.equal(turned[..., 4:], states[..., 4:])
    assert torch.equal(axial(states, grid_coordinates(place, (2, 3))), turned)
    assert torch.equal(axial(states, torch.rand(6, 3))[..., 6:], states[..., 6:])


def test_bfloat16_knows_far_positions():
    states, position = torch.ones(2, 1, 2, dtype=torch.bfloat16), torch.tensor([1000, 1001])
    turned = Rotary(2)(states, position)
    assert turned.dtype == torch.bfloat16
    assert_close(turned.double(), Rotary(2)(states.double(), position), rtol=0, atol=2e-2)


@pytest.mark.parametrize("rotate", [Rotary(8, turn=turn_halves), AxialRotary(Rotary(4), (2, 3))], ids=repr)
def test_layers_compile_vmap_and_are_copied(rotate):
    layer, graph, x = attention(rotate), Full([6]), torch.randn(6, 16, dtype=F64)
    graph.plan()
    truth = layer(x, graph)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x, graph), truth)
    torch._dynamo.reset()
    assert_close(torch.compile(layer, fullgraph=True, backend="eager")(x, graph), truth)
    many = torch.func.vmap(lambda states: rotate(states, torch.arange(6)))(torch.stack([x.view(6, 2, 8)] * 3))
    assert_close(many[1], rotate(x.view(6, 2, 8), torch.arange(6)))
    assert torch.autograd.gradcheck(lambda states: rotate(states, torch.arange(6)), x.view(6, 2, 8).requires_grad_())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Rotary(3), "an even number of channels to turn, got 3"),
        (lambda: Rotary(0), "an even number of channels to turn, got 0"),
        (lambda: Rotary(8)(torch.randn(2, 1, 4), torch.arange(2)), "at least 8 channels in a head, got 4"),
        (lambda: Rotary(4)(torch.randn(2, 1, 4), torch.zeros(2, 2)), r"positions \[2\], got \[2, 2\]"),
        (lambda: Rotary(4)(torch.randn(2, 1, 4), torch.arange(3)), r"positions \[2\], got \[3\]"),
        (
            lambda: AxialRotary(Rotary(4), (2, 2))(torch.randn(4, 1, 6), torch.arange(4)),
            "at least 8 channels in a head, 4 for each of 2 axes, got 6",
        ),
        (
            lambda: AxialRotary(Rotary(2), (2, 2))(torch.randn(5, 1, 6), torch.arange(5)),
            r"places below 4 in a grid of \(2, 2\), got 4",
        ),
    ],
)
def test_what_cannot_be_turned_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
