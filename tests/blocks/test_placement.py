from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.blocks import (
    Block,
    Chain,
    Residual,
    batch_norm,
    post_norm,
    pre_norm,
    sandwich_norm,
    with_drop_path,
    with_layer_scale,
)
from graphattn.topology import Edges, Full, read_sizes
from graphattn.zoo import GCN, SelfAttention

F64 = torch.float64
SIZES = read_sizes([3, 0, 1, 4, 0])
BATCH = torch.tensor([0, 0, 0, 2, 3, 3, 3, 3])
LOOKING = [
    pyg.GraphNorm,
    pyg.LayerNorm,
    pyg.InstanceNorm,
    lambda channels: pyg.PairNorm(),
    lambda c: pyg.GraphSizeNorm(),
]
NAMES = ["GraphNorm", "LayerNorm", "InstanceNorm", "PairNorm", "GraphSizeNorm"]


def drawn(module):
    """The module in float64, its parameters neither zero nor one."""
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double()


def test_placements_are_their_formulas():
    x, branch = torch.randn(8, 4, dtype=F64), drawn(nn.Linear(4, 4))
    pre, post, sandwich = (drawn(Residual(4, placement=place)) for place in (pre_norm, post_norm, sandwich_norm))
    assert_close(pre(x, branch, SIZES), x + branch(pre.before(x)))
    assert_close(post(x, branch, SIZES), post.outside(x + branch(x)))
    assert_close(sandwich(x, branch, SIZES), x + sandwich.after(branch(sandwich.before(x))))
    names = [[name for name, _ in part.named_parameters()] for part in (pre, post, sandwich)]
    assert names == [
        ["before.weight", "before.bias"],
        ["outside.weight", "outside.bias"],
        ["before.weight", "before.bias", "after.weight", "after.bias"],
    ]


@pytest.mark.parametrize("norm", [nn.LayerNorm, partial(nn.RMSNorm, eps=1e-6), batch_norm, nn.BatchNorm1d])
def test_norms_of_torch_and_batch_norm_take_nodes_alone(norm):
    x, block = torch.randn(8, 4, dtype=F64), Residual(4, norm).double()
    assert_close(block(x, nn.Identity(), SIZES), x + norm(4).double()(x))


@pytest.mark.parametrize("norm", LOOKING, ids=NAMES)
def test_norms_of_pyg_that_look_at_graphs_see_each_graph_alone(norm):
    x, block = torch.randn(8, 4, dtype=F64), drawn(Residual(4, norm))
    theirs = norm(4).double()
    theirs.load_state_dict({name.rpartition(".")[2]: value for name, value in block.state_dict().items()})
    result = block(x, nn.Identity(), SIZES)
    assert_close(result, x + theirs(x, BATCH, 5), rtol=1e-9, atol=1e-9)
    alone = [block(part, nn.Identity(), read_sizes([len(part)])) for part in x.split([3, 1, 4])]
    assert_close(result, torch.cat(alone), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("placement", [pre_norm, post_norm, sandwich_norm])
def test_a_norm_instead_of_what_makes_one_is_refused(placement):
    with pytest.raises(TypeError, match=r"such as nn.LayerNorm, got the module LayerNorm\(\(4,\)"):
        placement(nn.LayerNorm(4), 4)


@given(sizes=st.lists(st.integers(0, 5), max_size=6))
def test_a_chain_looks_at_each_graph_of_any_batch_alone(sizes):
    chain = drawn(Chain(pyg.GraphNorm(3), nn.Tanh()))
    x = torch.randn(sum(sizes), 3, dtype=F64)
    alone = [chain(part, read_sizes([len(part)])) for part in x.split(sizes)] if sizes else [x]
    assert_close(chain(x, read_sizes(sizes)), torch.cat(alone), rtol=1e-9, atol=1e-9)


def test_batch_norm_of_one_node_or_none_takes_the_running_statistics():
    norm = batch_norm(4)
    assert_close(norm(torch.ones(1, 4)), torch.full((1, 4), 1 / (1 + 1e-5) ** 0.5))
    assert norm(torch.ones(0, 4)).shape == (0, 4)


def test_graphs_of_a_block_may_be_told_by_any_of_its_topologies():
    # An edge list without ptr does not know that it is of two graphs; the full graph beside it does.
    x = torch.randn(5, 4, dtype=F64)
    block = drawn(Block([GCN(4, 4), SelfAttention(4)], 4, norm=pyg.GraphNorm, placement=sandwich_norm))
    edges = Edges(torch.tensor([[0, 1, 3], [1, 2, 4]]), 5)
    together = block(x, [edges, Full([3, 2])])
    first = block(x[:3], [Edges(torch.tensor([[0, 1], [1, 2]]), 3), Full([3])])
    assert_close(together[:3], first, rtol=1e-9, atol=1e-9)


def test_layer_scale_and_drop_path_stand_behind_the_branch():
    x = torch.randn(8, 4)
    block = Residual(4, placement=with_drop_path(with_layer_scale(sandwich_norm, 0.5), share=0.5))
    assert [type(part).__name__ for part in block.after.parts] == ["LayerNorm", "LayerScale", "DropPath"]
    assert_close(block.eval()(x, nn.Identity(), SIZES), x + 0.5 * block.after.parts[0](block.before(x)))
    block.train()
    stayed = torch.stack([(block(x, nn.Identity(), SIZES) == x).all(1) for _ in range(20)])
    by_graph = [stayed[:, BATCH.eq(graph)] for graph in (0, 2, 3)]
    assert all(graph.any() and not graph.all() for graph in by_graph)
    assert all(torch.equal(graph.any(1), graph.all(1)) for graph in by_graph)


def test_a_chain_holds_the_parts_of_chains_and_no_identity():
    chain = Chain(nn.Identity(), Chain(nn.ReLU(), pyg.GraphNorm(4)), nn.Tanh())
    assert [type(part).__name__ for part in chain.parts] == ["ReLU", "GraphNorm", "Tanh"]
    x = torch.randn(8, 4)
    assert_close(chain(x, SIZES), chain.parts[1](x.relu(), BATCH, 5).tanh())


def test_a_residual_drops_channels_of_the_branch_and_draws_its_norms_anew():
    block, x = (
        Residual(4, placement=post_norm, norm=lambda channels: nn.LayerNorm(channels), dropout=0.5),
        torch.randn(8, 4),
    )
    assert not torch.equal(block(x, nn.Identity(), SIZES), block(x, nn.Identity(), SIZES))
    drawn(block)
    block.reset_parameters()
    assert torch.equal(block.outside.weight, torch.ones(4, dtype=F64))
