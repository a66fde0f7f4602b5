import torch
from torch import nn

from graphattn.backends import use_backend
from graphattn.memory import tensors
from graphattn.topology import Edges
from graphattn.zoo import SelfAttention

KIB = 2.0**-10
"""In MiB."""


def test_what_lives_at_once_is_counted_and_what_is_gone_is_not():
    def step():
        first = torch.ones(256)
        second = first + 1
        del first
        return second * 2

    assert tensors(step) == 2 * KIB


def test_views_and_what_was_there_before_cost_nothing():
    there = torch.ones(1 << 10)
    assert tensors(lambda: there.view(2, -1).t().add_(1)) == 0
    assert tensors(lambda: (there.view(2, -1) + 1).t().reshape(2, 512)[:, :3]) == 4 * KIB + 4 * KIB


def test_gradients_are_counted_and_in_every_run_alike():
    layer, x = nn.Linear(16, 16, bias=False), torch.ones(4, 16)

    def step():
        layer.zero_grad()
        layer(x).sum().backward()

    # The sum, its gradient, which is a view where it is expanded, and that of 16 x 16 weights; the result is gone by then.
    assert tensors(step) == (16 * 16 + 2) * 4 / 2**20
    layer.zero_grad()
    assert tensors(step) == tensors(step)


def test_kernels_are_seen_from_outside():
    torch.manual_seed(0)
    graph, x = Edges(torch.randint(0, 50, (2, 20_000)), 50), torch.randn(50, 128)
    layer, found = SelfAttention(128, 4), {}
    for name in ("csr", "edgewise"):
        with use_backend(name):
            layer(x, graph).sum().backward()
            found[name] = tensors(lambda: layer(x, graph).sum().backward())
    wide = 20_000 * 128 * 4 / 2**20
    assert found["edgewise"] > wide > 4 * found["csr"]
