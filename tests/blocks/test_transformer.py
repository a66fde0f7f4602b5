import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.blocks import Block, Readout, feed_forward
from graphattn.topology import Edges, Full, Star
from graphattn.zoo import GCN, SelfAttention

F64 = torch.float64


def test_a_block_with_attention_on_full_is_a_transformer_encoder_layer():
    theirs = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True, dtype=F64)
    ours = Block(SelfAttention(8, heads=2), channels=8).double()
    attention, said = ours.layers[0], ours.layers[0].message_function
    own = [said.query, said.key, said.value]
    with torch.no_grad():
        for part, weight, bias in zip(
            own, theirs.self_attn.in_proj_weight.chunk(3), theirs.self_attn.in_proj_bias.chunk(3), strict=True
        ):
            part.weight.copy_(weight)
            part.bias.copy_(bias)
    for mine, its in (
        (attention.update_function.linear, theirs.self_attn.out_proj),
        (ours.norm_before_layers, theirs.norm1),
        (ours.norm_before_mlp, theirs.norm2),
        (ours.mlp[0], theirs.linear1),
        (ours.mlp[3], theirs.linear2),
    ):
        mine.load_state_dict(its.state_dict())
    sizes = [4, 1, 6]
    x = torch.randn(11, 8, dtype=F64, requires_grad=True)
    truth = torch.cat([theirs(part[None])[0] for part in x.split(sizes)])
    result = ours(x, [Full(sizes)])
    assert_close(result, truth, rtol=1e-9, atol=1e-9)
    assert_close(*(torch.autograd.grad(out.sin().sum(), x)[0] for out in (result, truth)), rtol=1e-9, atol=1e-9)


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


def test_one_graph_for_each_layer():
    with pytest.raises(ValueError, match="each of 1 layers, got 2 graphs and 2 edge features"):
        Block(SelfAttention(8), channels=8)(torch.randn(3, 8), [Full([3]), Full([3])])


def test_a_readout_hears_each_graph_alone_and_gives_empty_graphs_a_row():
    readout = Readout(8, heads=2, hubs=3).double()
    x = torch.randn(7, 8, dtype=F64)
    together = readout(x, Star([4, 0, 3, 0], hubs=3))
    assert together.shape == (4, 24)
    assert_close(together[0], readout(x[:4], Star([4], hubs=3))[0])
    assert_close(together[2], readout(x[4:], Star([3], hubs=3))[0])
    empty = readout.layer.update_function.linear.bias.repeat(3)
    assert_close(together[[1, 3]], torch.stack([empty, empty]))
    shuffled = readout(x[[2, 0, 3, 1, 4, 6, 5]], Star([4, 0, 3, 0], hubs=3))
    assert_close(shuffled, together, rtol=1e-9, atol=1e-9)


def test_a_readout_learns_its_hubs_and_wants_as_many():
    readout = Readout(8, hubs=2)
    hub = readout.hub.clone()
    readout.reset_parameters()
    assert not torch.equal(hub, readout.hub)
    with pytest.raises(ValueError, match="expected a Star of 2 hubs per graph, got 1"):
        readout(torch.randn(3, 8), Star([3]))
