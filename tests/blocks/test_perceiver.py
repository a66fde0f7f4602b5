import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.blocks import Perceiver
from graphattn.topology import Full, Star

F64 = torch.float64


def literal(x, latent, parts):
    """One graph, with torch's attention: hear the inputs, then each other, with a network behind each."""
    cross, own, norms, networks = parts
    nodes = norms[0](x)
    z = latent + cross(norms[1](latent)[None], nodes[None], nodes[None])[0][0]
    z = z + networks[0](norms[2](z))
    hubs = norms[3](z)[None]
    z = z + own(hubs, hubs, hubs)[0][0]
    return z + networks[1](norms[4](z))


def paired(twin, block):
    """Torch's modules, in the order of `literal`, with the same parameters."""
    cross = nn.MultiheadAttention(8, 2, kdim=3, vdim=3, batch_first=True, dtype=F64)
    own = nn.MultiheadAttention(8, 2, batch_first=True, dtype=F64)
    norms = nn.ModuleList([nn.LayerNorm(channels, dtype=F64) for channels in (3, 8, 8, 8, 8)])
    networks = nn.ModuleList(
        nn.Sequential(nn.Linear(8, 32, dtype=F64), nn.GELU(), nn.Linear(32, 8, dtype=F64)) for _ in range(2)
    )
    last = block.blocks[0]
    twin.attention(cross, block.cross_attention)
    twin.attention(own, last.layers[0])
    around = (block.norm_of_nodes, block.around_cross_attention, block.around_mlp)
    twin.module(norms, nn.ModuleList([*around, last.norm_before_layers, last.norm_before_mlp]))
    twin.module(networks, nn.ModuleList([block.mlp, last.mlp]))
    twin.copy()
    return cross, own, norms, networks


def test_a_perceiver_hears_its_inputs_and_then_itself_as_in_the_paper(twin):
    block = Perceiver(8, hubs=3, heads=2, input_channels=3).double()
    parts = paired(twin, block)
    x = torch.randn(9, 3, dtype=F64, requires_grad=True)
    truth = torch.cat([literal(part, block.latent, parts) for part in x.split([5, 1, 3])])
    twin.assert_equal(block(x, Star([5, 1, 3], hubs=3)), truth, x, block.latent)


def test_latents_may_go_on_and_share_the_weights(twin):
    block = Perceiver(8, hubs=3, heads=2, input_channels=3).double()
    parts = paired(twin, block)
    x, star, full = torch.randn(4, 3, dtype=F64), Star([4], hubs=3), Full([3])
    once = block(x, star, full)
    truth = literal(x, literal(x, block.latent, parts), parts)
    assert_close(block(x, star, full, once), truth, rtol=1e-9, atol=1e-9)


def test_a_graph_without_nodes_has_latents_that_hear_each_other():
    block = Perceiver(8, hubs=2)
    latents = block(torch.randn(3, 8), Star([0, 3, 0], hubs=2))
    assert torch.isfinite(latents).all()
    assert torch.equal(latents[:2], latents[4:])
    assert not torch.allclose(latents[:2], latents[2:4])


def test_depth_counts_blocks_and_hubs_must_match():
    assert len(Perceiver(8, hubs=2, depth=3).blocks) == 3
    with pytest.raises(ValueError, match="expected a Star of 2 hubs per graph, got 3"):
        Perceiver(8, hubs=2)(torch.randn(3, 8), Star([3], hubs=3))


def test_latents_are_drawn_anew():
    block = Perceiver(8, hubs=2)
    before = block.latent.clone()
    block.reset_parameters()
    assert not torch.equal(before, block.latent)
    assert block.latent.abs().max() < 0.2
