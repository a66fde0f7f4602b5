"""Attention equals torch.nn.MultiheadAttention where masks are graphs: values and gradients, float64, within 1e-9.

Our layer is called with parameters made from theirs, so that both sides have gradients of the same tensors.
"""

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close

from graphattn.backends import explain_backend, use_backend
from graphattn.message import Heads
from graphattn.score import Cosine, EluKernel, Favor, LearnedTemperature, ScaledDot, SoftCap, Then
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Cross, Edges, Full
from graphattn.zoo import CrossAttention, LinearAttention, SelfAttention

F64 = torch.float64
BATCH, QUERIES, KEYS = 3, 4, 5
# [graph, key]: what is padding. Unequal lengths, one of them whole.
PADDED = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]], dtype=torch.bool)
# [query, key]: who must not hear whom.
BLOCKED = torch.tensor([[0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [1, 0, 0, 0, 0]], dtype=torch.bool)


def multihead(width, senders, heads, bias):
    theirs = nn.MultiheadAttention(width, heads, bias=bias, kdim=senders, vdim=senders, batch_first=True, dtype=F64)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    return theirs


def made_of(theirs):
    """Each of our parameters in terms of theirs."""
    packed = theirs.in_proj_weight
    weights = (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight) if packed is None else packed.chunk(3)
    parts = {
        f"message_function.{name}.weight": part for name, part in zip(("query", "key", "value"), weights, strict=True)
    }
    parts["update_function.linear.weight"] = theirs.out_proj.weight
    if theirs.in_proj_bias is not None:
        biases = zip(("query", "key", "value"), theirs.in_proj_bias.chunk(3), strict=True)
        parts |= {f"message_function.{name}.bias": part for name, part in biases}
        parts["update_function.linear.bias"] = theirs.out_proj.bias
    return parts


def assert_same(result, truth, wanted):
    assert_close(result, truth, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(out.sin().sum(), wanted, retain_graph=True) for out in (result, truth)]
    for mine, its in zip(*gradients, strict=True):
        assert_close(mine, its, rtol=1e-9, atol=1e-9)


def heard_edges(padded, blocked):
    """The graph of both masks on nodes that are left: senders that are no padding, ``[2, E]``, and how many."""
    keep = ~padded[:, None, :] & ~blocked[None] if blocked is not None else ~padded[:, None, :].expand(-1, QUERIES, -1)
    number = (~padded).flatten().cumsum(0).view_as(padded) - 1
    graph, query, key = keep.nonzero(as_tuple=True)
    return torch.stack([number[graph, key], graph * QUERIES + query])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("senders", [6, 8])
@pytest.mark.parametrize("blocked", [None, BLOCKED], ids=["padding", "padding and mask"])
def test_cross_attention_is_multihead_attention_with_masks_as_edges(bias, heads, senders, blocked):
    theirs, ours = multihead(8, senders, heads, bias), CrossAttention(senders, 8, heads, bias).double()
    x, y = torch.randn(BATCH, QUERIES, 8, dtype=F64).requires_grad_(), torch.randn(BATCH, KEYS, senders, dtype=F64)
    y.requires_grad_()
    truth, _ = theirs(x, y, y, key_padding_mask=PADDED, attn_mask=blocked, need_weights=False)
    graph = Edges(heard_edges(PADDED, blocked), (int((~PADDED).sum()), BATCH * QUERIES))
    result = functional_call(ours, made_of(theirs), ((y[~PADDED], x.flatten(0, 1)), graph))
    assert set(made_of(theirs)) == {name for name, _ in ours.named_parameters()}
    assert_same(result, truth.flatten(0, 1), [x, y, *theirs.parameters()])


@pytest.mark.parametrize("backend", ["dense", "edgewise"])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_cross_attention_is_multihead_attention_with_padding_as_sizes(backend, scale):
    theirs, ours = multihead(8, 6, 2, bias=True), CrossAttention(6, 8, heads=2).double()
    x = (torch.randn(BATCH, QUERIES, 8, dtype=F64) * scale).requires_grad_()
    y = torch.randn(BATCH, KEYS, 6, dtype=F64).requires_grad_()
    truth, _ = theirs(x, y, y, key_padding_mask=PADDED, need_weights=False)
    graph = Cross((~PADDED).sum(1).tolist(), [QUERIES] * BATCH)
    with use_backend(backend):
        result = functional_call(ours, made_of(theirs), ((y[~PADDED], x.flatten(0, 1)), graph))
    assert_same(result, truth.flatten(0, 1), [x, y, *theirs.parameters()])


@pytest.mark.parametrize("backend", ["dense", "edgewise"])
@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_multihead_attention_with_padding_and_order(backend, causal):
    theirs, ours = multihead(8, 8, 2, bias=True), SelfAttention(8, heads=2).double()
    x = torch.randn(BATCH, KEYS, 8, dtype=F64).requires_grad_()
    mask = torch.ones(KEYS, KEYS, dtype=torch.bool).triu(1) if causal else None
    truth, _ = theirs(x, x, x, key_padding_mask=PADDED, attn_mask=mask, need_weights=False)
    graph = (Causal if causal else Full)((~PADDED).sum(1).tolist())
    with use_backend(backend):
        result = functional_call(ours, made_of(theirs), (x[~PADDED], graph))
    assert_same(result, truth[~PADDED], [x, *theirs.parameters()])


def test_attention_weights_of_each_head_are_theirs():
    theirs, ours = multihead(8, 6, 2, bias=True), CrossAttention(6, 8, heads=2).double()
    x, y = torch.randn(1, QUERIES, 8, dtype=F64), torch.randn(1, KEYS, 6, dtype=F64)
    _, truth = theirs(x, y, y, average_attn_weights=False)
    graph = Cross([KEYS], [QUERIES])
    _, (ends, alpha) = functional_call(ours, made_of(theirs), ((y[0], x[0]), graph), {"return_attention_weights": True})
    assert_close(alpha, truth[0][:, ends[1], ends[0]].T, rtol=1e-9, atol=1e-9)


def test_receivers_that_hear_nobody_become_the_bias_where_theirs_is_not_a_number():
    ours = CrossAttention(6, 8, heads=2)
    out = ours((torch.randn(0, 6), torch.randn(2, 8)), Cross([0], [2]))
    assert_close(out, ours.update_function.linear.bias.expand(2, 8))


@pytest.mark.parametrize(
    ("x", "graph"),
    [
        ((torch.randn(0, 6), torch.randn(0, 8)), Cross([], [])),
        ((torch.randn(3, 6), torch.randn(0, 8)), Cross([3], [0])),
        ((torch.randn(1, 6), torch.randn(1, 8)), Cross([1, 0], [1, 0])),
    ],
)
def test_nobody_and_one_node(x, graph):
    assert CrossAttention(6, 8, heads=2)(x, graph).shape == (x[1].size(0), 8)


@pytest.mark.parametrize(
    "make",
    [
        lambda heads: SelfAttention(8, heads),
        lambda heads: CrossAttention(8, 8, heads),
        lambda heads: LinearAttention(8, heads),
    ],
)
def test_heads_may_be_shared_and_of_any_width(make):
    layer = make(Heads(4, 3, 2, value_channels=5)).double()
    message = layer.message_function
    assert message.key.weight.shape == (6, 8)
    assert message.value.weight.shape == (10, 8)
    assert layer.update_function.linear.weight.shape == (8, 20)
    assert len(assert_backends_agree(layer, torch.randn(7, 8, dtype=F64), Full([3, 4]))) == 2
    with pytest.raises(ValueError, match="expected channels that the heads divide, got channels=8 and heads=3"):
        make(3)


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: SelfAttention(8, 2, **options),
        lambda **options: CrossAttention(8, 8, 2, **options),
        lambda **options: LinearAttention(8, 2, **options),
    ],
)
def test_rows_turn_queries_and_drop_messages(make):
    turned = make(rotate=lambda state, place: state * (place[:, None, None] + 1))
    plain = make()
    plain.load_state_dict(turned.state_dict())
    x = torch.randn(5, 8)
    assert not torch.allclose(turned(x, Full([5])), plain(x, Full([5])))
    dropping = make(dropout=0.5)
    assert not torch.equal(dropping(x, Full([5])), dropping(x, Full([5])))
    dropping.eval()
    assert torch.equal(dropping(x, Full([5])), dropping(x, Full([5])))


