"""Every kind of graph goes the same road: the same functions train, save, load, predict and resume it."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn import GraphClassifier, Line
from graphattn.data.images import patches
from graphattn.data.molecules.smiles import parse_smiles, to_data
from graphattn.models.by_name.features import Features
from graphattn.models.by_name.network import Size, named_network
from graphattn.models.by_name.topologies import Configuration, prepared
from graphattn.training import Interrupted, Recipe, fit
from graphattn.training.module import LearningModule

COUNT = 24
LABELS = [k % 2 for k in range(COUNT)]


def molecules():
    """Rows of a table with a column of SMILES."""
    graphs = [to_data(parse_smiles("C" * (2 + k // 2) + "ON"[k % 2])) for k in range(COUNT)]
    return [Data(x=each["x"], edge_index=each["edge_index"], edge_attr=each["edge_attr"]) for each in graphs]


def images():
    """Patches with their neighbours."""
    return patches(torch.rand(COUNT, 1, 8, 8, generator=torch.Generator().manual_seed(0)), size=2, radius=1)


def tokens():
    """Sequences of unequal length, whose neighbours are joined."""
    return [Data(x=torch.arange(n)[:, None] % 5, edge_index=Line([n]).edge_index()) for n in range(3, 3 + COUNT)]


def tissue():
    """Cells at places in micrometres, each with an area and a type, joined to the nearest three."""
    generator, graphs = torch.Generator().manual_seed(0), []
    for k in range(COUNT):
        pos = 100 * torch.rand(20 + k, 2, generator=generator)
        x = torch.stack([30 + torch.randn(len(pos), generator=generator), (torch.arange(len(pos)) % 3).float()], dim=1)
        graphs.append(Data(x=x, pos=pos, edge_index=knn_edges(pos)))
    return graphs


def knn_edges(pos):
    nearest = torch.cdist(pos, pos).fill_diagonal_(torch.inf).topk(3, largest=False).indices
    return torch.stack([nearest.flatten(), torch.arange(len(pos)).repeat_interleave(3)])


KINDS = (molecules, images, tokens, tissue)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("layer", "topology"), [("edge_attention", "full"), ("gcn", "edges")])
def test_an_estimator_learns_saves_loads_and_predicts(kind, layer, topology, tmp_path):
    graphs = kind()
    model = GraphClassifier(layer=layer, topology=topology, channels=8, layers=1, epochs=2).fit(graphs, LABELS)
    again = GraphClassifier.load(model.save(tmp_path / "model"))
    assert np.array_equal(again.predict_proba(graphs), model.predict_proba(graphs))
    assert again.predict(graphs[:3]).tolist() == model.predict(graphs[:3]).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_training_that_was_interrupted_goes_on_to_the_same_bits(kind, tmp_path, monkeypatch):
    graphs, configuration = kind(), Configuration("attention", "full")
    ready = [
        prepared(data, [configuration]).update({"y": torch.tensor([y])}) for data, y in zip(graphs, LABELS, strict=True)
    ]
    parts, recipe = (ready[:16], ready[16:]), Recipe(epochs=3, batch_size=8, patience=3, average=0.9)

    def network():
        return named_network(configuration, Size(8, 16, depth=1, dropout=0.2), Features.of(ready), outputs=2)

    whole = network()
    curves = fit(whole, *parts, recipe)
    original, waiting = LearningModule.training_step, [True]

    def stop(self, batch, index):
        if waiting and self.global_step == 3:
            waiting.clear()
            raise KeyboardInterrupt
        return original(self, batch, index)

    monkeypatch.setattr(LearningModule, "training_step", stop)
    with pytest.raises(Interrupted):
        fit(network(), *parts, recipe, folder=tmp_path)
    resumed = network()
    assert fit(resumed, *parts, recipe, folder=tmp_path, resume=True).epochs == curves.epochs
    for name, weight in resumed.state_dict().items():
        assert torch.equal(weight, whole.state_dict()[name]), name
