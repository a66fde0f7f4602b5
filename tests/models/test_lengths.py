"""Every model of sequences and images gives each graph of a batch what it gives it alone, whatever stands beside it."""

import pickle
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch.testing import assert_close
from torch_geometric.data import Batch, Data

from graphattn import models
from graphattn.data.images import patches, pixels
from graphattn.data.sequences import question, sequence
from graphattn.models import (
    AllPlaces,
    ConvNet,
    Decoder,
    EachNode,
    Encoder,
    FeatureEmbedding,
    FirstNode,
    Hub,
    LastNode,
    MixerNet,
    PerceiverNet,
    Seq2Seq,
    TokenEmbedding,
    ViT,
    of_edges,
)
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Full, Window, read_sizes
from graphattn.zoo import SelfAttention

LENGTHS = [5, 1, 7, 2, 5]
POSITIONAL = {
    "nowhere": models.NOWHERE,
    "sinusoids": models.sinusoids(),
    "learned": models.learned(16),
    "rotary": models.rotary(),
    "relative": models.relative(3),
    "alibi": models.alibi(),
    "t5": models.t5(),
}
ON_GRIDS = {
    "grid_sinusoids": models.grid_sinusoids((4, 4)),
    "axial_rotary": models.axial_rotary((4, 4)),
    "grid_bias": models.grid_bias((4, 4)),
}
GRAPHS = {"full": Full, "causal": Causal, "window": partial(Window, radius=1)}


def texts(lengths=LENGTHS):
    return [sequence(torch.randint(9, (length,))) for length in lengths]


def images(radius=0):
    return patches(torch.rand(4, 1, 8, 8, dtype=torch.float64), 2, radius=radius)


def told(name):
    return {**POSITIONAL, **ON_GRIDS}[name]


def tokens():
    return TokenEmbedding(9, channels=8)


def batched(graphs):
    return Batch.from_data_list(graphs)


def assert_batched_is_alone(model, graphs):
    model = model.double().eval()
    together = model(batched(graphs))
    assert_close(together, torch.cat([model(batched([graph])) for graph in graphs]), rtol=1e-9, atol=1e-9)
    return together


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("positional", POSITIONAL)
def test_encoder(positional, graph):
    model = Encoder(tokens(), 3, heads=2, positional=POSITIONAL[positional], graph=GRAPHS[graph])
    assert assert_batched_is_alone(model, texts()).shape == (5, 3)


@pytest.mark.parametrize("readout", [EachNode, FirstNode, Hub, LastNode])
def test_encoder_with_other_readouts(readout):
    out = assert_batched_is_alone(Encoder(tokens(), 3, heads=2, readout=readout), texts())
    assert len(out) == (sum(LENGTHS) if readout is EachNode else 5)


@pytest.mark.parametrize("positional", ON_GRIDS)
def test_encoder_of_patches(positional):
    assert_batched_is_alone(Encoder(FeatureEmbedding(4, 8), 3, heads=2, positional=ON_GRIDS[positional]), images())


@pytest.mark.parametrize("positional", ["nowhere", "learned", "rotary", "relative", "alibi", *ON_GRIDS])
@pytest.mark.parametrize("graph", [Full, of_edges])
def test_vit_of_whole_images_and_of_some_patches(positional, graph):
    graphs = images(radius=1)
    graphs[1] = graphs[1].subgraph(torch.tensor([0, 1, 5, 15]))
    model = ViT(4, 3, channels=8, heads=2, positional=told(positional), graph=graph)
    assert assert_batched_is_alone(model, graphs).shape == (4, 3)


@pytest.mark.parametrize("positional", ["learned", "rotary", "relative", "alibi", "t5", *ON_GRIDS])
def test_patches_stand_where_they_stood_when_others_are_gone(positional):
    """As in the whole image where nobody hears the others."""
    model = Encoder(FeatureEmbedding(4, 8), 3, heads=2, positional=told(positional), readout=EachNode).double()
    for name, table in model.named_parameters():
        if "table" in name:
            torch.nn.init.normal_(table)
    (whole, *_), left = images(), torch.tensor([1, 4, 6, 15])
    some = whole.subgraph(left)
    model.graph = of_edges
    whole.edge_index = left[Full([4]).edge_index()]
    truth = model(whole)[left]
    model.graph = Full
    assert_close(model(some), truth, rtol=1e-9, atol=1e-9)
    if positional != "alibi":  # its slopes are small
        del some.place
        assert (model(some) - truth).abs().max() > 1e-4


