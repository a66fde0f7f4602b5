import pytest
import torch
from torch.testing import assert_close
from torch_geometric.data import Batch

from graphattn import models
from graphattn.data.images import patches
from graphattn.data.sequences import question, sequence
from graphattn.explain.attention import AttentionMap, attention_maps, entropy, mean_distance, rollout
from graphattn.models import Decoder, Encoder, FeatureEmbedding, PerceiverNet, Seq2Seq, TokenEmbedding, of_edges
from graphattn.topology import Causal, Cross, Edges, Full

TEXTS = [sequence(torch.arange(length)) for length in (4, 1, 6)]


@pytest.fixture
def batch():
    return Batch.from_data_list(TEXTS)


def encoder(**options):
    return Encoder(TokenEmbedding(9, 8), 2, heads=2, layers=3, positional=models.relative(2), **options).double()


@pytest.mark.parametrize("graph", [Full, Causal])
def test_maps_are_what_the_layers_say_themselves(batch, graph):
    model = encoder(graph=graph)
    maps = attention_maps(model, batch)
    assert [each.name for each in maps] == [f"trunk.blocks.{number}.layers.0" for number in range(3)]
    x, place = model.embedding(batch), graph(batch).places()[0]
    for block, each in zip(model.trunk.blocks, maps, strict=True):
        layer, normed = block.layers[0], block.norm_before_layers(x)
        assert_close(each.alpha, layer.attention(normed, graph(batch), position=place).detach())
        x = block(x, graph(batch), position=place)


def test_the_result_is_made_of_the_weights(batch):
    model = encoder()
    maps, layer = attention_maps(model, batch), model.trunk.blocks[0].layers[0]
    normed = model.trunk.blocks[0].norm_before_layers(model.embedding(batch))
    value = layer.message_function.value(normed).view(11, 2, 4)
    alone = maps[0].matrix(2)
    heard = torch.einsum("hij,jhc->ihc", alone, value[5:])
    assert_close(layer.update_function(None, heard), layer(normed, Full(batch))[5:])


def test_weights_of_a_receiver_sum_to_one_in_each_graph_alone(batch):
    for each in attention_maps(encoder(), batch):
        for number, size in enumerate((4, 1, 6)):
            matrix = each.matrix(number)
            assert matrix.shape == (2, size, size)
            assert_close(matrix.sum(-1), torch.ones(2, size, dtype=torch.float64))
    alone = attention_maps(encoder(), Batch.from_data_list(TEXTS[2:]))
    assert alone[0].matrix().shape == (2, 6, 6)


def test_maps_of_every_model():
    texts = Batch.from_data_list(TEXTS)
    images = Batch.from_data_list(patches(torch.rand(2, 1, 4, 4), 2, radius=1))
    asked = Batch.from_data_list([question([5, 6, 7], [8], 0, 1), question([4], [3, 3], 0, 1)])
    embedding = TokenEmbedding(9, 8)
    assert len(attention_maps(Decoder(embedding, heads=2, layers=2), texts)) == 2
    assert len(attention_maps(PerceiverNet(embedding, 3, hubs=2, heads=2), texts)) == 3
    patched = attention_maps(Encoder(FeatureEmbedding(4, 8), 3, heads=2, graph=of_edges, layers=1), images)
    assert isinstance(patched[0].graph, Edges)
    cross = attention_maps(Seq2Seq(embedding, TokenEmbedding(9, 8), heads=2, layers=1), asked)
    assert [type(each.graph) for each in cross] == [Full, Causal, Cross]
    assert cross[2].matrix(1).shape == (2, 3, 1)


def test_the_model_is_left_as_it_was(batch):
    model = encoder(dropout=0.5).train()
    model.trunk.norm.eval()
    modes = [module.training for module in model.modules()]
    before = [attention_maps(model, batch)[2].alpha, attention_maps(model, batch)[2].alpha]
    assert torch.equal(*before)
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_pre_hooks for module in model.modules())
    with pytest.raises(ValueError, match="expected exactly one of source"):
        attention_maps(model, None)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_edges_between_the_same_nodes_add_up():
    graph = Edges(torch.tensor([[0, 0, 1], [1, 1, 0]]))
    matrix = AttentionMap("layer", graph, torch.tensor([[0.25], [0.5], [1.0]])).matrix()
    assert_close(matrix, torch.tensor([[[0.0, 1.0], [0.75, 0.0]]]))
    with pytest.raises(ValueError, match="expected a graph from 0 to 0, got 1"):
        AttentionMap("layer", graph, torch.zeros(3, 1)).matrix(1)


def test_rollout_is_the_product_of_layers_with_what_stays(batch):
    maps = attention_maps(encoder(), batch)
    mixed = [0.5 * each.matrix(2).mean(0) + 0.5 * torch.eye(6) for each in maps]
    assert_close(rollout(maps, 2), mixed[2] @ mixed[1] @ mixed[0])
    assert_close(rollout(maps, 2).sum(1), torch.ones(6, dtype=torch.float64))


def test_a_node_that_hears_nobody_keeps_itself():
    lonely = AttentionMap("layer", Edges(torch.tensor([[0], [1]]), 2), torch.ones(1, 1))
    assert_close(rollout([lonely]), torch.tensor([[1.0, 0.0], [0.5, 0.5]]))


def test_rollout_needs_the_same_nodes():
    with pytest.raises(ValueError, match="got none"):
        rollout([])
    with pytest.raises(ValueError, match="got others in cross"):
        rollout([AttentionMap("cross", Cross([1], [1]), torch.ones(1, 1))])


def test_entropy_is_between_zero_and_the_logarithm_of_the_senders(batch):
    for each in attention_maps(encoder(), batch):
        value = entropy(each)
        assert value.shape == (11, 2)
        assert (value >= 0).all()
        assert (value <= each.graph.degrees().log()[:, None] + 1e-12).all()
    same = AttentionMap("layer", Full([5]), torch.full((25, 1), 0.2))
    assert_close(entropy(same), torch.full((5, 1), 5.0).log())


def test_distance_is_that_of_positions():
    alpha = torch.tensor([[0.0], [1.0], [0.5], [0.5]])
    each = AttentionMap("layer", Full([2]), alpha)
    assert_close(mean_distance(each), torch.tensor([[1.0], [0.5]]))
    assert_close(mean_distance(each, torch.tensor([[0.0, 0.0], [3.0, 4.0]])), torch.tensor([[5.0], [2.5]]))
