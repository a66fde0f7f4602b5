"""Whole models by name: built from the features of graphs, refused by name, learned and saved like layers on topologies."""

import json

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphattn.estimators import GraphClassifier, GraphRegressor
from graphattn.models import SlideGraph
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.topologies import Configuration
from graphattn.models.by_name.whole import NamedModel, architecture, network, prepared, read_inputs
from graphattn.models.tissue import TISSUE_MODELS

RING = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
SMALL = {"layer": "slide_graph", "topology": "edges", "channels": 8, "epochs": 30, "learning_rate": 0.03}


def slides(count=24):
    draw = torch.Generator().manual_seed(0)
    graphs = [
        Data(x=torch.randn(4, 3, generator=draw) + k % 2, edge_index=RING, pos=torch.rand(4, 2)) for k in range(count)
    ]
    graphs[1].x[1, 2] = torch.nan
    return graphs


def test_a_name_is_a_model_or_a_layer_on_a_topology():
    assert architecture("slide_graph") == NamedModel("slide_graph", "edges")
    assert architecture("gcn", "full") == Configuration("gcn", "full")


@pytest.mark.parametrize(
    ("layer", "topology", "said"),
    [
        (
            "slide_graph",
            "full",
            "slide_graph is a model on the edges of the data: expected the topology 'edges', got 'full'",
        ),
        ("slidegraph", "edges", "expected layers of attention, .* or a model of slide_graph.*, got slidegraph"),
        ("gcn", "fully", "expected topologies of edges, .* got fully"),
    ],
)
def test_what_is_no_name_is_refused(layer, topology, said):
    with pytest.raises(ValueError, match=said):
        architecture(layer, topology)


@pytest.mark.parametrize("name", TISSUE_MODELS)
def test_models_are_the_same_for_one_seed_and_answer_in_batches_as_alone(name):
    model = NamedModel(name)
    held = [prepared(graph, [model]) for graph in slides(3)]
    inputs = read_inputs(model, held)
    made = [network(model, Size(8, 16), inputs, 2, seed=seed).eval() for seed in (0, 0, 1)]
    out = [each(Batch.from_data_list(held)) for each in made]
    assert out[0].shape == (3, 2)
    assert torch.equal(out[0], out[1])
    assert not torch.equal(out[0], out[2])
    assert torch.allclose(made[0](Batch.from_data_list(held[1:2])), out[0][1:2], atol=1e-6)
    moved = [graph.clone().update({"pos": graph.pos * 3 - 100}) for graph in held]
    assert torch.equal(made[0](Batch.from_data_list(moved)), out[0])


def test_a_whole_model_has_the_layers_asked_for_and_its_own_dropout():
    deep = GraphClassifier(**{**SMALL, "epochs": 1}, layers=3).fit(slides(25)[2:], [0, 1] * 11 + [0])
    assert deep.model_.size.depth == 3
    assert len(deep.model_.network.layers) == 3
    with pytest.raises(ValueError, match=r"slide_graph has its own dropout: expected dropout=0.0, got dropout=0.5"):
        GraphClassifier(**SMALL, dropout=0.5).fit(slides(4), [0, 1, 0, 1])


def test_damaged_descriptions_of_whole_models_are_refused(tmp_path):
    graphs = slides(25)[2:]
    folder = GraphClassifier(**{**SMALL, "epochs": 1}).fit(graphs, [0, 1] * 11 + [0]).save(tmp_path / "model")
    described = json.loads((folder / "model.json").read_text())
    for name, value in (("degrees", [1, -2]), ("largest", "many"), ("degrees", [])):
        (folder / "model.json").write_text(json.dumps(described | {name: value}))
        with pytest.raises(
            ValueError, match="expected counts of nodes by their senders, and of the largest graph, got"
        ):
            GraphClassifier.load(folder, trust=True)


@pytest.mark.parametrize("name", ["slide_graph", "gland_graph"])
def test_the_estimator_learns_with_a_whole_model_and_stores_it(name, tmp_path):
    graphs, labels = slides(25)[2:], np.array(["no", "yes"] * 12)[:23]
    model = GraphClassifier(**{**SMALL, "layer": name}).fit(graphs, labels)
    assert model.score(graphs, labels) > 0.9
    again = GraphClassifier.load(model.save(tmp_path / "model"))
    assert again.get_params() == model.get_params()
    assert np.array_equal(again.predict_proba(graphs), model.predict_proba(graphs))
    assert isinstance(again.model_.network, SlideGraph) is (name == "slide_graph")
    values = GraphRegressor(**{**SMALL, "layer": name, "epochs": 2}).fit(graphs, [float(k % 2) for k in range(23)])
    assert values.predict(graphs).shape == (23,)
