import gc

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric.explain import AttentionExplainer, Explainer, GNNExplainer
from torch_geometric.nn import HeteroConv, Sequential, TransformerConv, to_hetero

from graphattn import lasting
from graphattn.layer import GraphLayer
from graphattn.topology import Edges, Full
from graphattn.zoo import GCN, EdgeConv, SelfAttention

EDGES = torch.tensor([[0, 1, 2, 0, 4], [1, 2, 1, 3, 0]])


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = SelfAttention(8, heads=2), SelfAttention(8, heads=2)

    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index).relu(), edge_index)


@pytest.mark.parametrize(
    ("x", "edge_attr", "message"),
    [
        (torch.randn(4, 8), None, "expected 5 rows of senders in x for Edges.*, got 4"),
        ((torch.randn(5, 8), torch.randn(3, 8)), None, "expected 5 rows of receivers in x for Edges.*, got 3"),
        (torch.randn(5, 8), torch.randn(4, 2), "expected 5 rows in edge_attr for Edges.*, got 4"),
    ],
)
def test_rows_that_do_not_fit_are_refused(x, edge_attr, message):
    with pytest.raises(ValueError, match=message):
        SelfAttention(8)(x, Edges(EDGES, 5), edge_attr)


def test_cross_attention_hears_other_nodes():
    layer = SelfAttention(8, heads=2)
    senders, receivers = torch.randn(5, 8), torch.randn(3, 8)
    edge_index = torch.tensor([[0, 4, 2], [0, 0, 2]])
    out = layer((senders, receivers), edge_index)
    assert out.shape == (3, 8)
    moved = senders.clone()
    moved[1] += 1
    assert torch.equal(layer((moved, receivers), edge_index), out)
    moved[4] += 1
    assert not torch.equal(layer((moved, receivers), edge_index), out)


@pytest.mark.parametrize("algorithm", [GNNExplainer(epochs=2), AttentionExplainer()], ids=lambda a: type(a).__name__)
def test_pyg_explainers_work(algorithm):
    mode = {"mode": "regression", "task_level": "node", "return_type": "raw"}
    explainer = Explainer(Two(), algorithm, explanation_type="model", edge_mask_type="object", model_config=mode)
    mask = explainer(torch.randn(5, 8), EDGES).edge_mask
    assert mask.shape == (5,)
    assert mask.max() > 0


def test_an_explainer_on_an_implicit_topology_is_refused():
    layer = SelfAttention(8)
    layer.explain = True
    with pytest.raises(
        ValueError, match=r"expected Edges under an explainer with an edge mask, got Full.*explain = False"
    ):
        layer(torch.randn(3, 8), Full([3]))


# torch.fx and to_hetero warn of their own internals.
@pytest.mark.filterwarnings("ignore")
def test_layers_live_in_pyg_containers():
    metadata = (["a", "b"], [("a", "to", "b"), ("b", "back", "a")])
    x = {"a": torch.randn(4, 8), "b": torch.randn(5, 8)}
    edges = {("a", "to", "b"): torch.tensor([[0, 3], [1, 4]]), ("b", "back", "a"): torch.tensor([[0], [1]])}
    out = to_hetero(Two(), metadata)(x, edges)
    assert {name: value.shape for name, value in out.items()} == {"a": (4, 8), "b": (5, 8)}
    convolution = HeteroConv({kind: SelfAttention(8) for kind in edges})
    assert convolution(x, edges)["b"].shape == (5, 8)
    chain = Sequential(
        "x, edge_index", [(GCN(8, 8), "x, edge_index -> x"), nn.ReLU(), (GCN(8, 2), "x, edge_index -> x")]
    )
    assert chain(torch.randn(5, 8), EDGES).shape == (5, 2)


def test_lazy_channels_are_read_from_the_first_input():
    layer = GCN(-1, 4)
    assert layer(torch.randn(5, 8), EDGES).shape == (5, 4)
    assert layer.message_function.linear.weight.shape == (4, 8)


def test_functions_of_layers_can_be_differentiated_and_mapped():
    layer = SelfAttention(8, heads=2).double()
    x = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, EDGES), x)
    assert torch.autograd.gradcheck(lambda x: layer(x, Full([3, 2])), x)
    many = torch.randn(3, 5, 8, dtype=torch.float64)
    mapped = torch.func.vmap(lambda x: layer(x, EDGES))(many)
    assert_close(mapped, torch.stack([layer(x, EDGES) for x in many]))


def test_the_memory_of_plain_edge_indexes_is_weak():
    edge_index = EDGES.clone()
    layer, x = GCN(8, 8), torch.randn(5, 8)
    layer(x, edge_index)
    layer(x, edge_index)
    assert edge_index in lasting._SEEN
    gc.collect()
    before = len(lasting._SEEN)
    del edge_index
    gc.collect()
    assert len(lasting._SEEN) == before - 1


def test_nothing_is_left_behind_after_forward():
    layer = SelfAttention(8)
    layer(torch.randn(5, 8), EDGES)
    assert layer._alpha is None


def test_layers_print_their_parts():
    text = repr(EdgeConv(nn.Linear(16, 8)))
    assert text.startswith("EdgeConv(")
    assert "(message_function): Difference" in text
    assert "(aggregation): Max()" in text


def test_attention_weights_are_those_of_transformer_conv():
    layer, x = SelfAttention(8, heads=2), torch.randn(5, 8)
    theirs = TransformerConv(8, 4, heads=2)
    for name in ("query", "key", "value"):
        getattr(theirs, f"lin_{name}").load_state_dict(getattr(layer.message_function, name).state_dict())
    _, (_, truth) = theirs(x, EDGES, return_attention_weights=True)
    assert_close(layer.attention(x, EDGES), truth)
    alpha = layer.attention(x, Full([3, 2]))
    assert alpha.shape == (13, 2)
    assert_close(alpha[:3].sum(0), torch.ones(2))


def test_a_layer_without_scores_has_no_attention():
    with pytest.raises(ValueError, match="an aggregation that weighs scores, got Sum"):
        GCN(8, 8).attention(torch.randn(5, 8), EDGES)


def test_attention_weights_are_made_on_request_only(monkeypatch):
    layer, x, made = SelfAttention(8, heads=2), torch.randn(5, 8), []
    honest = GraphLayer.weights
    monkeypatch.setattr(GraphLayer, "weights", lambda self, *given: made.append(1) or honest(self, *given))
    layer(x, Full([3, 2]))
    assert made == []
    out, (_, alpha) = layer(x, Full([3, 2]), return_attention_weights=True)
    assert made == [1]
    assert alpha.shape == (13, 2)
    assert torch.equal(out, layer(x, Full([3, 2])))
