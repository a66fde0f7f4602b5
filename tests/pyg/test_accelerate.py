import copy
import io
import logging
import pickle

import pytest
import torch
from equal import EDGES
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.explain import AttentionExplainer, Explainer, GNNExplainer
from torch_geometric.nn import models

from graphattn.pyg import DROP_INS, accelerate, calls, deaccelerate, forget_calls, survey
from graphattn.zoo import GCN

X = torch.randn(6, 8)


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([pyg.TransformerConv(8, 4), pyg.GCNConv(4, 4)])

    def forward(self, x, edge_index):
        for layer in self.layers:
            x = layer(x, edge_index)
        return x


MODELS = {
    "GCN": lambda: models.GCN(8, 16, 2, 4),
    "GraphSAGE": lambda: models.GraphSAGE(8, 16, 2, 4),
    "GIN": lambda: models.GIN(8, 16, 2, 4),
    "GAT": lambda: models.GAT(8, 16, 2, 4, heads=2),
    "GATv2": lambda: models.GAT(8, 16, 2, 4, v2=True),
    "EdgeCNN": lambda: models.EdgeCNN(8, 16, 2, 4),
    "list": Chain,
    "GPS": lambda: pyg.GPSConv(8, pyg.GATConv(8, 8)),
    "one layer": lambda: pyg.GCNConv(8, 4),
}
EACH = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


@EACH
def test_a_model_computes_the_same(make, caplog, capsys):
    caplog.set_level(logging.INFO, logger="graphattn")
    model = make().double().eval()
    x = X.double()
    truth = model(x, EDGES)
    swapped = accelerate(model)
    report = [record.getMessage() for record in caplog.records]
    assert "\n".join(report) == str(survey(swapped))
    assert not capsys.readouterr().out
    forget_calls()
    assert_close(swapped(x, EDGES), truth, rtol=1e-9, atol=1e-9)
    layers = [module for module in swapped.modules() if type(module) in DROP_INS.values()]
    assert sum(made.ours for made in calls().values()) == len(layers) == len(report)
    assert not [module for module in model.modules() if type(module) in DROP_INS.values()]
    slopes = [torch.autograd.grad(each(x, EDGES).sin().sum(), list(each.parameters())) for each in (swapped, model)]
    for ours, theirs in zip(*slopes, strict=True):
        assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@EACH
def test_swapping_back_leaves_no_trace(make):
    model = make()
    model(X, EDGES)
    before = [(type(module), sorted(module.__dict__)) for module in model.modules()]
    parameters = list(model.parameters())
    assert accelerate(model, inplace=True) is model
    model(X, EDGES)
    assert deaccelerate(model, inplace=True) is model
    assert [(type(module), sorted(module.__dict__)) for module in model.modules()] == before
    assert all(mine is its for mine, its in zip(model.parameters(), parameters, strict=True))
    assert isinstance(model(X, EDGES), torch.Tensor)


@EACH
def test_swapped_models_are_copied_pickled_and_saved(make):
    model = make().eval()
    swapped = accelerate(model)
    truth = swapped(X, EDGES)
    for other in (copy.deepcopy(swapped), copy.copy(swapped), pickle.loads(pickle.dumps(swapped))):
        assert [type(module) for module in other.modules()] == [type(module) for module in swapped.modules()]
        assert torch.equal(other(X, EDGES), truth)
    file = io.BytesIO()
    torch.save(swapped.state_dict(), file)
    file.seek(0)
    plain = make().eval()
    plain.load_state_dict(torch.load(file, weights_only=True))
    assert_close(plain(X, EDGES), truth)
    swapped.load_state_dict(plain.state_dict())
    assert pickle.dumps(deaccelerate(swapped)).count(b"graphattn") == 0


def test_a_copy_does_not_share_parameters():
    swapped = accelerate(models.GCN(8, 16, 2, 4))
    swapped(X, EDGES)
    other = copy.deepcopy(swapped)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert not other(X, EDGES).any()
    assert swapped(X, EDGES).any()


def test_hooks_and_modes_are_kept():
    model = models.GAT(8, 16, 2, 4, dropout=0.5).eval()
    seen = []
    model.convs[0].register_forward_hook(lambda *hook: seen.append("forward"))
    model.convs[0].register_message_forward_hook(lambda *hook: seen.append("message"))
    swapped = accelerate(model, inplace=True)
    assert not swapped.convs[0].training
    forget_calls()
    swapped(X, EDGES)
    assert seen == ["message", "forward"]
    assert calls()["GATConv"] == (1, {"a hook wants to see every edge": 1})


class Mine(pyg.GCNConv):
    def message(self, x_j, edge_weight):
        return -x_j