def test_no_bias_is_about_the_class_node():
    model = ViT(4, 3, channels=8, heads=2, layers=1, positional=models.grid_bias((4, 4))).double()
    (layer,) = model.trunk.blocks[0].layers
    torch.nn.init.ones_(layer.message_function.edge_bias.term.table)
    given = []
    layer.register_forward_pre_hook(lambda _, inputs, __: given.extend(inputs[1:3]), with_kwargs=True)
    model(batched(images()[:2]))
    bias = layer.message_function.edge_bias.on_edges(*given)
    about = (torch.stack([*given[0].edge_index()]) % 17 == 16).any(0)
    assert about.sum() == 2 * 33
    assert torch.equal(bias[:, 0] == 0, about)


def test_terms_of_places_are_the_same_by_all_backends():
    place = torch.tensor([3, 0, -1, 2, 15, 7])
    for positional in (models.relative(2), models.grid_bias((4, 4))):
        layer = SelfAttention(8, heads=2, edge_bias=positional.edge_bias(2)).double()
        x, edge = torch.randn(6, 8, dtype=torch.float64), {"place": place}
        assert "dense" in assert_backends_agree(layer, x, Full([2, 1, 3]), edge)
        assert "csr" in assert_backends_agree(layer, x, Full([2, 1, 3]).as_edges(), edge)


@pytest.mark.parametrize("positional", POSITIONAL)
def test_decoder(positional):
    assert_batched_is_alone(Decoder(tokens(), heads=2, positional=POSITIONAL[positional]), texts())


def test_seq2seq():
    graphs = [question(torch.randint(9, (n,)), torch.randint(9, (8 - n,)), 0, 1) for n in LENGTHS]
    assert_batched_is_alone(Seq2Seq(tokens(), tokens(), heads=2), graphs)


def test_conv_net():
    graphs = pixels(torch.rand(3, 2, 6, 4, dtype=torch.float64))
    assert_batched_is_alone(ConvNet((6, 4), 2, 3, widths=(4, 5), hidden=6), graphs)


def test_mixer_net():
    assert_batched_is_alone(MixerNet(tokens(), 3, places=7), texts())


@pytest.mark.parametrize("positional", ["nowhere", "sinusoids", "learned"])
def test_perceiver_net(positional):
    model = PerceiverNet(tokens(), 3, hubs=2, heads=2, positional=POSITIONAL[positional])
    assert_batched_is_alone(model, texts())


