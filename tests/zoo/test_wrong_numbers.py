"""What is no number of channels, heads, kinds or places is refused in words when a layer is made, and not by torch later."""

import re
from functools import partial

import pytest
import torch
from torch import nn

from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.zoo import (
    GAT,
    GCN,
    GIN,
    GINE,
    PNA,
    RGCN,
    CrossAttention,
    EdgeConv,
    GatedGraph,
    GATv2,
    GraphSAGE,
    GraphTransformer,
    GridConv,
    LinearAttention,
    ResGatedGraph,
    SelfAttention,
    TokenMixing,
)

# For every layer what counts, by name, with numbers that it takes; others of its arguments beside them.
COUNTS = {
    SelfAttention: {"channels": 8, "heads": 2},
    LinearAttention: {"channels": 8, "heads": 2},
    CrossAttention: {"senders": 8, "receivers": 4, "heads": 2},
    GCN: {"in_channels": 8, "out_channels": 4},
    GraphSAGE: {"in_channels": 8, "out_channels": 4},
    ResGatedGraph: {"in_channels": 8, "out_channels": 4, "edge_channels": 3},
    GatedGraph: {"channels": 8},
    GraphTransformer: {"in_channels": 8, "out_channels": 4, "heads": 2, "edge_dim": 3},
    GAT: {"in_channels": 8, "out_channels": 4, "heads": 2, "edge_dim": 3},
    GATv2: {"in_channels": 8, "out_channels": 4, "heads": 2, "edge_dim": 3},
    partial(PNA, degrees=torch.tensor([0, 2])): {"in_channels": 8, "out_channels": 4, "edge_channels": 3},
    RGCN: {"in_channels": 8, "out_channels": 4, "relations": 2},
    GridConv: {"in_channels": 8, "out_channels": 4, "kernel_size": 3, "groups": 2},
    TokenMixing: {"places": 4, "receiver_places": 3},
}
CASES = [
    pytest.param(make, counts, name, id=f"{getattr(make, 'func', make).__name__} {name}")
    for make, counts in COUNTS.items()
    for name in counts
]
PAIRED = {GraphSAGE, ResGatedGraph, GraphTransformer, GAT, GATv2, RGCN}


@pytest.mark.parametrize(("make", "counts", "name"), CASES)
def test_other_than_integers_are_refused_by_name_and_value(make, counts, name):
    of = getattr(make, "func", make).__name__
    named = "channels" if name == "in_channels" else name
    for wrong in (4.5, "4", True):
        with pytest.raises(TypeError, match=re.escape(f"expected an integer in {named} of {of}, got {wrong!r}")):
            make(**{**counts, name: wrong})
    for wrong in (0, -2):
        with pytest.raises(ValueError, match=re.escape(f"expected 1 or more in {named} of {of}, got {wrong}")):
            make(**{**counts, name: wrong})
    if name == "kernel_size":  # an axis each
        return
    said = re.escape("(8, 5, 2)")
    with pytest.raises(TypeError, match=f"expected (an integer in|one number of channels).* {of}.*, got {said}"):
        make(**{**counts, name: (8, 5, 2)})


@pytest.mark.parametrize("make", PAIRED, ids=lambda make: make.__name__)
def test_each_of_two_numbers_is_looked_at(make):
    for wrong in ((8, 4.5), ("8", 4)):
        with pytest.raises(TypeError, match=f"expected an integer in channels of {make.__name__}, got"):
            make(**{**COUNTS[make], "in_channels": wrong})
    with pytest.raises(ValueError, match=f"expected 1 or more in channels of {make.__name__}, got 0"):
        make(**{**COUNTS[make], "in_channels": (8, 0)})


@pytest.mark.parametrize("make", [GIN, GINE, EdgeConv])
def test_what_is_no_network_is_refused(make):
    with pytest.raises(
        TypeError, match=re.escape(f"expected a network for {make.__name__}, a torch.nn.Module, got (8, 5)")
    ):
        make((8, 5), 4)


@pytest.mark.parametrize(
    ("heads", "kind", "said"),
    [
        (Heads(0, 4), ValueError, "expected 1 or more in number of Heads, got 0"),
        (Heads(2, 4.5), TypeError, "expected an integer in channels of Heads, got 4.5"),
        (Heads(2, 4, shared=0), ValueError, "expected 1 or more in shared of Heads, got 0"),
        (Heads(2, 4, value_channels="3"), TypeError, "expected an integer in value_channels of Heads, got '3'"),
    ],
)
def test_heads_are_looked_at(heads, kind, said):
    with pytest.raises(kind, match=re.escape(said)):
        Attend(8, heads)
    with pytest.raises(kind, match=re.escape(said)):
        SelfAttention(8, heads)


@pytest.mark.parametrize("part", ["message", "aggregation", "update"])
def test_what_is_no_part_of_a_layer_is_refused(part):
    row = SelfAttention(8)
    parts = {"message": row.message_function, "aggregation": row.aggregation, "update": row.update_function}
    with pytest.raises(TypeError, match=f"expected {part} to be one of graphattn.{part}, got 4"):
        GraphLayer(**{**parts, part: 4})
    with pytest.raises(TypeError, match=r"expected aggregation to be one of graphattn.aggregation, got 'max'"):
        EdgeConv(nn.Linear(16, 4), "max")


def test_integers_of_other_libraries_count():
    sixteen = torch.tensor(16)
    assert GAT(sixteen, 4)(torch.randn(3, 16), torch.tensor([[0], [1]])).shape == (3, 4)
    assert GridConv(4, 4, (3, 3)).message_function.weight.kernel_size == (3, 3)
