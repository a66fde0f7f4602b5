"""Every score is its formula, with numbers worked out by hand, and says the same per node and on matrices."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import (
    RBF,
    Additive,
    Bilinear,
    Cosine,
    Dot,
    EluKernel,
    Exponential,
    Favor,
    Gain,
    LearnedTemperature,
    Polynomial,
    ScaledDot,
    SoftCap,
    SplitAdditive,
    Temperature,
    Then,
)
from graphattn.score.base import compare, knows_matrices, matrix, prepare
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges, Full
from graphattn.update import Replace

F64 = torch.float64
# Two edges, one head, two channels.
QUERY = torch.tensor([[[1.0, 2.0]], [[-3.0, 0.5]]], dtype=F64)
KEY = torch.tensor([[[0.5, -1.0]], [[2.0, 4.0]]], dtype=F64)


def given(score, **weights):
    for name, weight in weights.items():
        getattr(score, name).data = torch.tensor(weight, dtype=F64)
    return score


LITERAL = {
    "Dot": (Dot(), [-1.5, -4.0]),
    "ScaledDot": (ScaledDot(), [-1.5 / 2**0.5, -4 / 2**0.5]),
    "Additive": (
        given(Additive(1, 2), weight=[[2.0, -1.0]]),
        [2 * math.tanh(1.5) - math.tanh(1.0), 2 * math.tanh(-1.0) - math.tanh(4.5)],
    ),
    "Additive of GATv2": (given(Additive(1, 2, nn.LeakyReLU(0.2)), weight=[[2.0, -1.0]]), [3 - 1, -0.4 - 4.5]),
    "SplitAdditive": (
        given(SplitAdditive(1, 2), query_weight=[[1.0, 1.0]], key_weight=[[2.0, 3.0]]),
        [1.0, 13.5],
    ),
    "Cosine": (Cosine(), [-1.5 / (5**0.5 * 1.25**0.5), -4 / (9.25**0.5 * 20**0.5)]),
    "Bilinear": (
        given(Bilinear(1, 2), weight=[[[0.0, 1.0], [2.0, 0.0]]]),
        [1 * -1 + 2 * 2 * 0.5, -3 * 4 + 2 * 0.5 * 2],
    ),
    "Gain": (given(Gain(1, 2), gain=[[10.0, 0.5]]), [10 * 0.5 - 0.5 * 2, -60 + 0.5 * 2]),
    "RBF": (RBF(2.0), [-(0.25 + 9) / 8, -(25 + 12.25) / 8]),
    "Polynomial": (Polynomial(3, 0.5), [(-1.5 / 2**0.5 + 0.5) ** 3, (-4 / 2**0.5 + 0.5) ** 3]),
    "EluKernel": (EluKernel(), [2 * 1.5 + 3 * math.exp(-1), math.exp(-3) * 3 + 1.5 * 5]),
    "Temperature": (Then(Dot(), Temperature(0.5)), [-3.0, -8.0]),
    "LearnedTemperature": (Then(Dot(), given(LearnedTemperature(1), log_temperature=[math.log(0.5)])), [-3.0, -8.0]),
    "SoftCap": (Then(Dot(), SoftCap(3.0)), [3 * math.tanh(-0.5), 3 * math.tanh(-4 / 3)]),
    "temperature, then cap": (
        Then(Dot(), Temperature(2.0), SoftCap(3.0)),
        [3 * math.tanh(-0.25), 3 * math.tanh(-2 / 3)],
    ),
    "cap, then temperature": (
        Then(Dot(), SoftCap(3.0), Temperature(2.0)),
        [1.5 * math.tanh(-0.5), 1.5 * math.tanh(-4 / 3)],
    ),
    "Exponential": (Then(Dot(), Exponential()), [math.exp(-1.5), math.exp(-4)]),
    "Then of a Then": (
        Then(Then(Cosine(), Temperature(0.1)), SoftCap(1.0)),
        [math.tanh(-6.0), math.tanh(-40 / 185**0.5)],
    ),
}
# Two heads of four channels each; FAVOR+ is random, so that it has its own tests.
MAKE = {
    "Dot": Dot,
    "ScaledDot": ScaledDot,
    "Additive": lambda: Additive(2, 4),
    "SplitAdditive": lambda: SplitAdditive(2, 4),
    "Cosine": Cosine,
    "Bilinear": lambda: Bilinear(2, 4),
    "Gain": lambda: given(Gain(2, 4), gain=[[0.5, 1.0, 2.0, -1.0], [0.0, 3.0, 1.0, 1.0]]),
    "RBF": RBF,
    "Polynomial": Polynomial,
    "EluKernel": EluKernel,
    "Favor": lambda: Favor(4, 7),
    "Swin": lambda: Then(Cosine(), LearnedTemperature(2, 0.1)),
    "Gemma": lambda: Then(ScaledDot(), SoftCap(3.0)),
    "capped GAT": lambda: Then(SplitAdditive(2, 4), Temperature(0.5), SoftCap(3.0)),
    "capped GATv2": lambda: Then(Additive(2, 4), SoftCap(3.0)),
    "capped Gaussian": lambda: Then(RBF(), LearnedTemperature(2, 3.0)),
}
KERNELS = ("EluKernel", "Favor", "Polynomial")
SCORES = pytest.mark.parametrize("name", MAKE)


def wide(score):
    return score.double() if isinstance(score, nn.Module) else score


def layer_of(name, **terms):
    aggregation = NormalizedSum() if name in KERNELS else SoftmaxSum()
    return GraphLayer(Attend(8, Heads(2, 4), MAKE[name](), **terms), aggregation, Replace(8)).double()


@pytest.mark.parametrize("name", LITERAL)
def test_the_formula(name):
    score, expected = LITERAL[name]
    assert_close(wide(score)(QUERY, KEY).flatten(), torch.tensor(expected, dtype=F64), rtol=1e-12, atol=1e-12)


@SCORES
def test_preparing_per_node_changes_nothing_but_a_factor_of_the_receiver(name):
    score, graph = wide(MAKE[name]()), Full([5])
    query, key = torch.randn(2, 5, 2, 4, dtype=F64)
    sender, receiver = graph.edge_index()
    asked, offered = prepare(score, query, key, graph)
    result, truth = compare(score, asked[receiver], offered[sender]), score(query[receiver], key[sender])
    if name == "Favor":
        result, truth = (
            part.unflatten(0, (5, 5)) / part.unflatten(0, (5, 5)).sum(1, keepdim=True) for part in (result, truth)
        )
    assert_close(result, truth, rtol=1e-12, atol=1e-12)


@SCORES
def test_matrices_hold_the_scores_of_all_pairs(name):
    score = wide(MAKE[name]())
    if name in ("Additive", "capped GATv2"):
        assert not knows_matrices(score)
        with pytest.raises(ValueError, match=f"expected a score that works on matrices, got {type(score).__name__}"):
            matrix(score, QUERY, KEY)
        return
    graph = Edges(torch.cartesian_prod(torch.arange(3), torch.arange(5)).T, (3, 5))
    query, key = prepare(score, torch.randn(5, 2, 4, dtype=F64), torch.randn(3, 2, 4, dtype=F64), graph)
    sender, receiver = graph.edge_index()
    pairs = matrix(score, query.transpose(0, 1), key.transpose(0, 1))
    assert pairs.shape == (2, 5, 3)
    assert_close(pairs[:, receiver, sender].T, compare(score, query[receiver], key[sender]), rtol=1e-12, atol=1e-12)
    batched = matrix(score, query.transpose(0, 1)[:, None], key.transpose(0, 1)[:, None])
    assert_close(batched.squeeze(1), pairs, rtol=1e-12, atol=1e-12)


@SCORES
@pytest.mark.parametrize("sizes", [[4, 1, 0, 12], [1], [0], []], ids=str)
def test_backends_agree(name, sizes):
    compared = assert_backends_agree(layer_of(name), torch.randn(sum(sizes), 8, dtype=F64), Full(sizes))
    known = {"Additive": [], "capped GATv2": [], "EluKernel": ["linear"], "Favor": ["linear"], "Polynomial": []}
    assert compared == [*known.get(name, ["dense"]), "edgewise"]


@SCORES
@pytest.mark.parametrize("dtype", [F64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [0.0, 1e2])
def test_large_and_zero_states_stay_finite(name, dtype, scale):
    layer, graph = layer_of(name).to(dtype), Full([5, 1])
    x = (torch.randn(6, 8) * scale).to(dtype).requires_grad_()
    out = layer(x, graph)
    gradients = torch.autograd.grad(out.sum(), [x, *layer.parameters()], materialize_grads=True)
    assert out.dtype == dtype
    assert all(torch.isfinite(part).all() for part in (out, *gradients))


@SCORES
def test_gradients_are_those_of_the_numbers(name):
    layer, x = layer_of(name), torch.randn(3, 8, dtype=F64, requires_grad=True)
    graph = Edges(torch.tensor([[0, 1, 2, 2], [1, 1, 1, 0]]), 3)
    assert torch.autograd.gradcheck(lambda x: layer(x, graph), x)


@SCORES
def test_scores_are_copied_pickled_reset_and_read_from_a_state_dict(name):
    score = wide(MAKE[name]())
    query, key = torch.randn(2, 3, 2, 4, dtype=F64)
    for other in (copy.deepcopy(score), pickle.loads(pickle.dumps(score))):
        assert torch.equal(other(query, key), score(query, key))
    assert repr(score).startswith(type(score).__name__)
    if isinstance(score, nn.Module):
        fresh = wide(MAKE[name]())
        fresh.load_state_dict(score.state_dict())
        assert torch.equal(fresh(query, key), score(query, key))


@pytest.mark.parametrize("name", ["Additive", "SplitAdditive", "Bilinear", "Favor"])
def test_what_is_drawn_is_drawn_anew_and_by_seed(name):
    score = MAKE[name]()
    before = {name: value.clone() for name, value in score.state_dict().items()}
    draws = []
    for _ in range(2):
        torch.manual_seed(1)
        score.reset_parameters()
        draws.append({name: value.clone() for name, value in score.state_dict().items()})
    assert all(
        torch.equal(draws[0][key], draws[1][key]) and not torch.equal(draws[0][key], before[key]) for key in before
    )


def test_learned_numbers_start_again():
    gain, temperature = Gain(2, 4), LearnedTemperature(2, 0.5)
    through = Then(gain, temperature)
    for parameter in through.parameters():
        nn.init.zeros_(parameter)
    through.reset_parameters()
    assert_close(gain.gain.data, torch.ones(2, 4))
    assert_close(temperature.log_temperature.exp().data, torch.full((2,), 0.5))


@pytest.mark.parametrize("score", [Dot(), ScaledDot(), Cosine(), Gain(2, 4), Bilinear(2, 4)], ids=repr)
def test_dot_products_are_fused(score, monkeypatch):
    from graphattn.backends import dense

    calls = []
    honest = dense.scaled_dot_product_attention
    monkeypatch.setattr(dense, "scaled_dot_product_attention", lambda *a, **k: calls.append(1) or honest(*a, **k))
    GraphLayer(Attend(8, Heads(2, 4), score), SoftmaxSum(), Replace())(torch.randn(5, 8), Full([5]))
    assert calls


class EdgeKeys:
    """An edge key of the width that is wanted, from ``edge["edge_attr"]``."""

    def __init__(self, width):
        self.width = width

    def on_edges(self, graph, edge):
        return None, edge["edge_attr"][:, None, : self.width].expand(-1, 2, -1)


@SCORES
def test_an_edge_key_is_added_to_the_key_itself(name):
    split = "GAT" in name or name == "SplitAdditive"
    layer = layer_of(name, edge_key=EdgeKeys(1 if split and "v2" not in name else 4))
    message, graph = layer.message_function, Edges(torch.tensor([[0, 1, 2, 2], [1, 1, 1, 0]]), 3)
    x, edge = torch.randn(3, 8, dtype=F64), {"edge_attr": torch.randn(4, 4, dtype=F64)}
    senders, receivers = message.project(x, x, graph, None)
    sender, receiver = graph.edge_index()
    result, _ = message.speak(
        {key: value[sender] for key, value in senders.items()},
        {key: value[receiver] for key, value in receivers.items()},
        message.on_edges(graph, edge),
    )
    query, key = (map_(x).unflatten(-1, (2, 4)) for map_ in (message.query, message.key))
    score = message.score
    if split and "v2" not in name:
        inner = getattr(score, "score", score)
        number = (query[receiver] * inner.query_weight + key[sender] * inner.key_weight).sum(-1) + edge["edge_attr"][
            :, :1
        ]
        truth = nn.functional.leaky_relu(number, 0.2)
        for function in getattr(score, "functions", []):
            truth = function(truth)
    else:
        truth = score(query[receiver], key[sender] + edge["edge_attr"][:, None])
    assert_close(result, truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Temperature(0), "a temperature above 0, got 0"),
        (lambda: LearnedTemperature(2, -1.0), "a temperature above 0, got -1.0"),
        (lambda: SoftCap(0.0), "a cap above 0, got 0.0"),
        (lambda: RBF(0), "a bandwidth above 0, got 0"),
        (lambda: Polynomial(0), "a degree of at least 1, got 0"),
        (lambda: Favor(4, 0), "at least one feature, got 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make, words):
    with pytest.raises(ValueError, match=f"expected {words}"):
        make()