def test_what_is_left_is_said_with_the_reason():
    model = nn.ModuleDict(
        {
            "ours": pyg.SAGEConv(8, 8),
            "subclass": Mine(8, 8),
            "none": pyg.ChebConv(8, 8, K=2),
            "lstm": pyg.SAGEConv(8, 8, aggr="lstm"),
            "peak": pyg.GATConv(8, 8, aggr="max"),
            "split": pyg.GCNConv(8, 8, decomposed_layers=2),
            "bias": pyg.GPSConv(8, None, attn_kwargs={"add_bias_kv": True}),
            "native": GCN(8, 8),
            "linear": nn.Linear(8, 8),
        }
    )
    report = survey(model)
    assert report.swapped == {"ours": "SAGEConv"}
    assert report.left == {
        "subclass": "Mine is a subclass of GCNConv, which may compute something else",
        "none": "ChebConv has no drop-in",
        "lstm": "SAGEConv, because it aggregates with LSTMAggregation",
        "peak": "GATConv, because it aggregates with MaxAggregation",
        "split": "GCNConv, because its channels are decomposed",
        "bias": "GPSConv, because its attention has keys beyond those of the nodes",
    }
    swapped = accelerate(model)
    assert type(swapped["subclass"]) is Mine
    assert survey(swapped) == report
    assert str(survey(nn.Linear(8, 8))) == "nothing to swap: no layer of PyG in this model"


@pytest.mark.parametrize("function", [accelerate, deaccelerate, survey])
def test_what_is_no_module_is_refused_in_words(function):
    for given, said in (
        ([pyg.GCNConv(8, 8)], r"expected a module, got a list: put them into a torch\.nn\.ModuleList"),
        ((pyg.GCNConv(8, 8),), r"expected a module, got a tuple: put them into a torch\.nn\.ModuleList"),
        (pyg.GCNConv, "expected a module, got the class GCNConv: give a layer or model made of it"),
        ({"a": pyg.GCNConv(8, 8)}, "expected a module, got a dict$"),
        ("model.pt", "expected a module, got a str$"),
    ):
        with pytest.raises(TypeError, match=said):
            function(given)


# torch.fx and to_hetero warn of their own internals.
@pytest.mark.filterwarnings("ignore")
def test_models_are_swapped_before_and_after_they_become_heterogeneous():
    metadata = (["a", "b"], [("a", "to", "b"), ("b", "back", "a")])
    x = {"a": torch.randn(4, 8), "b": torch.randn(5, 8)}
    edges = {("a", "to", "b"): torch.tensor([[0, 3], [1, 4]]), ("b", "back", "a"): torch.tensor([[0], [1]])}
    model = models.GraphSAGE((-1, -1), 16, 2, 4)
    after = accelerate(pyg.to_hetero(model, metadata))
    before = pyg.to_hetero(accelerate(model), metadata)
    for each in (after, before):
        each(x, edges)
        assert sum(type(module) is DROP_INS[pyg.SAGEConv] for module in each.modules()) == 4
    before.load_state_dict(after.state_dict())
    plain = deaccelerate(after)
    for name, truth in plain(x, edges).items():
        assert_close(after(x, edges)[name], truth)
        assert_close(before(x, edges)[name], truth)


def test_layers_inside_a_hetero_conv():
    model = pyg.HeteroConv(
        {("a", "to", "a"): pyg.GATConv(8, 4, add_self_loops=False), ("a", "on", "a"): pyg.SAGEConv(8, 4)}
    )
    inputs = {"a": X}, {("a", "to", "a"): EDGES, ("a", "on", "a"): EDGES.flip(0)}
    assert_close(accelerate(model)(*inputs)["a"], model(*inputs)["a"])


@pytest.mark.parametrize("make", [lambda: models.GCN(8, 16, 2, 1), lambda: models.GAT(8, 16, 2, 1)], ids=["GCN", "GAT"])
def test_explainers_explain_swapped_models_as_pygs(make):
    model = make().eval()
    mode = {"mode": "regression", "task_level": "node", "return_type": "raw"}
    algorithms = [GNNExplainer(epochs=3)] + ([AttentionExplainer()] if isinstance(model, models.GAT) else [])
    for algorithm in algorithms:
        masks = []
        for each in (model, accelerate(model)):
            each(X, EDGES)
            torch.manual_seed(0)
            explainer = Explainer(each, algorithm, explanation_type="model", edge_mask_type="object", model_config=mode)
            masks.append(explainer(X, EDGES).edge_mask)
        assert_close(*masks)


def test_swapped_models_compile():
    """A plain edge_index is PyG's inside a compiled graph, without a break."""
    torch._dynamo.reset()
    model = accelerate(models.GraphSAGE(8, 16, 2, 4))
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    assert_close(compiled(X, EDGES), model(X, EDGES))