def test_scores_are_objects():
    swin = Then(Cosine(), LearnedTemperature(2, 0.1))
    assert SelfAttention(8, 2, score=swin).message_function.score is swin
    gemma = Then(ScaledDot(), SoftCap(50.0))
    assert CrossAttention(6, 8, 2, score=gemma).message_function.score is gemma
    performer = Favor(4, 16)
    assert LinearAttention(8, 2, kernel=performer).message_function.score is performer


def test_linear_attention_is_the_formula_of_its_paper():
    layer, x = LinearAttention(8, heads=2, bias=False).double(), torch.randn(6, 8, dtype=F64)
    said = layer.message_function
    query, key, value = (part(x).unflatten(-1, (2, 4)).transpose(0, 1) for part in (said.query, said.key, said.value))
    query, key = nn.functional.elu(query) + 1, nn.functional.elu(key) + 1
    kernel = query @ key.transpose(1, 2)
    for graph, mask in ((Full([6]), torch.ones(6, 6)), (Causal([6]), torch.ones(6, 6).tril())):
        weight = kernel * mask
        heard = (weight / weight.sum(-1, keepdim=True)) @ value
        truth = layer.update_function.linear(heard.transpose(0, 1).flatten(1))
        assert explain_backend(layer, x, graph).chosen == "linear"
        assert_close(layer(x, graph), truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_linear_attention_of_large_states_is_finite(scale):
    for kernel in (EluKernel(), Favor(4, 16)):
        layer, x = LinearAttention(8, 2, kernel=kernel), (torch.randn(6, 8) * scale).requires_grad_()
        for graph in (Full([4, 2]), Edges(torch.tensor([[0, 1], [1, 1]]), 6)):
            out = layer(x, graph)
            (gradient,) = torch.autograd.grad(out.sum(), x)
            assert torch.isfinite(out).all()
            assert torch.isfinite(gradient).all()
