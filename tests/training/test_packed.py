import re

import pytest
import torch
from torch_geometric.data import Batch

from graphattn.training.packed import Packed, Standardiser, raw_descriptors


def test_batch_equals_pyg_collation(make_graphs):
    graphs = make_graphs(12, targets=2, descriptors=3)
    order = [5, 1, 0, 9, 1]
    batch = Packed(graphs, Standardiser.of(raw_descriptors(graphs)))[order]
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
    batch = Packed(graphs)[[2]]
    assert "y" not in batch
    assert "descriptors" not in batch


def test_no_graphs_are_refused():
    with pytest.raises(ValueError, match="expected at least one graph, got 0"):
        Packed([])


def test_descriptors_missing_in_one_graph_are_named(make_graphs):
    graphs = make_graphs(4, descriptors=2)
    del graphs[2].descriptors
    with pytest.raises(ValueError, match="the graph at position 2 has none"):
        Packed(graphs, Standardiser(torch.zeros(2), torch.ones(2)))


def test_standardiser_uses_finite_values_of_the_training_part_only():
    raw = torch.tensor([[1.0, 5.0, 1e38], [3.0, 5.0, float("inf")], [float("nan"), 5.0, 3e38]])
    fitted = Standardiser.of(raw)
    assert fitted.mean.tolist() == pytest.approx([2.0, 5.0, 2e38])
    assert fitted.deviation.tolist() == pytest.approx([1.0, 1.0, 1e38])
    scaled = fitted(torch.tensor([[4.0, 5.0, 1e38], [-1e9, 7.0, float("nan")]]))
    assert scaled.tolist() == [[2.0, 0.0, -1.0], [-6.0, 2.0, 0.0]]


def test_standardiser_survives_json():
    fitted = Standardiser.of(torch.tensor([[0.1], [0.7]]))
    again = Standardiser.from_dict(fitted.to_dict())
    assert torch.equal(again.mean, fitted.mean)
    assert torch.equal(again.deviation, fitted.deviation)


def test_standardiser_refuses_another_width():
    with pytest.raises(ValueError, match=re.escape("expected 2 descriptors per molecule, as in training; got 3")):
        Standardiser(torch.zeros(2), torch.ones(2))(torch.zeros(1, 3))
