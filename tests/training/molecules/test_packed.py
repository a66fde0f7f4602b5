import json
import re

import pytest
import torch
from sklearn.preprocessing import QuantileTransformer
from torch_geometric.data import Batch

from graphattn.training.molecules.packed import Packed, Standardiser, raw_descriptors


def test_batch_equals_pyg_collation(make_graphs):
    graphs = make_graphs(12, targets=2, descriptors=3)
    order = [5, 1, 0, 9, 1]
    batch = Packed.of(graphs, Standardiser.of(raw_descriptors(graphs)))[order]
    expected = Batch.from_data_list([graphs[i] for i in order])
    for name in ("x", "edge_index", "edge_attr", "random_walk", "distance", "ptr", "batch", "y"):
        assert torch.equal(batch[name], expected[name]), name
    assert batch.num_graphs == 5
    assert batch.descriptors.shape == (5, 3)
    assert isinstance(batch, Batch)


def test_batch_without_labels_and_descriptors(make_graphs):
    graphs = make_graphs(3)
    for graph in graphs:
        del graph.y
    batch = Packed.of(graphs)[[2]]
    assert "y" not in batch
    assert "descriptors" not in batch


def test_no_graphs_are_refused():
    with pytest.raises(ValueError, match="expected at least one graph, got 0"):
        Packed.of([])


def test_descriptors_missing_in_one_graph_are_named(make_graphs):
    graphs = make_graphs(4, descriptors=2)
    del graphs[2].descriptors
    with pytest.raises(ValueError, match="the graph at position 2 has none"):
        Packed.of(graphs, Standardiser(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.zeros(2), torch.ones(2)))


def test_standardiser_gives_standardised_normal_scores_of_the_training_part():
    raw = torch.cat([torch.randn(500, 1).exp(), torch.poisson(torch.full((500, 1), 0.3))], dim=1)
    scores = Standardiser.of(raw)(raw).double()
    truth = QuantileTransformer(n_quantiles=32, output_distribution="normal").fit_transform(raw.double().numpy())
    truth = torch.from_numpy(truth).clamp(-3, 3)
    assert torch.allclose(scores, (truth - truth.mean(0)) / truth.std(0, correction=0), atol=1e-5)
    assert torch.allclose(scores.mean(0), torch.zeros(2, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(scores.std(0, correction=0), torch.ones(2, dtype=torch.float64), atol=1e-6)


def test_standardiser_sets_missing_values_constants_and_outliers_to_rest():
    nan, inf = float("nan"), float("inf")
    raw = torch.tensor([[1.0, 5.0, 1e38, nan], [3.0, 5.0, inf, nan], [nan, 5.0, 3e38, inf]])
    fitted = Standardiser.of(raw)
    scaled = fitted(torch.tensor([[2.0, 5.0, 2e38, 7.0], [-1e9, 7.0, nan, nan]]))
    assert scaled.tolist() == [pytest.approx([0.0, 0.0, 0.0, 0.0], abs=1e-6), pytest.approx([-1.0, 0.0, 0.0, 0.0])]
    assert fitted(torch.empty(0, 4)).shape == (0, 4)


def test_standardiser_survives_json():
    raw = torch.randn(100, 3) * torch.tensor([1e-7, 1.0, 1e12])
    fitted = Standardiser.of(raw)
    again = Standardiser.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert torch.equal(again.knots, fitted.knots)
    assert torch.equal(again(raw), fitted(raw))


def test_standardiser_refuses_another_width():
    with pytest.raises(ValueError, match=re.escape("expected 2 descriptors per molecule, as in training; got 3")):
        Standardiser(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.zeros(2), torch.ones(2))(torch.zeros(1, 3))
