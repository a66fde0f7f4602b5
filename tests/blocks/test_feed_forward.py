import torch
from torch import nn
from torch.testing import assert_close

from graphattn.blocks import SwiGLU, feed_forward

F64 = torch.float64


def test_a_feed_forward_network_is_two_maps_with_an_activation_between():
    relu = feed_forward(4, 6, activation=nn.ReLU()).double()
    first, _, _, second = relu
    x = torch.randn(5, 4, dtype=F64)
    hidden = (x @ first.weight.T + first.bias).clamp(min=0)
    assert_close(relu(x), hidden @ second.weight.T + second.bias)
    assert [type(part) for part in feed_forward(4, 6)] == [nn.Linear, nn.GELU, nn.Dropout, nn.Linear]
    assert feed_forward(4, 6, dropout=0.3)[2].p == 0.3


def test_a_feed_forward_network_without_bias_maps_zero_to_zero():
    assert not feed_forward(4, 6, bias=False)(torch.zeros(1, 4)).any()
    assert feed_forward(4, 6)(torch.zeros(1, 4)).any()


def test_swiglu_is_the_paper_s_formula():
    network = SwiGLU(4, 6).double()
    x = torch.randn(5, 4, dtype=F64)
    gate, up = x @ network.gate.weight.T, x @ network.up.weight.T
    assert_close(network(x), (gate / (1 + (-gate).exp()) * up) @ network.down.weight.T)
    assert [name for name, _ in network.named_parameters()] == ["gate.weight", "up.weight", "down.weight"]


def test_swiglu_may_have_a_bias_and_drops_hidden_channels_in_training():
    network = SwiGLU(4, 6, dropout=0.9, bias=True)
    x = torch.randn(50, 4)
    assert network.gate.bias is not None
    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))
