import pytest
import torch
from torch.testing import assert_close
from torch_geometric.data import Batch, Data

from graphattn.backends import use_backend
from graphattn.convert import from_torch, from_transformers, patch_graphs
from graphattn.topology import Full

SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture
def make(transformers, stirred):
    def vit(pooling=True, **options):
        options = {"image_size": [8, 12], "patch_size": 4, "num_channels": 2, **options}
        return stirred(transformers.ViTModel(transformers.ViTConfig(**SIZES, **options), add_pooling_layer=pooling))

    return vit


@pytest.mark.parametrize(
    "options",
    [{}, {"patch_size": [2, 6]}, {"qkv_bias": False, "hidden_act": "relu"}, {"pooler_output_size": 5}],
    ids=str,
)
@pytest.mark.parametrize("backend", ["dense", "edgewise"])
def test_images_give_what_vit_gives(make, options, backend):
    original = make(**options)
    network = from_transformers(original)
    pixels = torch.randn(3, 2, 8, 12, dtype=torch.float64)
    truth = original(pixels)
    with use_backend(backend):
        result = network(pixels)
    assert_close(result.last_hidden_state, truth.last_hidden_state, **CLOSE)
    assert_close(result.pooler_output, truth.pooler_output, **CLOSE)
    own = [network.class_node, network.place, network.encoder.blocks[0].mlp[0].weight, network.encoder.norm.bias]
    start = original.embeddings
    other = [start.cls_token, start.position_embeddings, original.layers[0].mlp.fc1.weight, original.layernorm.bias]
    mine = torch.autograd.grad(result.last_hidden_state.sin().sum(), own)
    its = torch.autograd.grad(truth.last_hidden_state.sin().sum(), other)
    for one, another in zip(mine, its, strict=True):
        assert_close(one, another.view_as(one), **CLOSE)


def test_the_first_map_is_a_convolution_on_a_grid(make):
    original = make()
    pixels = torch.randn(2, 2, 8, 12, dtype=torch.float64)
    patches = from_transformers(original).embedding(patch_graphs(pixels, 4).patches)
    convolution = from_torch(original.embeddings.patch_embeddings.projection)
    assert_close(convolution(pixels).flatten(2).transpose(1, 2).flatten(0, 1), patches, **CLOSE)


def test_a_batch_of_patches_gives_what_images_give(make):
    network = from_transformers(make(pooling=False))
    pixels = torch.randn(3, 2, 8, 12, dtype=torch.float64)
    result = network(patch_graphs(pixels, 4)).last_hidden_state
    assert_close(result, network(pixels).last_hidden_state.flatten(0, 1), **CLOSE)
    assert network(pixels).pooler_output is None


def test_images_with_missing_patches_give_in_a_batch_what_they_give_alone(make):
    network = from_transformers(make())
    whole = patch_graphs(torch.randn(3, 2, 8, 12, dtype=torch.float64), (4, 4))
    kept = [torch.tensor([0, 2, 5]), torch.tensor([], dtype=torch.long), torch.arange(6)]
    parts = [
        Data(patches=image.patches[some], place=image.place[some], num_nodes=len(some))
        for image, some in zip(whole.to_data_list(), kept, strict=True)
    ]
    result = network(Batch.from_data_list(parts))
    alone = [network(part) for part in parts]
    assert_close(result.last_hidden_state, torch.cat([each.last_hidden_state for each in alone]), **CLOSE)
    assert_close(result.pooler_output, torch.cat([each.pooler_output for each in alone]), **CLOSE)
    assert result.last_hidden_state.shape == (12, 8)
    assert_close(alone[2].last_hidden_state, network(whole).last_hidden_state[14:], **CLOSE)


def test_a_missing_patch_is_one_that_nobody_hears(make):
    network = from_transformers(make())
    pixels = torch.randn(1, 2, 8, 12, dtype=torch.float64)
    other = pixels.clone()
    other[..., :4, :4] += 1
    parts = [patch_graphs(each, 4).get_example(0) for each in (pixels, other)]
    rest = [network(Data(patches=each.patches[1:], place=each.place[1:], num_nodes=5))[0] for each in parts]
    assert torch.equal(*rest)
    assert not torch.allclose(network(pixels)[0], network(other)[0])


def test_another_graph_may_be_given(make):
    network = from_transformers(make())
    pixels = torch.randn(2, 2, 8, 12, dtype=torch.float64)
    assert torch.equal(network(pixels, graph=Full([7, 7]))[0], network(pixels)[0])
    together = network(pixels, graph=Full([14]))[0]
    assert not torch.allclose(together, network(pixels)[0])


def test_images_and_patches_that_do_not_fit_are_refused(make):
    network = from_transformers(make())
    with pytest.raises(ValueError, match=r"shape \[B, 2, 8, 12\], got \[1, 3, 8, 12\]"):
        network(torch.randn(1, 3, 8, 12))
    with pytest.raises(ValueError, match=r"with patches and place, got \['num_nodes', 'patches'\]"):
        network(Data(patches=torch.randn(1, 32), num_nodes=1))
    with pytest.raises(ValueError, match=r"shape \[N, 32\], got \[1, 31\]"):
        network(Data(patches=torch.randn(1, 31), place=torch.tensor([0]), num_nodes=1))
    with pytest.raises(ValueError, match="places below 6, got 6"):
        network(Data(patches=torch.randn(1, 32), place=torch.tensor([6]), num_nodes=1))


@pytest.mark.parametrize("option", ["hidden_act", "pooler_act"])
def test_what_is_not_supported_is_refused_by_name(make, option):
    with pytest.raises(ValueError, match=f"{option}='gelu' or .* to convert ViTModel, got {option}='quick_gelu'"):
        from_transformers(make(**{option: "quick_gelu"}))


def test_patches_that_are_no_plain_convolution_are_refused_by_where_they_stand(make):
    original = make()
    original.embeddings.patch_embeddings.projection = torch.nn.LazyConv2d(8, 4)
    with pytest.raises(
        TypeError, match=r"Conv2d to convert, got LazyConv2d at embeddings\.patch_embeddings\.projection$"
    ):
        from_transformers(original)
