import torch
from torch import nn

from graphattn.reset import reset


class Scale:
    """What draws its parameters anew, without being a module."""

    drawn = 0

    def reset_parameters(self):
        self.drawn += 1


def test_whatever_has_parameters_draws_them_anew():
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Tanh(), nn.Linear(2, 2)))
    before = [parameter.clone() for parameter in network.parameters()]
    scale = Scale()
    reset(network, scale, None, torch.relu)
    assert scale.drawn == 1
    assert not any(torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))