MODELS = {
    "Encoder": lambda: Encoder(tokens(), 3, heads=2, positional=models.learned(16), readout=Hub),
    "Decoder": lambda: Decoder(tokens(), heads=2, positional=models.relative(4)),
    "MixerNet": lambda: MixerNet(tokens(), 3, places=7),
    "PerceiverNet": lambda: PerceiverNet(tokens(), 3, hubs=2, heads=2),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns_and_is_drawn_anew(name):
    model = MODELS[name]().double()
    model(batched(texts())).sin().sum().backward()
    silent = [key for key, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    # A bias of keys moves all scores of a receiver alike.
    assert [key for key in silent if not key.endswith("key.bias")] == []
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.reset_parameters()
    drawn = [key for key, value in model.named_parameters() if value.dim() > 1]
    assert [key for key in drawn if torch.equal(before[key], model.state_dict()[key])] == []


@pytest.mark.parametrize("positional", [*POSITIONAL, *ON_GRIDS])
def test_the_trunk_compiles_and_models_are_copied(positional):
    model = Encoder(FeatureEmbedding(4, 8), 3, heads=2, layers=1, positional=told(positional)).double().eval()
    batch = batched(images())
    graph = Full(batch).prepare()
    x, place = torch.randn(64, 8, dtype=torch.float64), batch.place
    compiled = torch.compile(model.trunk, fullgraph=True, backend="eager")
    assert_close(compiled(x, graph, place), model.trunk(x, graph, place), rtol=1e-9, atol=1e-9)
    for copied in (deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(copied(batch), model(batch))


def test_conv_net_is_a_convolutional_network():
    model = ConvNet((6, 4), 2, 3, widths=(4, 5), hidden=6).double()
    pictures = torch.rand(3, 2, 6, 4, dtype=torch.float64)
    x = pictures
    for layer in model.convolutions:
        weight = layer.message_function.weight.weight
        x = torch.nn.functional.conv2d(x, weight, layer.update_function.bias, padding=1)
        x = torch.nn.functional.max_pool2d(x.relu(), 2)
    truth = model.head(x.flatten(2).transpose(1, 2).flatten(1))
    assert_close(model(batched(pixels(pictures))), truth, rtol=1e-9, atol=1e-9)


def test_shifted_images_make_shifted_states_where_borders_touch():
    model = ConvNet((6, 4), 1, 3, widths=(4,), hidden=6, wrap=True).double()
    picture = torch.rand(1, 1, 6, 4, dtype=torch.float64)
    one, other = (model.states(batched(pixels(each))).view(6, 4, 4) for each in (picture, picture.roll((2, 1), (2, 3))))
    assert_close(other, one.roll((2, 1), (0, 1)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("positional", POSITIONAL)
def test_only_positions_tell_the_order(positional):
    model = Encoder(tokens(), 3, heads=2, positional=POSITIONAL[positional], readout=EachNode).double()
    if positional == "relative":
        torch.nn.init.normal_(model.trunk.blocks[0].layers[0].message_function.edge_bias.term.table)
    text, order = torch.randint(9, (7,)), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    difference = (model(sequence(text[order])) - model(sequence(text))[order]).abs().max()
    assert (float(difference.detach()) < 1e-12) == (positional == "nowhere")


def test_tokens_and_places_beyond_the_tables_are_refused():
    model = Encoder(tokens(), 3, heads=2, positional=models.learned(4))
    with pytest.raises(ValueError, match="expected places from 0 to 3, got 0 to 4"):
        model(sequence([1] * 5))
    for token in (9, -1):
        with pytest.raises(ValueError, match=f"expected tokens from 0 to 8, got {min(token, 3)} to {max(token, 3)}"):
            model(sequence([3, token]))
    assert model(sequence([])).shape == (1, 3)


def test_places_drawn_anew_are_small():
    model = Encoder(tokens(), 3, heads=2, positional=models.learned(500))
    for _ in range(2):
        assert 0.015 < model.trunk.added.table.weight.std() < 0.025
        model.reset_parameters()


def test_what_models_are_not_made_for_is_refused():
    with pytest.raises(ValueError, match=r"expected images of 8 pixels a side or more, got 8 x 4"):
        ConvNet((8, 4), 2, 3, widths=(4, 4, 4))
    some = images()[0].subgraph(torch.tensor([0, 2]))
    with pytest.raises(ValueError, match=r"expected nodes at the places 0, 1, ... of their graph, got \[0, 2\]"):
        MixerNet(FeatureEmbedding(4, 8), 3, places=16).double()(some)
    with pytest.raises(ValueError, match="expected one stage or more, got no widths"):
        ConvNet((6, 4), 2, 3, widths=())
    with pytest.raises(ValueError, match=r"expected images of 6 x 4 pixels, got sizes \[20\]"):
        ConvNet((6, 4), 1, 3)(batched(pixels(torch.rand(1, 1, 5, 4))))
    with pytest.raises(ValueError, match=r"expected graphs of 4 nodes, got sizes \[3, 5\]"):
        AllPlaces(4)(torch.rand(8, 2), read_sizes([3, 5]))
    with pytest.raises(ValueError, match=r"expected graphs of 4 nodes, got sizes \[0, 0\]"):
        AllPlaces(4)(torch.rand(0, 2), read_sizes([0, 0]))
    with pytest.raises(ValueError, match=r"expected images of 6 x 4 pixels, got sizes \[0\]"):
        ConvNet((6, 4), 1, 3)(batched([Data(x=torch.rand(0, 1))]))
    assert ConvNet((6, 4), 1, 3)(Data(x=torch.rand(0, 1), ptr=torch.tensor([0]))).shape == (0, 3)
    with pytest.raises(ValueError, match="expected positions that are added to nodes, got Positional"):
        PerceiverNet(tokens(), 3, positional=models.rotary())
    with pytest.raises(ValueError, match="expected embeddings of equal channels, got 8 and 4"):
        Seq2Seq(tokens(), TokenEmbedding(9, 4))
