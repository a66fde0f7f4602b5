import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.blocks import Block, EncoderBlock, Stack, feed_forward, post_norm, pre_norm
from graphattn.message import Heads
from graphattn.topology import Causal, Edges, Full
from graphattn.zoo import GCN, SelfAttention

F64 = torch.float64


def padded(x, sizes):
    """Rows of each graph behind each other, padded to the largest, and which are padding."""
    whole = nn.utils.rnn.pad_sequence(x.split(sizes), batch_first=True)
    return whole, torch.arange(max(sizes)) >= torch.tensor(sizes)[:, None]


def future(size):
    return torch.ones(size, size, dtype=torch.bool).triu(1)


def torch_layer(activation="relu", norm_first=False, bias=True):
    return nn.TransformerEncoderLayer(
        8, 2, 12, 0.0, activation, batch_first=True, norm_first=norm_first, bias=bias, dtype=F64
    )


def our_block(activation=None, placement=post_norm):
    return EncoderBlock(8, 2, feed_forward(8, 12, activation=activation or nn.ReLU()), placement=placement).double()


def pair_up(twin, theirs, ours):
    twin.attention(theirs.self_attn, ours.layers[0])
    pre = theirs.norm_first
    twin.module(theirs.norm1, ours.norm_before_layers if pre else ours.norm_outside_layers)
    twin.module(theirs.norm2, ours.norm_before_mlp if pre else ours.norm_outside_mlp)
    twin.module(nn.ModuleList([theirs.linear1, theirs.linear2]), ours.mlp)


@pytest.mark.parametrize("placement", [pre_norm, post_norm])
@pytest.mark.parametrize(("name", "activation"), [("relu", nn.ReLU()), ("gelu", nn.GELU())])
@pytest.mark.parametrize("topology", [Full, Causal])
def test_an_encoder_block_is_a_transformer_encoder_layer(twin, placement, name, activation, topology):
    theirs, ours = torch_layer(name, placement is pre_norm), our_block(activation, placement)
    pair_up(twin, theirs, ours)
    twin.copy()
    sizes = [4, 1, 6]
    x = torch.randn(11, 8, dtype=F64, requires_grad=True)
    whole, padding = padded(x, sizes)
    truth = theirs(whole, future(6) if topology is Causal else None, src_key_padding_mask=padding)[~padding]
    twin.assert_equal(ours(x, topology(sizes)), truth, x)


@pytest.mark.parametrize("placement", [pre_norm, post_norm])
def test_a_stack_of_encoder_blocks_is_a_transformer_encoder(twin, placement):
    theirs = nn.TransformerEncoder(
        torch_layer(norm_first=placement is pre_norm), 3, nn.LayerNorm(8, dtype=F64), enable_nested_tensor=False
    )
    ours = Stack([our_block(placement=placement) for _ in range(3)], nn.LayerNorm(8, dtype=F64))
    for its, mine in zip(theirs.layers, ours.blocks, strict=True):
        pair_up(twin, its, mine)
    twin.module(theirs.norm, ours.norm)
    twin.copy()
    sizes = [2, 5]
    x = torch.randn(7, 8, dtype=F64, requires_grad=True)
    whole, padding = padded(x, sizes)
    truth = theirs(whole, future(5), src_key_padding_mask=padding)[~padding]
    twin.assert_equal(ours(x, Causal(sizes)), truth, x)


def test_an_encoder_block_without_bias_is_torch_s(twin):
    theirs = torch_layer(bias=False)
    ours = EncoderBlock(8, 2, feed_forward(8, 12, activation=nn.ReLU(), bias=False), bias=False)
    ours = ours.double()
    names = [name for name, _ in ours.named_parameters() if name.endswith("bias") and "norm" not in name]
    assert names == []
    said, its = ours.layers[0].message_function, theirs.self_attn
    with torch.no_grad():
        for part, weight in zip((said.query, said.key, said.value), its.in_proj_weight.chunk(3), strict=True):
            part.weight.copy_(weight)
    twin.module(its.out_proj, ours.layers[0].update_function.linear)
    twin.module(nn.ModuleList([theirs.linear1, theirs.linear2]), ours.mlp)
    twin.copy()
    x = torch.randn(5, 8, dtype=F64)
    assert_close(ours(x, Full([5])), theirs(x[None])[0], rtol=1e-9, atol=1e-9)


def test_an_encoder_block_by_default_is_the_paper_s():
    block = EncoderBlock(8, heads=2, dropout=0.1)
    assert [type(part).__name__ for part in block.mlp] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert block.mlp[0].out_features == 32
    assert isinstance(block.norm_outside_mlp, nn.LayerNorm)
    assert block.layers[0].dropout == block.dropout.p == block.mlp[2].p == 0.1


def test_several_layers_hear_over_their_own_graphs_and_are_summed():
    attention, local = SelfAttention(8), GCN(8, 8)
    block = Block([attention, local], channels=8, mlp=nn.Identity()).eval()
    full, edges = Full([3]), Edges(torch.tensor([[0, 1], [1, 2]]), 3).with_self_loops()
    weight = torch.rand(edges.num_edges)
    x = torch.randn(3, 8)
    normed = block.norm_before_layers(x)
    middle = x + attention(normed, full) + local(normed, edges, weight)
    assert_close(block(x, [full, edges], [None, weight]), middle + block.norm_before_mlp(middle))


def test_dropout_is_off_outside_training_and_follows_the_seed():
    block, x, graph = Block(SelfAttention(8), channels=8, dropout=0.5), torch.randn(3, 8), Full([3])
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(block(x, [graph]))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    block.eval()
    assert torch.equal(block(x, [graph]), block(x, [graph]))
    assert [type(part).__name__ for part in feed_forward(8, 16, 0.1)] == ["Linear", "GELU", "Dropout", "Linear"]


def test_positions_reach_the_layers_that_turn_by_them():
    def turned(state, place):
        return state * (place[:, None, None] + 1)

    block, x, graph = Block(SelfAttention(8, heads=2, rotate=turned), 8), torch.randn(3, 8), Full([3])
    assert torch.equal(block(x, graph), block(x, graph, position=torch.arange(3)))
    assert not torch.allclose(block(x, graph), block(x, graph, position=torch.arange(3) + 1))


def test_heads_may_share_keys_and_values():
    block = EncoderBlock(8, Heads(4, 2, shared=1))
    assert block.layers[0].message_function.key.out_channels == 2
    assert block(torch.randn(3, 8), Full([3])).shape == (3, 8)


def test_a_block_has_a_layer():
    with pytest.raises(ValueError, match="expected one layer or more, got none"):
        Block([], channels=8)


def test_one_graph_for_each_layer():
    with pytest.raises(ValueError, match="each of 1 layers, got 2 graphs and 2 edge_attr"):
        Block(SelfAttention(8), channels=8)(torch.randn(3, 8), [Full([3]), Full([3])])


def test_a_single_graph_needs_no_list():
    block, x, graph = Block(GCN(8, 8), channels=8), torch.randn(3, 8), Edges(torch.tensor([[0, 1], [1, 2]]), 3)
    weight = torch.rand(2)
    assert torch.equal(block(x, graph, weight), block(x, [graph], [weight]))
    assert torch.equal(block(x, graph, {"edge_attr": weight}), block(x, [graph], [weight]))
    assert torch.equal(block(x, graph), block(x, [graph]))
    assert not torch.equal(block(x, graph), block(x, graph, weight))
