import pytest
import torch
from torch import nn
from torch.nn.functional import gelu, layer_norm
from torch.testing import assert_close

from graphattn.blocks import Mixer
from graphattn.topology import Star

F64 = torch.float64


@pytest.fixture
def block():
    block = Mixer(6, places=5, hubs=7).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block


def normed(x, norm):
    return layer_norm(x, (6,), norm.weight, norm.bias)


def literal(block, x):
    """The paper's formulas on dense patches `[B, S, C]`; the weights are those of ours."""
    first, second = block.to_hubs.message_function.table, block.to_nodes.message_function.table
    bias = block.to_hubs.update_function.bias
    patches = x.size(1)
    columns = normed(x, block.around_mixing.before).transpose(1, 2)  # [B, C, S]
    hidden = gelu(columns @ first[:, :patches].T + bias)
    mixed = hidden @ second[:patches].T + block.bias[:patches]
    x = x + mixed.transpose(1, 2)
    return x + block.mlp[3](gelu(block.mlp[0](normed(x, block.around_mlp.before))))


def test_a_mixer_is_the_paper_s_formula(block):
    x = torch.randn(15, 6, dtype=F64, requires_grad=True)
    truth = literal(block, x.view(3, 5, 6)).flatten(0, 1)
    result = block(x, Star([5, 5, 5], hubs=7))
    assert_close(result, truth, rtol=1e-9, atol=1e-9)
    wanted = [x, *block.parameters()]
    for ours, its in zip(*(torch.autograd.grad(out.sin().sum(), wanted) for out in (result, truth)), strict=True):
        assert_close(ours, its, rtol=1e-9, atol=1e-9)


def test_smaller_graphs_use_the_first_places(block):
    sizes = [2, 5, 1]
    x = torch.randn(8, 6, dtype=F64)
    truth = torch.cat([literal(block, part[None])[0] for part in x.split(sizes)])
    star = Star(sizes, hubs=7)
    assert_close(block(x, star), truth, rtol=1e-9, atol=1e-9)
    assert torch.equal(block(x, star), block(x, star, star.reverse()))


def test_a_mixer_knows_places(block):
    x = torch.randn(5, 6, dtype=F64)
    star = Star([5], hubs=7)
    assert not torch.allclose(block(x.flip(0), star), block(x, star).flip(0))


def test_hubs_and_places_are_counted(block):
    with pytest.raises(ValueError, match="expected a Star of 7 hubs per graph, got 3"):
        block(torch.randn(5, 6), Star([5], hubs=3))
    with pytest.raises(ValueError, match="expected graphs of at most 5 senders, got one of 6"):
        block(torch.randn(6, 6, dtype=F64), Star([6], hubs=7))
    assert Mixer(6, places=5).hubs == 10


def test_parameters_are_drawn_anew(block):
    block.reset_parameters()
    assert not block.bias.any()
    assert not block.to_hubs.update_function.bias.any()
