"""SlideGraph: the score of a slide is the mean of its nodes' scores, and equals the same sum by PyG's EdgeConv."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import EdgeConv

from graphattn.models import FeatureEmbedding, SlideGraph


def slides(*sizes, seed=0):
    draw = torch.Generator().manual_seed(seed)
    graphs = []
    for size in sizes:
        edges = torch.randint(0, max(size, 1), (2, 4 * size), generator=draw)
        graphs.append(
            Data(
                x=torch.randn(size, 5, generator=draw).double(),
                edge_index=edges[:, edges[0] != edges[1]],
                num_nodes=size,
            )
        )
    return graphs


def model(outputs=2, **given):
    torch.manual_seed(0)
    return SlideGraph(FeatureEmbedding(5, channels=8), outputs, **given).double()


def test_the_score_of_a_slide_is_the_mean_of_its_nodes_scores():
    batch, network = Batch.from_data_list(slides(7, 1, 12, 3)), model().train()
    network(batch)  # moves the statistics of the normalisation
    network.eval()
    scores = network.node_scores(batch)
    means = torch.stack([part.mean(dim=0) for part in scores.split([7, 1, 12, 3])])
    torch.testing.assert_close(network(batch), means, rtol=0, atol=1e-12)


def test_it_is_the_sum_of_scores_of_pygs_edge_convolutions():
    (slide,), network = slides(9), model(dropout=0.0).eval()
    x, expected = network.embedding(slide), 0
    states = [x]
    for layer in network.layers:
        theirs = EdgeConv(next(module for module in layer.modules() if isinstance(module, nn.Sequential)))
        states.append(theirs(states[-1], slide.edge_index))
    expected = sum(score(state) for score, state in zip(network.scores, states, strict=True))
    torch.testing.assert_close(network.node_scores(slide), expected, rtol=0, atol=1e-12)


def test_a_slide_in_a_batch_is_the_slide_alone_and_the_order_of_nodes_does_not_matter():
    graphs, network = slides(6, 4, 9), model().eval()
    together = network(Batch.from_data_list(graphs))
    torch.testing.assert_close(together, torch.cat([network(graph) for graph in graphs]), rtol=0, atol=1e-12)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    moved = Data(x=graphs[2].x[order], edge_index=order.argsort()[graphs[2].edge_index])
    torch.testing.assert_close(network(moved), network(graphs[2]), rtol=0, atol=1e-12)


def test_a_slide_without_nodes_has_the_score_zero():
    batch = Batch.from_data_list(slides(4, 0))
    assert model().eval()(batch)[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("channels", [(), (4,), (16, 16, 8)])
def test_as_many_layers_as_channels(channels):
    network = model(1, channels=channels).eval()
    assert len(network.layers) == len(channels)
    assert network(slides(5)[0]).shape == (1, 1)


def test_dropout_drops_scores_of_slides_in_training_only():
    batch, network = Batch.from_data_list(slides(7, 8)), model(dropout=0.5)
    network.train()
    torch.manual_seed(0)
    one = network(batch)
    assert not torch.equal(one, network(batch))
    network.eval()
    assert torch.equal(network(batch), network(batch))


def test_gradients_reach_every_parameter():
    network = model(dropout=0.0).train()
    network(Batch.from_data_list(slides(7, 8))).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
