"""Attributions of models whose answer is known, of every kind of model, and in every order."""

import captum.attr
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import global_add_pool, global_mean_pool

from graphattn.data.generated import motif
from graphattn.data.sequences import sequence
from graphattn.estimators import GraphClassifier, GraphRegressor
from graphattn.explain import METHODS, IntegratedGradients, Masking, attribute
from graphattn.explain.inquiry import Contributions
from graphattn.explain.subject import MOST_COPIES, MOST_PAIRS, Mask, Subject, copies_at_once, subject_of
from graphattn.models import Encoder, FeatureEmbedding, SlideGraph, TokenEmbedding
from graphattn.training.fitting import Ensemble

WEIGHT = torch.tensor([[2.0], [-1.0], [0.5]])


class Linear(torch.nn.Module):
    """The sum of weighted features of the nodes; of several columns, multiples of it."""

    def __init__(self, factors=(1.0,), seen=None):
        super().__init__()
        self.factors, self.seen = torch.tensor([factors]), seen

    def forward(self, data):
        if self.seen is not None:
            self.seen.append((data.num_graphs, len(data.x)))
        return global_add_pool(data.x @ WEIGHT, data.batch) * self.factors


class EachNode(torch.nn.Module):
    def forward(self, data):
        mean = global_mean_pool(data.x @ WEIGHT, data.batch)[data.batch]
        return data.x @ WEIGHT + mean


