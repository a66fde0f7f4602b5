"""What generated graph tasks promise: what decides, what says nothing, and that a seed repeats them."""

import re

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from torch_geometric.utils import to_networkx

from graphattn.data.generated import distant, motif, shuffled_edges
from graphattn.data.generated.coloured import random_edges
from graphattn.data.generated.motif import true_edges

MAKERS = {"motif": motif, "distant": distant, "shuffled_edges": shuffled_edges}
CHANCE = 3.5  # standard deviations that an area under the curve may be away from one half


def label(data):
    return int(data.y[data.y != -100][0])


def pooled(graphs, categories):
    """Each graph as the mean of its nodes: of their numbers, or of each category in each column."""
    rows = []
    for data in graphs:
        columns = [torch.nn.functional.one_hot(column, categories) for column in data.x.T] if categories else [data.x]
        rows.append(torch.cat([column.float().mean(0) for column in columns]))
    return torch.stack(rows).numpy()


def area(features, labels):
    """Of a logistic regression, cross-validated."""
    predicted = cross_val_predict(LogisticRegression(C=100), features, labels, cv=10, method="predict_proba")
    return roc_auc_score(labels, predicted[:, 1])


def chance(labels):
    """What the area may differ from one half without knowledge (Hanley & McNeil 1982)."""
    positive, negative = np.bincount(labels)
    return CHANCE * ((positive + negative + 1) / (12 * positive * negative)) ** 0.5


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_repeats_graphs_the_callers_numbers_are_left_alone_and_more_graphs_begin_alike(name):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = MAKERS[name](6, seed=1), MAKERS[name](9, seed=1), MAKERS[name](6, seed=2)
    assert torch.equal(torch.rand(1), expected)
    for one, same in zip(first, again[:6], strict=True):
        assert all(torch.equal(one[key], same[key]) for key in one.keys())  # noqa: SIM118 - Data is no mapping
    assert any(
        one.x.shape != new.x.shape or not torch.equal(one.x, new.x) for one, new in zip(first, other, strict=True)
    )


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("count", [0, 1, 7, 200])
def test_half_of_the_labels_are_one_and_edges_go_both_ways(name, count):
    graphs = MAKERS[name](count)
    assert len(graphs) == count
    assert sum(map(label, graphs)) == (count + 1) // 2
    for data in graphs[:20]:
        assert data.is_undirected()
        assert not data.has_self_loops()
        assert data.is_coalesced()


def test_random_edges_are_as_many_as_asked_for():
    edges = random_edges(400, degree=5.0, generator=torch.Generator().manual_seed(0))
    assert edges.size(1) / 400 == pytest.approx(5.0, rel=0.05)


def test_the_motif_is_a_path_of_three_colours():
    for data in motif(60, seed=4):
        graph, colour = to_networkx(data, to_undirected=True), data.x[:, 0].tolist()
        paths = {
            (i, j, k)
            for j in graph if colour[j] == 1
            for i in graph[j] if colour[i] == 0
            for k in graph[j] if colour[k] == 2
        }  # fmt: skip
        assert label(data) == bool(paths)
        on_paths = {edge for i, j, k in paths for edge in ((i, j), (j, i), (j, k), (k, j))}
        marked = data.edge_index[:, data.true_edge].T.tolist()
        assert {tuple(edge) for edge in marked} == on_paths


def test_a_path_needs_both_ends():
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    colours = torch.tensor([[0, 1, 2], [2, 1, 0], [0, 1, 0], [1, 0, 2], [3, 1, 2]])
    assert true_edges(colours, edges).any(1).tolist() == [True, True, False, False, False]


def test_neither_colours_nor_edges_alone_say_whether_there_is_a_motif():
    graphs = motif(600)
    assert {tuple(data.x[:, 0].bincount().tolist()) for data in graphs} == {(4, 4, 4, 4)}
    labels = np.array([label(data) for data in graphs])
    degrees = [torch.bincount(data.edge_index[0], minlength=16).sort().values.double() for data in graphs]
    assert abs(area(torch.stack(degrees).numpy(), labels) - 0.5) < chance(labels)


def test_two_distant_nodes_are_asked_and_nothing_near_them_says_the_answer():
    graphs = distant(200, nodes=14, hops=5, colours=3, seed=2)
    for data in graphs:
        assert data.num_edges == 2 * 13
        a, b = data.x[:, 0].nonzero().flatten().tolist()
        assert nx.shortest_path_length(to_networkx(data), a, b) == 5
        assert (data.y != -100).nonzero().flatten().tolist() == [a, b]
        assert data.y[[a, b]].tolist() == 2 * [int(data.x[a, 1] == data.x[b, 1])]


def test_two_distant_nodes_have_each_colour_as_often_whatever_the_answer():
    table = np.zeros((2, 2))
    for data in distant(800):
        for node in data.x[:, 0].nonzero().flatten().tolist():
            table[data.y[node], data.x[node, 1]] += 1
    assert chi2_contingency(table).pvalue > 0.01
    same = [data for data in distant(800) if label(data)]
    assert sum(int(data.x[data.x[:, 0] == 1, 1].sum()) for data in same) == len(same)


def test_composition_is_at_chance_where_nodes_are_far_apart():
    graphs = distant(800)
    labels = np.array([label(data) for data in graphs])
    assert abs(area(pooled(graphs, 2), labels) - 0.5) < chance(labels)


def test_composition_is_at_chance_where_a_motif_decides():
    graphs = motif(800)
    labels = np.array([label(data) for data in graphs])
    assert abs(area(pooled(graphs, 4), labels) - 0.5) < chance(labels)


def test_composition_is_all_there_is_where_edges_are_shuffled():
    graphs = shuffled_edges(800)
    labels = np.array([label(data) for data in graphs])
    assert area(pooled(graphs, 0), labels) > 0.99
    weight = torch.randn(4, generator=torch.Generator().manual_seed(4))
    weight = weight / weight.norm()
    assert min(abs(float(data.x.mean(0) @ weight)) * data.num_nodes**0.5 for data in graphs) > 0.5
    assert all((float(data.x.mean(0) @ weight) > 0) == label(data) for data in graphs)
    degrees = np.array([[data.num_edges / data.num_nodes, data.num_nodes] for data in graphs])
    assert abs(area(degrees, labels) - 0.5) < chance(labels)


def test_other_seeds_are_of_the_same_function():
    train, test = shuffled_edges(400, seed=0), shuffled_edges(400, seed=1)
    model = LogisticRegression().fit(pooled(train, 0), [label(data) for data in train])
    assert model.score(pooled(test, 0), [label(data) for data in test]) > 0.95


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (motif, {"colours": 2}, "expected from 3 to 16 colours of 16 nodes, got 2"),
        (motif, {"nodes": 4, "colours": 5}, "expected from 3 to 4 colours of 4 nodes, got 5"),
        (motif, {"degree": 0.0}, "is there or not in 16 nodes, got 0.0"),
        (motif, {"degree": 15.0}, "is there or not in 16 nodes, got 15.0"),
        (distant, {"hops": 0}, "got hops=0, nodes=16, colours=2"),
        (distant, {"colours": 1}, "got hops=6, nodes=16, colours=1"),
        (distant, {"nodes": 6}, "got hops=6, nodes=6, colours=2"),
        (shuffled_edges, {"features": 0}, "expected 1 feature or more, got 0"),
    ],
)
def test_what_cannot_be_made_is_refused(make, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(4, **options)
