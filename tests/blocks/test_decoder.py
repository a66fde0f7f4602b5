import pytest
import torch
from torch import nn

from graphattn.blocks import DecoderBlock, Stack, feed_forward, post_norm, pre_norm
from graphattn.topology import Causal, Cross, Full

F64 = torch.float64
SIZES, MEMORY = [4, 1, 6], [2, 5, 3]
PLACEMENTS = pytest.mark.parametrize("placement", [pre_norm, post_norm])


def padded(x, sizes):
    """Rows of each graph behind each other, padded to the largest, and which are padding."""
    whole = nn.utils.rnn.pad_sequence(x.split(sizes), batch_first=True)
    return whole, torch.arange(max(sizes)) >= torch.tensor(sizes)[:, None]


def torch_layer(placement, activation="relu"):
    first = placement is pre_norm
    return nn.TransformerDecoderLayer(8, 2, 12, 0.0, activation, batch_first=True, norm_first=first, dtype=F64)


def our_block(placement, activation=None):
    mlp = feed_forward(8, 12, activation=activation or nn.ReLU())
    return DecoderBlock(8, 2, mlp, placement=placement).double()


def pair_up(twin, theirs, ours):
    twin.attention(theirs.self_attn, ours.self_attention)
    twin.attention(theirs.multihead_attn, ours.cross_attention)
    around = (ours.around_self_attention, ours.around_cross_attention, ours.around_mlp)
    for its, mine in zip((theirs.norm1, theirs.norm2, theirs.norm3), around, strict=True):
        twin.module(its, mine)
    twin.module(nn.ModuleList([theirs.linear1, theirs.linear2]), ours.mlp)


def heard_by_torch(theirs, x, memory, causal=True):
    (x, padding), (memory, no_memory) = padded(x, SIZES), padded(memory, MEMORY)
    future = torch.ones(6, 6, dtype=torch.bool).triu(1) if causal else None
    out = theirs(x, memory, future, tgt_key_padding_mask=padding, memory_key_padding_mask=no_memory)
    return out[~padding]


@PLACEMENTS
@pytest.mark.parametrize(("name", "activation"), [("relu", nn.ReLU()), ("gelu", nn.GELU())])
@pytest.mark.parametrize("topology", [Causal, Full])
def test_a_decoder_block_is_a_transformer_decoder_layer(twin, placement, name, activation, topology):
    theirs, ours = torch_layer(placement, name), our_block(placement, activation)
    pair_up(twin, theirs, ours)
    twin.copy()
    x, memory = torch.randn(11, 8, dtype=F64).requires_grad_(), torch.randn(10, 8, dtype=F64).requires_grad_()
    truth = heard_by_torch(theirs, x, memory, causal=topology is Causal)
    twin.assert_equal(ours(x, memory, topology(SIZES), Cross(MEMORY, SIZES)), truth, x, memory)


@PLACEMENTS
def test_a_stack_of_decoder_blocks_is_a_transformer_decoder(twin, placement):
    theirs = nn.TransformerDecoder(torch_layer(placement), 2, nn.LayerNorm(8, dtype=F64))
    ours = Stack([our_block(placement) for _ in range(2)], nn.LayerNorm(8, dtype=F64))
    for its, mine in zip(theirs.layers, ours.blocks, strict=True):
        pair_up(twin, its, mine)
    twin.module(theirs.norm, ours.norm)
    twin.copy()
    x, memory = torch.randn(11, 8, dtype=F64).requires_grad_(), torch.randn(10, 8, dtype=F64).requires_grad_()
    truth = heard_by_torch(theirs, x, memory)
    twin.assert_equal(ours(x, memory, Causal(SIZES), Cross(MEMORY, SIZES)), truth, x, memory)


def test_a_decoder_block_by_default_is_the_paper_s():
    block = DecoderBlock(8, heads=2, dropout=0.1, bias=False)
    assert [type(part).__name__ for part in block.mlp] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert isinstance(block.around_mlp.outside, nn.LayerNorm)
    assert block.self_attention.dropout == block.cross_attention.dropout == block.around_mlp.dropout.p == 0.1
    assert {name for name, _ in block.named_parameters() if name.endswith("bias")} == {
        "around_self_attention.outside.bias",
        "around_cross_attention.outside.bias",
        "around_mlp.outside.bias",
    }
