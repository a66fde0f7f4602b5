import copy

import pytest
import torch
from equal import F64, assert_same, pair
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.backends import use_backend
from graphattn.pyg import GPSConv, SAGEConv, calls, forget_calls

SIZES = [1, 4, 0, 2]
BATCH = torch.tensor([0, 1, 1, 1, 1, 3, 3])
EDGES = torch.tensor([[1, 2, 3, 5, 5], [2, 1, 1, 6, 5]])
KINDS = pytest.mark.parametrize("attention", ["multihead", "performer"])


def states():
    return torch.randn(7, 8, dtype=F64)


def layers(attention, **options):
    return pair(pyg.GPSConv, 8, conv=pyg.SAGEConv(8, 8), heads=2, attn_type=attention, **options)


@KINDS
@pytest.mark.parametrize("norm", [None, "batch_norm", "layer_norm", "graph_norm"])
def test_a_graph_alone_is_pygs(attention, norm):
    assert_same(*layers(attention, norm=norm), states(), EDGES)


@pytest.mark.parametrize("norm", [None, "batch_norm", "layer_norm", "graph_norm"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_batch_is_pygs(norm, bias):
    assert_same(*layers("multihead", norm=norm, attn_kwargs={"bias": bias}), states(), EDGES, BATCH)


@pytest.mark.parametrize("norm", [None, "batch_norm", "layer_norm", "graph_norm"])
def test_without_a_local_layer(norm):
    layers = pair(pyg.GPSConv, 8, conv=None, heads=2, norm=norm)
    assert_same(*layers, states(), EDGES, BATCH)
    assert_same(*layers, states(), None, BATCH)
    assert_same(*layers, states(), None)
    assert_same(*pair(pyg.GPSConv, 8, conv=None, heads=2, norm=norm, attn_type="performer"), states(), None)


@KINDS
@pytest.mark.parametrize("bias", [True, False])
def test_a_batch_is_its_graphs_alone(attention, bias):
    options = {"bias": bias} if attention == "multihead" else {"qkv_bias": bias}
    _, ours = layers(attention, norm=None, attn_kwargs=options)
    x = states().requires_grad_()
    starts = torch.tensor([0, *SIZES]).cumsum(0).tolist()
    alone = []
    for number, size in enumerate(SIZES):
        inside = BATCH[EDGES[0]] == number
        alone.append(
            ours(x[starts[number] : starts[number] + size], EDGES[:, inside] - starts[number]) if size else x[:0]
        )
    together = ours(x, EDGES, BATCH)
    assert_close(together, torch.cat(alone), rtol=1e-9, atol=1e-9)
    leaves = [x, *ours.parameters()]
    slopes = [torch.autograd.grad(out.sin().sum(), leaves) for out in (together, torch.cat(alone))]
    for one, other in zip(*slopes, strict=True):
        assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_pygs_performer_leaks_padding_and_ours_does_not():
    theirs, ours = layers("performer", norm=None, attn_kwargs={"qkv_bias": True})
    x = states()
    alone = theirs(x[:1], torch.empty(2, 0, dtype=torch.long))
    assert not torch.allclose(theirs(x, EDGES, BATCH)[:1], alone, rtol=1e-3)
    assert_close(ours(x, EDGES, BATCH)[:1], alone, rtol=1e-9, atol=1e-9)


def test_attention_is_computed_by_our_backends():
    _, ours = layers("multihead", norm=None)
    x = states()
    with use_backend("edgewise"):
        by_edges = ours(x, EDGES, BATCH)
    assert_close(by_edges, ours(x, EDGES, BATCH), rtol=1e-9, atol=1e-9)


def test_dropout_of_attention_weights():
    _, ours = layers("multihead", norm=None, attn_kwargs={"dropout": 0.5})
    x = states()
    assert not torch.equal(ours(x, EDGES, BATCH), ours(x, EDGES, BATCH))
    ours.eval()
    assert torch.equal(ours(x, EDGES, BATCH), ours(x, EDGES, BATCH))


def test_attention_that_drops_everything_is_pygs():
    made = assert_same(*layers("multihead", norm=None, attn_kwargs={"dropout": 1.0}), states(), EDGES, answered=False)
    assert made.theirs == {"the dropout of its attention is 1.0": 1}
    assert_same(*layers("performer", norm=None, dropout=1.0, attn_kwargs={"dropout": 1.0}), states(), EDGES)


def test_calls_that_pyg_answers():
    made = assert_same(
        *layers("multihead", norm=None, attn_kwargs={"add_zero_attn": True}), states(), EDGES, answered=False
    )
    assert made.theirs == {"its attention has keys beyond those of the nodes": 1}
    theirs, ours = layers("multihead", norm=None)
    ours.attn.register_forward_hook(lambda *hook: None)
    assert assert_same(theirs, ours, states(), EDGES, answered=False).theirs == {"a hook wants to see its attention": 1}


def test_nodes_out_of_order_are_refused_in_words():
    with pytest.raises(ValueError, match="batch sorted, from 0 to 3, got values from 0 to 3, unsorted"):
        GPSConv(8, conv=None)(torch.randn(7, 8), EDGES, BATCH.flip(0))


def test_the_local_layer_may_be_a_drop_in():
    forget_calls()
    block = GPSConv(8, conv=SAGEConv(8, 8), heads=2)
    copy.deepcopy(block)(torch.randn(7, 8), EDGES, BATCH)
    assert {name: made.ours for name, made in calls().items()} == {"GPSConv": 1, "SAGEConv": 1}


# torch's compiler asks for gradients of tensors between its graphs.
@pytest.mark.filterwarnings("ignore:The .grad attribute")
@KINDS
def test_a_compiled_block_computes_the_same_with_no_more_breaks_than_pygs(attention):
    theirs, ours = (each.eval() for each in layers(attention, norm=None))
    x = states()
    torch._dynamo.reset()
    compiled = torch.compile(ours, backend="eager")
    assert_close(compiled(x, EDGES, BATCH), ours(x, EDGES, BATCH))
    breaks = [torch._dynamo.explain(each)(x, EDGES, BATCH).graph_break_count for each in (ours, theirs)]
    assert breaks[0] <= breaks[1]


@pytest.mark.parametrize("conv", [None, lambda: pyg.GINConv(torch.nn.Linear(8, 8))], ids=["attention", "both"])
def test_an_accelerated_gps_layer_has_second_derivatives(conv):
    theirs, ours = pair(pyg.GPSConv, 8, conv=conv and conv(), heads=2, norm=None, act="tanh")
    x, edge_index, batch = torch.randn(5, 8, dtype=F64), torch.randint(5, (2, 9)), torch.tensor([0, 0, 0, 1, 1])
    found = gradient_of_gradient(lambda x: ours.eval()(x, edge_index, batch).sin().sum(), x)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert_close(
            found,
            gradient_of_gradient(lambda x: theirs.eval()(x, edge_index, batch).sin().sum(), x),
            rtol=1e-9,
            atol=1e-9,
        )


def gradient_of_gradient(loss, x):
    x = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x), x, create_graph=True)
    return torch.autograd.grad(grad.square().sum(), x)[0]
