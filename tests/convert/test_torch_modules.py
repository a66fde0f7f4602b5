"""Values and gradients equal torch's: float64, within 1e-9."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.backends import use_backend
from graphattn.convert import from_torch, unpadded
from graphattn.topology import Causal, Cross, Full

F64 = torch.float64
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
PADDING = torch.tensor([[False] * 5, [False, False, True, True, True], [False, True, True, True, True]])
MEMORY_PADDING = torch.tensor([[False, False, True], [False] * 3, [False, True, True]])
LATER = nn.Transformer.generate_square_subsequent_mask(5, dtype=F64)


def drawn(*shape):
    return torch.randn(*shape, dtype=F64, requires_grad=True)


def assert_same(result, truth, inputs):
    assert_close(result, truth, **CLOSE)
    gradients = [torch.autograd.grad(out.sin().sum(), inputs, retain_graph=True) for out in (result, truth)]
    for mine, its in zip(*gradients, strict=True):
        assert_close(mine, its, **CLOSE)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"dropout": 0.5}], ids=str)
@pytest.mark.parametrize("backend", ["dense", "edgewise"])
@pytest.mark.parametrize("mask", [None, LATER, torch.rand(5, 5) > 0.7], ids=["full", "causal", "any"])
def test_self_attention_with_masks_is_multihead_attention(stirred, options, backend, mask):
    original = stirred(nn.MultiheadAttention(8, 2, batch_first=True, **options))
    layer, x = from_torch(original), drawn(3, 5, 8)
    if mask is not None and mask.dtype == torch.bool:
        mask = mask & ~torch.eye(5, dtype=torch.bool)
    padding = PADDING if mask is None or mask.dtype == torch.bool else PADDING.to(F64).masked_fill(PADDING, -torch.inf)
    truth = original(x, x, x, key_padding_mask=padding, attn_mask=mask, need_weights=False)[0]
    nodes = unpadded(x, PADDING, mask)
    if backend == "edgewise":
        with use_backend(backend):
            result = layer(nodes.x, nodes.graph)
    else:
        result = layer(nodes.x, nodes.graph)
    assert_same(result, truth[~PADDING], [x])
    assert layer.dropout == options.get("dropout", 0)


@pytest.mark.parametrize("width", [8, 6])
def test_attention_to_others_is_multihead_attention(stirred, width):
    original = stirred(nn.MultiheadAttention(8, 2, kdim=width, vdim=width, batch_first=True))
    layer, x, memory = from_torch(original), drawn(3, 5, 8), drawn(3, 3, width)
    truth = original(x, memory, memory, key_padding_mask=MEMORY_PADDING)[0][~PADDING]
    heard = unpadded(memory, MEMORY_PADDING)
    queries = unpadded(x, PADDING)
    result = layer((heard.x, queries.x), Cross(heard.graph.receivers, queries.graph.receivers))
    assert_same(result, truth, [x, memory])


ENCODERS = [
    {},
    {"norm_first": True, "activation": "gelu"},
    {"activation": nn.SiLU(), "bias": False},
    pytest.param({"activation": torch.tanh, "layer_norm_eps": 0.1}, id="tanh"),
]


@pytest.mark.parametrize("options", ENCODERS, ids=str)
def test_an_encoder_layer_is_a_block(stirred, options):
    original = stirred(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, **options))
    block, x = from_torch(original), drawn(3, 5, 8)
    for padding in (PADDING, torch.zeros_like(PADDING)):
        truth = original(x, src_key_padding_mask=padding)[~padding]
        nodes = unpadded(x, padding)
        assert_same(block(nodes.x, nodes.graph), truth, [x])


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize("norm", [None, nn.LayerNorm(8)], ids=["bare", "norm"])
def test_an_encoder_is_a_stack(stirred, norm):
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True)
    original = stirred(nn.TransformerEncoder(layer, 2, norm))
    stack, x = from_torch(original), drawn(3, 5, 8)
    truth = original(x, mask=LATER, src_key_padding_mask=PADDING.to(F64).masked_fill(PADDING, -torch.inf))
    nodes = unpadded(x, PADDING, LATER)
    assert isinstance(nodes.graph, Causal)
    assert_same(nodes.laid_out(stack(nodes.x, nodes.graph))[~PADDING], truth[~PADDING], [x])


@pytest.mark.parametrize("options", ENCODERS, ids=str)
def test_a_decoder_layer_is_a_decoder_block(stirred, options):
    original = stirred(nn.TransformerDecoderLayer(8, 2, 12, batch_first=True, **options))
    block, x, memory = from_torch(original), drawn(3, 5, 8), drawn(3, 3, 8)
    truth = original(x, memory, tgt_mask=LATER, memory_key_padding_mask=MEMORY_PADDING)
    own, heard = unpadded(x, None, LATER), unpadded(memory, MEMORY_PADDING)
    result = block(own.x, heard.x, own.graph, Cross(heard.graph.receivers, own.graph.receivers))
    assert_same(own.laid_out(result), truth, [x, memory])


def test_a_decoder_is_a_stack(stirred):
    layer = nn.TransformerDecoderLayer(8, 2, 12, batch_first=True)
    original = stirred(nn.TransformerDecoder(layer, 2, nn.LayerNorm(8)))
    stack, x, memory = from_torch(original), drawn(2, 4, 8), drawn(2, 3, 8)
    result = stack(x.flatten(0, 1), memory.flatten(0, 1), Full([4, 4]), Cross([3, 3], [4, 4]))
    assert_same(result, original(x, memory).flatten(0, 1), [x, memory])


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize("norm_first", [False, True])
def test_a_transformer_is_an_encoder_and_a_decoder(stirred, norm_first):
    original = stirred(nn.Transformer(8, 2, 1, 2, 12, batch_first=True, norm_first=norm_first))
    network, source, target = from_torch(original), drawn(3, 3, 8), drawn(3, 5, 8)
    truth = original(
        source, target, None, LATER, None, MEMORY_PADDING, None, MEMORY_PADDING, src_is_causal=False, tgt_is_causal=True
    )
    heard, own = unpadded(source, MEMORY_PADDING), unpadded(target, None, LATER)
    result = network(heard.x, own.x, heard.graph, own.graph)
    assert_same(own.laid_out(result), truth, [source, target])
    cross = Cross(heard.graph.receivers, own.graph.receivers)
    assert torch.equal(network(heard.x, own.x, heard.graph, own.graph, cross), result)


def test_parameters_get_the_same_gradients(stirred):
    original = stirred(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True))
    block, x = from_torch(original), drawn(2, 3, 8)
    original(x).sin().sum().backward()
    block(x.flatten(0, 1), Full([3, 3])).sin().sum().backward()
    said, its = block.layers[0].message_function, original.self_attn
    own = torch.cat([said.query.weight.grad, said.key.weight.grad, said.value.weight.grad])
    assert_close(own, its.in_proj_weight.grad, **CLOSE)
    assert_close(block.mlp[0].weight.grad, original.linear1.weight.grad, **CLOSE)
    assert_close(block.norm_outside_mlp.weight.grad, original.norm2.weight.grad, **CLOSE)
    assert sum(each.numel() for each in block.parameters()) == sum(each.numel() for each in original.parameters())


def test_dropout_and_mode_are_the_originals():
    block = from_torch(nn.TransformerDecoderLayer(8, 2, 12, dropout=0.3))
    assert block.training
    assert block.self_attention.dropout == block.cross_attention.dropout == 0.3
    assert {each.p for each in block.modules() if isinstance(each, nn.Dropout)} == {0.3}
    assert not from_torch(nn.TransformerEncoderLayer(8, 2).eval()).training


def attention(**options):
    return nn.MultiheadAttention(8, 2, **options)


def altered(module, **parts):
    for name, part in parts.items():
        setattr(module, name, part)
    return module


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (attention(add_zero_attn=True), "add_zero_attn=False to convert nn.MultiheadAttention, got add_zero_attn=True"),
        (attention(add_bias_kv=True), "add_bias_kv=False to convert nn.MultiheadAttention, got add_bias_kv=True"),
        (attention(kdim=4, vdim=6), "got kdim=4 and vdim=6"),
        (
            nn.TransformerEncoderLayer(8, 2, activation=torch.sigmoid),
            "relu, gelu, silu, tanh or a module .* got sigmoid",
        ),
        (altered(nn.TransformerEncoderLayer(8, 2), dropout2=nn.Dropout(0.9)), "got {'dropout1': 0.1, 'dropout2': 0.9}"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_options_that_are_not_supported_are_refused_by_name(module, said):
    with pytest.raises(ValueError, match=said):
        from_torch(module)


class Special(nn.TransformerEncoderLayer):
    """Computes what it likes."""


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.LSTM(2, 2), r"expected one of MultiheadAttention, .*PNAConv, got LSTM"),
        (Special(8, 2), "got Special$"),
        (
            pyg.models.GCN(4, 4, 2),
            r"PNAConv, got GCN: graphattn\.accelerate takes it as it is, and swaps 2 of its layers$",
        ),
        (pyg.GPSConv(8, None), r"got GPSConv: graphattn\.accelerate takes it as it is, and swaps 1 of its layers$"),
        (pyg.GCNConv, "expected a module, one of MultiheadAttention, .*PNAConv, got the class GCNConv"),
        ([nn.Linear(2, 2)], "expected a module, one of MultiheadAttention, .*PNAConv, got a list"),
        (
            nn.TransformerEncoder(Special(8, 2), 1, enable_nested_tensor=False),
            r"nn\.TransformerEncoderLayer inside to convert, got Special of .*test_torch_modules at layers\.0$",
        ),
        (nn.Transformer(8, 2, 1, 1, custom_encoder=nn.Identity()), r"nn\.TransformerEncoder inside .* got Identity"),
        (
            altered(nn.TransformerEncoderLayer(8, 2), norm1=nn.RMSNorm(8)),
            r"torch\.nn\.LayerNorm to convert, got RMSNorm at norm1$",
        ),
        (altered(nn.TransformerEncoderLayer(8, 2), linear1=nn.LazyLinear(9)), r"plain .* got LazyLinear at linear1$"),
        (
            altered(attention(), out_proj=nn.Identity()),
            r"plain torch\.nn\.Linear to convert, got Identity at out_proj$",
        ),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_modules_that_are_not_supported_are_refused_by_name(module, said):
    with pytest.raises(TypeError, match=said):
        from_torch(module)
