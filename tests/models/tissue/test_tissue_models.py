"""The models of tissue by name: what holds for all, and each beside its formula or PyG's layer."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import AttentionalAggregation, PNAConv

from graphattn.convert import from_torch
from graphattn.explain import feature_shares
from graphattn.models import (
    TISSUE_MODELS,
    EachNode,
    EdgeFeatures,
    FeatureEmbedding,
    GatedAttention,
    GlandGraph,
    Network,
    SlideGraph,
    TissueInputs,
    TissueTransformer,
)
from graphattn.models.parts.jumping import Jumping
from graphattn.models.tissue.table import LARGE
from graphattn.topology import Full, Star, read_sizes

NAMES = list(TISSUE_MODELS)


def slide(size, seed=0, degree=4):
    draw = torch.Generator().manual_seed(seed)
    sender = torch.randint(0, max(size, 1), (degree * size,), generator=draw)
    edges = torch.stack([sender, torch.arange(size).repeat_interleave(degree)])
    edges = edges[:, edges[0] != edges[1]]
    x = 3 + 5 * torch.randn(size, 5, generator=draw).double()
    around = torch.randn(edges.size(1), 3, generator=draw).double() * 20
    return Data(x=x, edge_index=edges, edge_attr=around, num_nodes=size)


SLIDES = [slide(7, 1), slide(1, 2), slide(12, 3), slide(3, 4)]


def made(name, outputs=2, level="graph"):
    torch.manual_seed(0)
    model = TISSUE_MODELS[name](TissueInputs.of(SLIDES), outputs, level, 16).double()
    model.train()
    model(Batch.from_data_list(SLIDES))  # moves the statistics of norms that have some
    return model.eval()


def moved(graph, seed=5):
    """The same slide with its nodes and its edges in another order, and the order of its nodes."""
    draw = torch.Generator().manual_seed(seed)
    order, edges = (torch.randperm(n, generator=draw) for n in (graph.num_nodes, graph.num_edges))
    index = order.argsort()[graph.edge_index][:, edges]
    return Data(x=graph.x[order], edge_index=index, edge_attr=graph.edge_attr[edges]), order


@pytest.mark.parametrize("level", ["graph", "node"])
@pytest.mark.parametrize("name", NAMES)
def test_slides_in_a_batch_are_what_they_are_alone_and_in_any_order(name, level):
    model, batch = made(name, level=level), Batch.from_data_list(SLIDES)
    alone = [model(graph) for graph in SLIDES]
    torch.testing.assert_close(model(batch), torch.cat(alone), rtol=0, atol=1e-12)
    other, order = moved(SLIDES[2])
    expected = alone[2] if level == "graph" else alone[2][order]
    torch.testing.assert_close(model(other), expected, rtol=0, atol=1e-12)
    assert alone[2].dtype == torch.float64


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_of_the_scores_of_nodes_is_the_score_of_the_slide(name):
    model, batch = made(name), Batch.from_data_list(SLIDES)
    means = torch.stack([part.mean(0) for part in model.node_scores(batch).split([7, 1, 12, 3])])
    torch.testing.assert_close(model(batch), means, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_slides_without_nodes_or_edges_and_empty_ones_at_the_end(name):
    bare = Data(x=SLIDES[0].x, edge_index=torch.empty(2, 0).long(), edge_attr=torch.empty(0, 3).double())
    bare.num_nodes = 7
    model, graphs = made(name), [slide(0), SLIDES[0], bare, slide(0)]
    found = model(Batch.from_data_list(graphs))
    assert found.isfinite().all()
    torch.testing.assert_close(found, torch.cat([model(graph) for graph in graphs]), rtol=0, atol=1e-12)
    torch.testing.assert_close(found[0], found[3], rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter_and_drawing_anew_changes_all_scores(name):
    model, batch = made(name, level="node"), Batch.from_data_list(SLIDES)
    model(batch).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    before = model(batch)
    torch.manual_seed(1)
    model.reset_parameters()
    assert (model(batch) != before).all()


def test_edges_and_their_features_are_heard_by_all_but_the_control():
    graph = SLIDES[2]
    turned = graph.clone()
    turned.edge_attr = graph.edge_attr.flip(1)
    rewired = graph.clone()
    rewired.edge_index = torch.stack([graph.edge_index[0].roll(3), graph.edge_index[1]])
    heard = {
        name: [not torch.allclose(made(name)(graph), made(name)(other), atol=1e-9) for other in (turned, rewired)]
        for name in NAMES
    }
    assert heard == {
        "slide_graph": [False, True],
        "gland_graph": [True, True],
        "tissue_transformer": [True, True],
        "attention_mil": [False, False],
    }


def test_slides_without_features_of_edges():
    plain = [Data(x=graph.x.float(), edge_index=graph.edge_index) for graph in SLIDES]
    inputs = TissueInputs.of(plain)
    assert inputs.features.edges is None
    for name in NAMES:
        assert TISSUE_MODELS[name](inputs, 3, "graph", 16).eval()(plain[0]).shape == (1, 3)


def test_inputs_are_those_of_the_training_graphs_without_places():
    graphs = [Data(x=torch.tensor([[1.0], [3.0]]), pos=torch.rand(2, 2), edge_index=torch.tensor([[0, 0], [1, 1]]))]
    inputs = TissueInputs.of([*graphs, Data(x=torch.zeros(3, 1), pos=torch.rand(3, 2))])
    assert inputs.degrees == (1, 0, 1)
    assert (inputs.largest, inputs.features.places) == (3, 0)
    assert TissueInputs.of([Data(x=torch.zeros(3, 1), edge_index=torch.empty(2, 0).long())]).degrees == (0, 1)


def test_models_are_built_without_weights_for_those_of_a_file():
    inputs = TissueInputs.of(SLIDES)
    with torch.device("meta"):
        empty = [TISSUE_MODELS[name](inputs, 2, "graph", 16) for name in NAMES]
    assert all(weight.is_meta for model in empty for weight in model.parameters())


def test_places_in_the_slide_are_not_read():
    placed = [Data(x=graph.x.float(), pos=torch.rand(7, 2), edge_index=graph.edge_index) for graph in SLIDES[:1]]
    for name in NAMES:
        model = TISSUE_MODELS[name](TissueInputs.of(placed), 2, "graph", 16).eval()
        before = model(placed[0])
        placed[0].pos = torch.rand(7, 2)
        assert torch.equal(model(placed[0]), before)


def test_attention_to_all_cells_is_linear_where_slides_are_large():
    inputs = TissueInputs.of(SLIDES)
    found = []
    for largest in (LARGE, LARGE + 1):
        model = TISSUE_MODELS["tissue_transformer"](inputs._replace(largest=largest), 2, "graph", 16)
        found.append([block.both.attention.name for block in model.trunk.blocks])
    assert found == [["SelfAttention"] * 2, ["LinearAttention"] * 2]


def test_local_attention_is_a_softmax_with_a_bias_of_distance_and_direction():
    torch.manual_seed(0)
    edges = EdgeFeatures(TissueInputs.of(SLIDES).features.edges, channels=4)
    model = TissueTransformer(FeatureEmbedding(5, 8), outputs=1, heads=2, layers=1, edges=edges).double().eval()
    layer, graph = model.trunk.blocks[0].both.local, SLIDES[2]
    x = model.embedding(graph)
    found = layer(x, graph.edge_index, edges(graph, Full([12])))
    message, (sender, receiver) = layer.message_function, graph.edge_index
    query, key, value = (part(x).view(12, 2, 4) for part in (message.query, message.key, message.value))
    around = (graph.edge_attr - edges.encoder.mean) / edges.encoder.deviation
    bias = nn.functional.gelu(edges.encoder.map(around)) @ message.edge_bias.linear.weight.T
    score = ((query[receiver] * key[sender]).sum(-1) / 2 + bias).exp()
    heard = torch.stack(
        [(score[receiver == i, :, None] * value[sender[receiver == i]]).sum(0) for i in range(12)]
    ) / torch.stack([score[receiver == i].sum(0) for i in range(12)]).unsqueeze(-1)
    torch.testing.assert_close(found, layer.update_function.linear(heard.flatten(1)), rtol=0, atol=1e-10)


def test_gated_attention_is_its_formula_and_pygs():
    torch.manual_seed(0)
    pooling, x, sizes = GatedAttention(5, heads=1).double(), torch.randn(9, 5).double(), read_sizes([4, 0, 5, 0])
    gate = pooling.layer.message_function.score
    score = (torch.tanh(x @ gate.state.weight.T + gate.state.bias)) * torch.sigmoid(
        x @ gate.gate.weight.T + gate.gate.bias
    )
    score = score @ gate.score.weight[0]
    expected = torch.zeros(4, 5).double()
    for graph, (start, end) in enumerate([(0, 4), (4, 4), (4, 9), (9, 9)]):
        weight = score[start:end].exp() / score[start:end].exp().sum()
        expected[graph] = (weight[:, None] * x[start:end]).sum(0)
    torch.testing.assert_close(pooling(x, sizes), expected, rtol=0, atol=1e-12)
    theirs = AttentionalAggregation(gate)(x, ptr=sizes.ptr, dim_size=4)
    torch.testing.assert_close(pooling(x, sizes), theirs, rtol=0, atol=1e-12)
    one = torch.autograd.grad(pooling(x.requires_grad_(), sizes).square().sum(), x)
    other = torch.autograd.grad(AttentionalAggregation(gate)(x, ptr=sizes.ptr, dim_size=4).square().sum(), x)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_layers_of_gland_graph_are_pygs():
    torch.manual_seed(0)
    inputs = TissueInputs.of(SLIDES)
    edges, degrees, graph = EdgeFeatures(inputs.features.edges, 4), torch.tensor(inputs.degrees), SLIDES[2]
    model = GlandGraph(FeatureEmbedding(5, 12), 2, degrees, edges=edges).double()
    aggregators, scalers = ["min", "max", "mean", "std"], ["identity", "amplification", "attenuation"]
    x, around = torch.randn(12, 12).double().requires_grad_(), edges(graph, Full([12]))["edge_attr"].detach()
    for block in model.trunk.blocks:
        theirs = PNAConv(12, 12, aggregators, scalers, degrees, edge_dim=4).double()
        block.layer.load_state_dict(from_torch(theirs).state_dict())
        found, expected = block.layer(x, graph.edge_index, around), theirs(x, graph.edge_index, around)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
        grads = [torch.autograd.grad(each.square().sum(), x)[0] for each in (found, expected)]
        torch.testing.assert_close(*grads, rtol=0, atol=1e-8)


def test_shares_of_features_add_up_to_the_score_and_are_exact_for_a_linear_model():
    graph, baseline = SLIDES[0], torch.linspace(-1, 1, 5).double()
    weight = torch.tensor([[2.0, -1.0, 0.0, 0.5, 3.0]]).double()

    class Linear(nn.Module):
        def forward(self, data):
            return (data.x @ weight.T).sum(0, keepdim=True)

    found = feature_shares(Linear(), graph, baseline, steps=1)
    torch.testing.assert_close(found, ((graph.x - baseline) * weight).sum(0, keepdim=True), rtol=0, atol=1e-12)
    model, batch = made("gland_graph"), Batch.from_data_list(SLIDES)
    ordinary = batch.clone()
    ordinary.x = baseline.expand_as(batch.x).clone()
    shares = feature_shares(model, batch, baseline, output=1, steps=128)
    gained = model(batch)[:, 1] - model(ordinary)[:, 1]
    torch.testing.assert_close(shares.sum(1), gained, rtol=0, atol=0.01 * float(gained.abs().max().detach()))
    assert shares.shape == (4, 5)


def test_a_baseline_of_other_features_is_refused():
    with pytest.raises(ValueError, match=r"expected a baseline of \[5\] features, got \[4\]"):
        feature_shares(made("attention_mil"), SLIDES[0], torch.zeros(4))


@pytest.mark.parametrize(
    ("head", "readout", "got"),
    [
        (nn.Sequential(nn.Linear(8, 2)), GatedAttention(8, 1), "Sequential on GatedAttention"),
        (nn.Linear(8, 2), EachNode(8, 1), "Linear on EachNode"),
    ],
)
def test_scores_of_nodes_need_a_linear_head_on_a_mean(head, readout, got):
    model = Network(FeatureEmbedding(5, 8), Jumping([], 8, 8), readout, head, Full)
    with pytest.raises(ValueError, match=f"a weighted mean of nodes, .*, for scores of nodes, got {got}"):
        model.node_scores(SLIDES[0])


def test_a_node_of_slide_graph_is_read_for_itself():
    torch.manual_seed(0)
    model = SlideGraph(FeatureEmbedding(5, 8), 2, dropout=0.0, readout=EachNode).double().eval()
    torch.testing.assert_close(model(SLIDES[0]), model.node_scores(SLIDES[0]), rtol=0, atol=1e-12)


def test_gated_weights_are_those_of_the_star():
    torch.manual_seed(0)
    pooling, x = GatedAttention(5, heads=1), torch.randn(7, 5)
    weights = pooling.layer.attention((x, None), Star([4, 3]))
    torch.testing.assert_close(weights[:4].sum(), torch.tensor(1.0))
    assert pooling.layer.explain is False
