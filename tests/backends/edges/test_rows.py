"""Networks as lists of layers: in that order, they are the network."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric.nn import MLP, BatchNorm, Linear

from graphattn.backends.edges.rows import is_linear, layers_of


@pytest.mark.parametrize(
    "network",
    [
        nn.Linear(8, 4),
        nn.Sequential(nn.Linear(8, 6), nn.Sequential(nn.GELU(), nn.Identity()), nn.Dropout(0.0), Linear(6, 4)),
        nn.Sequential(nn.Linear(8, 6), nn.Dropout(0.5), nn.LayerNorm(6)).eval(),
        nn.Sequential(nn.Linear(8, 6), BatchNorm(6), nn.ReLU()).eval(),
        MLP([8, 6, 4], norm=None),
        MLP([8, 6, 4], norm=None, act=None, plain_last=False),
        MLP([8, 6, 5, 4], act="tanh", act_first=True, dropout=0.5).eval(),
        MLP([8, 6, 4], plain_last=False).eval(),
    ],
)
def test_layers_one_behind_the_other_are_the_network(network):
    layers, reasons = layers_of(network)
    assert reasons == []
    assert not any(isinstance(layer, nn.Dropout | nn.Identity) for layer in layers)
    x = torch.randn(5, 8)
    assert_close(nn.Sequential(*layers)(x), network(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("network", "reasons"),
    [
        (torch.tanh, ["needs a network of layers, got builtin_function_or_method"]),
        (MLP([8, 6, 4], norm=None, dropout=0.5), ["needs layers that treat each edge on its own, got MLP"]),
        (
            MLP([8, 6, 4], norm="layer_norm"),  # PyG's normalises over all rows
            ["needs layers that treat each edge on its own, got LayerNorm"],
        ),
        (
            nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4, track_running_stats=False)).eval(),
            ["needs layers that treat each edge on its own, got BatchNorm1d"],
        ),
        (nn.Sequential(), ["needs a network that begins with a linear map, got Sequential"]),
    ],
)
def test_what_has_no_layers_by_row(network, reasons):
    found = layers_of(network)[1]
    assert [reason for reason in found if "begins" not in reason or "begins" in reasons[0]] == reasons


def test_a_hook_and_a_linear_map_of_ones_own_are_seen():
    class Mine(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1

    assert not is_linear(Mine(8, 4))
    network = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    network[1].register_forward_pre_hook(lambda *_: None)
    assert layers_of(network)[1] == ["needs a network without hooks"]