def ring(nodes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sender = torch.arange(nodes)
    ends = torch.stack([sender, (sender + 1) % nodes])
    return Data(
        x=torch.randn(nodes, 3, generator=generator),
        edge_index=torch.cat([ends, ends.flip(0)], dim=1),
        edge_attr=torch.randn(2 * nodes, 2, generator=generator),
    )


@pytest.mark.parametrize("method", ["masking", "integrated_gradients"])
def test_of_a_linear_model_contributions_are_the_weights(method):
    graph = ring()
    found = attribute(Linear(), graph, method, groups=[(0, 2), (1,)])
    expected = (graph.x @ WEIGHT)[:, 0]
    assert found.nodes.tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert found.prediction == pytest.approx(float(expected.sum()), abs=1e-5)
    assert (found.target, found.method) == ("output 0", method)
    if method == "masking":
        assert found.groups.tolist() == pytest.approx([float(expected[0] + expected[2]), float(expected[1])], abs=1e-5)


def test_saliency_is_the_length_of_the_gradient():
    found = attribute(Linear((1.0, 3.0)), ring(), "saliency", target=1)
    assert found.nodes.tolist() == pytest.approx([3 * float(WEIGHT.norm())] * 4)


def test_integrated_gradients_are_those_of_captum():
    torch.manual_seed(0)
    graph, model = ring(), SlideGraph(FeatureEmbedding(3, channels=8), outputs=2).eval()

    def answers(x):
        return model(Data(x=x[0], edge_index=graph.edge_index))

    peer = captum.attr.IntegratedGradients(answers).attribute(
        graph.x[None], target=1, n_steps=32, internal_batch_size=1
    )
    found = attribute(model, graph, "integrated_gradients", target=1)
    assert found.nodes.tolist() == pytest.approx(peer[0].sum(1).tolist(), abs=1e-5)


def test_integrated_gradients_of_categories_add_up():
    torch.manual_seed(1)
    graphs = motif(30)
    for graph in graphs:
        graph.x = torch.arange(graph.num_nodes)[:, None] % 3
    model = GraphClassifier("gin", "edges", channels=8, layers=1, epochs=1).fit(
        graphs, [int(each.y) for each in graphs]
    )
    subject = subject_of(model)
    graph = subject.read(graphs[0])
    blank = torch.tensor(model.model_.network(Batch.from_data_list([subject.blank(graph)])).softmax(1)[0, 1].item())
    found = attribute(model, graphs[0], IntegratedGradients(points=64))
    assert float(found.nodes.sum()) == pytest.approx(found.prediction - float(blank), abs=1e-4)
    assert found.method == "IntegratedGradients"
    assert (found.nodes.abs() > 0).any()


def test_permuted_graphs_have_permuted_contributions():
    torch.manual_seed(0)
    graph, order = ring(6), torch.tensor([3, 0, 5, 1, 4, 2])
    place = order.argsort()
    permuted = Data(x=graph.x[order], edge_index=place[graph.edge_index])
    model = SlideGraph(FeatureEmbedding(3, channels=8)).eval()
    for method in (*METHODS, Masking(edges=True)):
        found, other = attribute(model, graph, method), attribute(model, permuted, method)
        assert other.nodes.tolist() == pytest.approx(found.nodes[order].tolist(), abs=1e-5)
        if found.edges is not None:
            assert other.edges.tolist() == pytest.approx(found.edges.tolist(), abs=1e-5)


def test_masks_in_batches_answer_as_alone(monkeypatch):
    torch.manual_seed(0)
    graph, model = ring(6), SlideGraph(FeatureEmbedding(3, channels=8)).eval()
    together = attribute(model, graph, Masking(edges=True), groups=[(0, 1)])
    monkeypatch.setattr("graphattn.explain.subject.MOST_COPIES", 1)
    alone = attribute(model, graph, Masking(edges=True), groups=[(0, 1)])
    assert alone.nodes.tolist() == pytest.approx(together.nodes.tolist(), abs=1e-6)
    assert alone.edges.tolist() == pytest.approx(together.edges.tolist(), abs=1e-6)
    assert alone.groups.tolist() == pytest.approx(together.groups.tolist(), abs=1e-6)


def test_batches_hold_a_bounded_number_of_pairs():
    assert copies_at_once(500) ** 1 * 500**2 <= MOST_PAIRS
    assert [copies_at_once(nodes) for nodes in (1, 1000, 10**6)] == [MOST_COPIES, 1, 1]
    seen = []
    attribute(Linear(seen=seen), Data(x=torch.randn(400, 3)))
    assert max(copies * (nodes // copies) ** 2 for copies, nodes in seen) <= MOST_PAIRS
    assert sum(copies for copies, _ in seen) == 402


def test_edges_are_cut_with_what_belongs_to_them():
    seen = []

    class Edges(torch.nn.Module):
        def forward(self, data):
            seen.append((data.edge_index, data.edge_attr))
            weight = data.edge_attr.sum(1, keepdim=True)
            return global_add_pool(weight, data.batch[data.edge_index[0]], size=data.num_graphs)

    graph = ring(4)
    found = attribute(Edges(), graph, Masking(edges=True))
    pair = {}
    for edge, ends in enumerate(graph.edge_index.T.tolist()):
        pair.setdefault(frozenset(ends), []).append(edge)
    for edges in pair.values():
        both = float(graph.edge_attr[edges].sum())
        assert found.edges[edges].tolist() == pytest.approx([both, both], abs=1e-5)
    assert graph.edge_index.size(1) == 8


def test_a_single_node():
    found = attribute(
        Linear(), Data(x=torch.tensor([[1.0, 2.0, 0.0]]), edge_index=torch.zeros(2, 0).long()), Masking(edges=True)
    )
    assert found.nodes.tolist() == [0.0]
    assert found.edges.shape == (0,)


def test_the_largest_output_is_explained_unless_another_is_named():
    graph = Data(x=torch.tensor([[1.0, 0.0, 0.0]]))
    assert attribute(Linear((1.0, 3.0, 2.0)), graph).target == "output 1"
    assert attribute(Linear((1.0, 3.0, 2.0)), graph, target=2).nodes.tolist() == [4.0]


def test_members_of_an_ensemble_agree_or_not():
    graph = Data(x=torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    subject = Subject([Linear(), Linear((3.0,)), Linear((-1.0,))], **_of(Linear()))
    found = attribute(subject, graph, groups=[(0, 1)])
    assert found.nodes.tolist() == [2.0, 1.0]
    assert found.prediction == 3.0
    assert found.agreement.nodes.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert found.agreement.groups.tolist() == pytest.approx([2 / 3])
    assert found.agreement.edges is None


def _of(model):
    subject = subject_of(model)
    return {name: getattr(subject, name) for name in ("read", "masked", "blank")}


def test_an_ensemble_of_networks_is_the_mean_of_its_probabilities():
    graph = Data(x=torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    first, second = Linear((0.0, 1.0)), Linear((0.0, 2.0))
    found = attribute(Ensemble([first, second]), graph, target=1)
    expected = (torch.sigmoid(torch.tensor(3.0)) + torch.sigmoid(torch.tensor(6.0))) / 2
    assert found.prediction == pytest.approx(float(expected))


@pytest.fixture(scope="module")
def graphs():
    return motif(30)


def test_estimators_are_explained_by_the_names_of_their_classes(graphs):
    labels = ["yes" if graph.y else "no" for graph in graphs]
    model = GraphClassifier("edge_attention", "full", channels=8, layers=1, epochs=1).fit(graphs, labels)
    found = attribute(model, graphs[0], Masking(edges=True))
    assert found.target == "yes"
    assert found.prediction == pytest.approx(model.predict_proba(graphs[:1])[0, 1], abs=1e-6)
    other = attribute(model, graphs[0], target="no")
    assert other.nodes.tolist() == pytest.approx((-found.nodes).tolist(), abs=1e-6)
    with pytest.raises(ValueError, match="expected one of 'no', 'yes' to explain, got 'maybe'"):
        attribute(model, graphs[0], target="maybe")
    # Along the edges that are left distances are others, too.
    assert (found.edges.abs() > 1e-7).any()


def test_of_a_regressor_the_value_is_explained_in_its_unit(graphs):
    values = [100.0 + float(graph.num_nodes) for graph in graphs]
    model = GraphRegressor("gin", "edges", channels=8, layers=1, epochs=1).fit(graphs, values)
    assert attribute(model, graphs[0]).prediction == pytest.approx(model.predict(graphs[:1])[0], abs=1e-4)


def test_hidden_numbers_are_the_mean_of_training(graphs):
    shifted = [Data(x=torch.full((graph.num_nodes, 1), 7.0), edge_index=graph.edge_index) for graph in graphs]
    model = GraphClassifier("gin", "edges", channels=8, layers=1, epochs=1)
    model.fit(shifted, [int(graph.y) for graph in graphs])
    assert attribute(model, shifted[0]).nodes.abs().max() == 0


def test_the_answer_of_a_node():
    graph = ring()
    found = attribute(EachNode(), graph, node=2)
    own = (graph.x @ WEIGHT)[:, 0]
    expected = [float(own[i]) * (0.25 + (i == 2)) for i in range(4)]
    assert found.nodes.tolist() == pytest.approx(expected, abs=1e-5)


def test_models_are_left_in_the_mode_they_were_in():
    model = SlideGraph(FeatureEmbedding(3, channels=8)).train()
    model.layers[0].eval()
    before = [module.training for module in model.modules()]
    attribute(model, ring())
    assert [module.training for module in model.modules()] == before


def test_a_function_is_a_method():
    def first(subject, inquiry):
        answers = subject.answers(inquiry.graph, [Mask(), Mask(nodes=(0,))])
        return Contributions((answers[:, 0] - answers[:, 1])[:, [inquiry.column] * 4])

    found = attribute(Linear(), ring(), first)
    assert found.method == "first"
    assert found.nodes.tolist() == pytest.approx([float(attribute(Linear(), ring()).nodes[0])] * 4)


def test_what_cannot_be_explained_is_refused():
    graph = ring()
    with pytest.raises(ValueError, match=r"expected a method of masking, saliency, integrated_gradients.*, got 'shap'"):
        attribute(Linear(), graph, "shap")
    with pytest.raises(ValueError, match="expected an output from 0 to 0 to explain, got 1"):
        attribute(Linear(), graph, target=1)
    with pytest.raises(ValueError, match="expected one of numbers from 0 to 0 to explain, got 'yes'"):
        attribute(Linear(), graph, target="yes")
    with pytest.raises(ValueError, match="expected nodes from 0 to 3, got 4"):
        attribute(Linear(), graph, groups=[(0, 4)])
    with pytest.raises(ValueError, match="expected nodes from 0 to 3, got -1"):
        attribute(EachNode(), graph, node=-1)
    with pytest.raises(ValueError, match="expected a graph with nodes to explain, got one without"):
        attribute(Linear(), Data(x=torch.zeros(0, 3)))
    with pytest.raises(TypeError, match="expected one PyG Data to explain, got list"):
        attribute(Linear(), [graph])
    with pytest.raises(ValueError, match="got 4 for 1: node= says which node's answer is explained"):
        attribute(EachNode(), graph)
    with pytest.raises(ValueError, match="expected a model that answers each of 4 nodes, got 1 answers"):
        attribute(Linear(), graph, node=0)
    with pytest.raises(TypeError, match=r"expected a torch module .* got str"):
        attribute("model", graph)
    with pytest.raises(TypeError, match=r"a fitted estimator.* got GraphClassifier"):
        attribute(GraphClassifier(), graph)


def test_gradients_of_categories_need_an_embedding():
    class Counts(torch.nn.Module):
        def forward(self, data):
            return global_add_pool(data.x.float(), data.batch)

    with pytest.raises(ValueError, match="a network with a module called embedding; got int64 and Counts"):
        attribute(Counts(), Data(x=torch.tensor([[1]])), "saliency")


def test_tokens_are_explained():
    torch.manual_seed(0)
    model = Encoder(TokenEmbedding(10, channels=8), outputs=2, heads=2)
    for method in METHODS:
        assert attribute(model, sequence([1, 2, 3]), method).nodes.shape == (3,)
    with pytest.raises(ValueError, match="expected a graph with features x or token to explain, got 'edge_index'"):
        attribute(model, Data(edge_index=torch.zeros(2, 0).long()))
