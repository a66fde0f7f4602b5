"""Drop-ins do with every module inside them what PyG does: its hooks, its mode, what is put in its place, what is patched."""

import copy
from functools import partial, wraps

import pytest
import torch
from equal import EDGES, F64
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.nn.attention import PerformerAttention
from torch_geometric.nn.attention.performer import PerformerProjection
from torch_geometric.nn.conv import gat_conv, gcn_conv

from graphattn.pyg import DROP_INS, accelerate, calls, forget_calls, survey


def states(channels=8, nodes=6):
    return torch.randn(nodes, channels, dtype=F64)


def mlp(channels):
    parts = nn.Linear(channels, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 4)
    return nn.Sequential(*parts)


X, TWO, FEATURES = states(), (states(), states(7, 5)), states(3, 9)
SAME = (X, X)
BATCH = torch.tensor([0, 0, 0, 1, 1, 1])

# Of each: PyG's layer, and what it is called with.
LAYERS = {
    "TransformerConv": (lambda: pyg.TransformerConv(8, 4, 2, beta=True, edge_dim=3), (X, EDGES, FEATURES)),
    "TransformerConv two": (lambda: pyg.TransformerConv((8, 7), 4, concat=False), (TWO, EDGES)),
    "TransformerConv dropout": (lambda: pyg.TransformerConv(8, 4, root_weight=False, dropout=0.5), (X, EDGES)),
    "GATConv": (lambda: pyg.GATConv(8, 4, 2, edge_dim=3, residual=True), (X, EDGES, FEATURES)),
    "GATConv same": (lambda: pyg.GATConv(8, 4, 2), (SAME, EDGES)),
    "GATConv two": (lambda: pyg.GATConv((8, 7), 4, 2, edge_dim=3, add_self_loops=False), (TWO, EDGES, FEATURES)),
    "GATConv silent": (lambda: pyg.GATConv((8, 7), 4, 2), ((X, None), EDGES)),
    "GATConv dropout": (lambda: pyg.GATConv(8, 4, dropout=0.5), (X, EDGES)),
    "GATv2Conv": (lambda: pyg.GATv2Conv(8, 4, 2, edge_dim=3, residual=True), (X, EDGES, FEATURES)),
    "GATv2Conv shared": (lambda: pyg.GATv2Conv(8, 4, 2, share_weights=True), (X, EDGES)),
    "GATv2Conv shared, same": (lambda: pyg.GATv2Conv(8, 4, 2, share_weights=True), (SAME, EDGES)),
    "GATv2Conv dropout": (lambda: pyg.GATv2Conv(8, 4, dropout=0.5), (X, EDGES)),
    "GCNConv": (lambda: pyg.GCNConv(8, 4), (X, EDGES)),
    "GCNConv weighted": (lambda: pyg.GCNConv(8, 4, normalize=False), (X, EDGES, FEATURES[:, 0])),
    "SAGEConv": (lambda: pyg.SAGEConv(8, 4, project=True), (X, EDGES)),
    "SAGEConv two": (lambda: pyg.SAGEConv((8, 7), 4, aggr="std"), (TWO, EDGES)),
    "SAGEConv many": (lambda: pyg.SAGEConv(8, 4, aggr=["max", "mean", "std"]), (X, EDGES)),
    "GINConv": (lambda: pyg.GINConv(mlp(8), train_eps=True), (X, EDGES)),
    "EdgeConv": (lambda: pyg.EdgeConv(mlp(16)), (X, EDGES)),
    "EdgeConv plain": (lambda: pyg.EdgeConv(nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))), (X, EDGES)),
    "GPSConv": (lambda: pyg.GPSConv(8, pyg.SAGEConv(8, 8), 2), (X, EDGES, BATCH)),
    "GPSConv graph norm": (lambda: pyg.GPSConv(8, None, 2, norm="graph_norm"), (X, EDGES, BATCH)),
    "GPSConv attention dropout": (lambda: pyg.GPSConv(8, None, 2, attn_kwargs={"dropout": 0.5}), (X, EDGES)),
    "GPSConv dropout": (lambda: pyg.GPSConv(8, pyg.GATConv(8, 8), 2, dropout=0.5), (X, EDGES)),
    "GPSConv performer": (lambda: pyg.GPSConv(8, None, 2, attn_type="performer"), (X, EDGES)),
    "GPSConv performer dropout": (
        lambda: pyg.GPSConv(8, None, 2, attn_type="performer", attn_kwargs={"dropout": 0.5}),
        (X, EDGES),
    ),
}
EACH = pytest.mark.parametrize(("make", "inputs"), LAYERS.values(), ids=LAYERS)


def both(make):
    """PyG's layer and its drop-in, with the same parameters."""
    theirs = make().double()
    return theirs, accelerate(theirs)


def outcome(layer, inputs):
    """Values, gradients of the parameters and buffers after a call; or the error that it raises."""
    torch.manual_seed(0)
    leaves = [value.detach().clone().requires_grad_() if value.is_floating_point() else value for value in flat(inputs)]
    try:
        out = layer(*rebuilt(inputs, iter(leaves)))
        sources = [*(leaf for leaf in leaves if leaf.requires_grad), *layer.parameters()]
        slopes = torch.autograd.grad(out.sin().sum(), sources, materialize_grads=True, allow_unused=True)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        return type(error)
    return [out, *slopes, *layer.buffers()]


def flat(inputs):
    return [
        tensor for value in inputs for tensor in (value if isinstance(value, tuple) else (value,)) if tensor is not None
    ]


def rebuilt(inputs, leaves):
    for value in inputs:
        if isinstance(value, tuple):
            first = next(leaves)
            second = None if value[1] is None else next(leaves)
            yield first, first if value[1] is value[0] else second
        else:
            yield None if value is None else next(leaves)


def assert_alike(theirs, ours, inputs, what=""):
    """The same values, gradients and buffers, or an error in both, where nothing is drawn at random."""
    truth, result = (outcome(copy.deepcopy(layer), inputs) for layer in (theirs, ours))
    if isinstance(truth, type):
        assert isinstance(result, type), what
    else:
        assert_close(result, truth, rtol=1e-9, atol=1e-9, msg=lambda text: f"{what}: {text}")


# Hooks.


def listening(kind, seen):
    """What registers a hook of a kind, which writes down the shapes and sums that it is shown."""

    def note(*shown):
        seen.append([each.detach().clone() for each in tensors_of(shown)])

    return {
        "forward_pre": lambda part: part.register_forward_pre_hook(lambda module, given: note(given)),
        "forward": lambda part: part.register_forward_hook(lambda module, given, out: note(given, out)),
        "full_backward_pre": lambda part: part.register_full_backward_pre_hook(lambda module, slope: note(slope)),
        "full_backward": lambda part: part.register_full_backward_hook(lambda module, into, out: note(into, out)),
    }[kind]


def tensors_of(shown):
    for each in shown:
        if isinstance(each, torch.Tensor):
            yield each
        elif isinstance(each, tuple | list):
            yield from tensors_of(each)


# Hooks of backward passes warn of layers that take or return more than tensors, in PyG as here.
@pytest.mark.filterwarnings("ignore:Full backward hook", "ignore:For backward hooks")
@pytest.mark.parametrize("kind", ["forward_pre", "forward", "full_backward_pre", "full_backward"])
@EACH
def test_hooks_see_what_they_see_in_pyg(make, inputs, kind):
    layers = [layer.eval() for layer in both(make)]
    for path, _ in layers[0].named_modules():
        notes, results = [], []
        for layer in map(copy.deepcopy, layers):
            notes.append([])
            listening(kind, notes[-1])(layer.get_submodule(path))
            results.append(outcome(layer, inputs))
        if isinstance(results[0], type):
            continue  # PyG's Performer writes into what a backward hook gives on
        assert_close(results[1], results[0], rtol=1e-9, atol=1e-9)
        assert_close(notes[1], notes[0], rtol=1e-9, atol=1e-9, msg=lambda text, path=path: f"{path}: {text}")


@EACH
def test_hooks_of_all_modules_see_what_they_see_in_pyg(make, inputs):
    notes = []
    for layer in both(make):
        seen = []
        handle = nn.modules.module.register_module_forward_hook(
            lambda module, given, out, seen=seen: seen.append(
                (type(module).__name__, [list(t.shape) for t in tensors_of(given)])
            )
        )
        try:
            layer.eval()(*inputs)
        finally:
            handle.remove()
        notes.append(seen)
    assert notes[0] == notes[1]


# Modes.


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("alone", [True, False])
@EACH
def test_modes_of_parts_are_heeded_as_in_pyg(make, inputs, training, alone):
    """A part in the other mode than all else, with what is inside it or without."""
    layers = [layer.train(not training) for layer in both(make)]
    for path, _ in layers[0].named_modules():
        changed = copy.deepcopy(layers)
        for layer in changed:
            part = layer.get_submodule(path)
            part.training = training
            if not alone:
                part.train(training)
        drawn = [is_drawn(layer, inputs) for layer in changed]
        assert drawn[0] == drawn[1], path
        if not drawn[0]:
            assert_alike(*changed, inputs, path)


def is_drawn(layer, inputs):
    """Whether something is drawn at random in a call."""
    results = []
    for seed in range(2):
        torch.manual_seed(seed)
        results.append(copy.deepcopy(layer)(*inputs))
    return not torch.equal(*results)


# Parts that are replaced.


class Scaled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def hooked(before, after):
    linear = nn.Linear(before, after, bias=False)
    linear.register_forward_hook(lambda module, given, out: out + given[0].sum(-1, keepdim=True))
    return linear


def with_own_forward(before, after):
    linear = nn.Linear(before, after, bias=False)
    linear.forward = lambda x: x.sum(-1, keepdim=True).repeat_interleave(after, -1)
    return linear


INSTEAD = {
    "biased": lambda before, after: nn.Linear(before, after),
    "plain": lambda before, after: nn.Linear(before, after, bias=False),
    "network": lambda before, after: nn.Sequential(nn.Linear(before, 5), nn.Tanh(), nn.Linear(5, after)),
    "subclass": lambda before, after: Scaled(before, after, bias=False),
    "identity": lambda before, after: nn.Identity(),
    "parametrised": lambda before, after: nn.utils.parametrizations.weight_norm(nn.Linear(before, after, bias=False)),
    "hooked": hooked,
    "own forward": with_own_forward,
}


@pytest.mark.parametrize("instead", INSTEAD.values(), ids=INSTEAD)
@EACH
def test_modules_put_in_the_place_of_parts_are_used_as_in_pyg(make, inputs, instead):
    layers = [layer.eval() for layer in both(make)]
    layers[1](*inputs)  # what a drop-in made of itself must not be kept
    for path, part in layers[0].named_modules():
        if path and isinstance(part, nn.Linear | pyg.Linear | nn.BatchNorm1d | nn.ReLU):
            if instead is INSTEAD["identity"] and len(set(channels(part))) > 1:
                continue  # PyG takes each row for two
            changed, put = copy.deepcopy(layers), instead(*channels(part)).double()
            for layer in changed:
                layer.set_submodule(path, put)
            assert_alike(*changed, inputs, path)


def channels(part):
    if isinstance(part, pyg.Linear):
        return part.in_channels, part.out_channels
    return getattr(part, "in_features", 8), getattr(part, "out_features", 8)


class Twice(pyg.SumAggregation):
    def forward(self, *args, **kwargs):
        return 2 * super().forward(*args, **kwargs)


class Attention(nn.MultiheadAttention):
    def forward(self, *args, **kwargs):
        out, weights = super().forward(*args, **kwargs)
        return 2 * out, weights


OTHERS = {
    "another aggregation": ("aggr_module", pyg.MedianAggregation),
    "subclass of an aggregation": ("aggr_module", Twice),
    "variance inside": ("aggr_module.var_aggr", Twice),
    "mean among several": ("aggr_module.aggrs.1", Twice),
    "attention": ("attn", partial(Attention, 8, 2, batch_first=True)),
    "other heads": ("attn", partial(nn.MultiheadAttention, 8, 4, batch_first=True)),
    "nodes first": ("attn", partial(nn.MultiheadAttention, 8, 2)),
    "projection": ("attn.fast_attn", partial(PerformerProjection, 64, nn.Tanh())),
    "kernel": ("attn.fast_attn.kernel", nn.Softplus),
}


@pytest.mark.parametrize(("path", "other"), OTHERS.values(), ids=OTHERS)
def test_other_parts_are_used_as_in_pyg(path, other):
    met = 0
    for name, (make, inputs) in LAYERS.items():
        layers = [layer.eval() for layer in both(make)]
        if path in dict(layers[0].named_modules(remove_duplicate=False)):
            for layer in layers:
                layer.set_submodule(path, other().double())
            layers[1].load_state_dict(layers[0].state_dict())
            assert_alike(*layers, inputs, name)
            met += 1
    assert met


def test_a_map_beside_a_shared_one_is_not_used():
    theirs = pyg.GATv2Conv(8, 4, share_weights=True).double()
    theirs.lin_r = nn.Linear(8, 4).double()
    ours = accelerate(theirs)
    for inputs in ((X, EDGES), (SAME, EDGES)):
        assert_alike(theirs, ours, inputs)


def test_tied_maps_are_called_as_often_as_in_pyg():
    theirs = pyg.TransformerConv(8, 4).double()
    theirs.lin_key = theirs.lin_query = theirs.lin_value
    ours = accelerate(theirs)
    forget_calls()
    assert_alike(theirs, ours, (X, EDGES))
    assert calls()["TransformerConv"].ours == 1
    ours.lin_value.register_forward_hook(lambda *hook: None)
    ours(X, EDGES)
    assert calls()["TransformerConv"].theirs == {"a shared map of its states is more than a linear one": 1}


# Classes that are patched.

PATCHED = {
    **{
        f"{kind.__name__}.{name}": (kind, name)
        for kind in DROP_INS
        for name in ("forward", "propagate", "message")
        if hasattr(kind, name)
    },
    "GATConv.edge_update": (pyg.GATConv, "edge_update"),
    "GATv2Conv.edge_updater": (pyg.GATv2Conv, "edge_updater"),
    "GCNConv.aggregate": (pyg.GCNConv, "aggregate"),
    "MessagePassing.aggregate": (pyg.MessagePassing, "aggregate"),
    "MessagePassing.update": (pyg.MessagePassing, "update"),
    "SumAggregation.forward": (pyg.SumAggregation, "forward"),
    "Aggregation.reduce": (pyg.aggr.Aggregation, "reduce"),
    "Linear.forward": (pyg.Linear, "forward"),
    "MultiheadAttention.forward": (nn.MultiheadAttention, "forward"),
    "PerformerAttention.forward": (PerformerAttention, "forward"),
    "PerformerProjection.forward": (PerformerProjection, "forward"),
    "gcn_norm": (gcn_conv, "gcn_norm"),
    "softmax": (gat_conv, "softmax"),
}


def twice(value):
    return 2 * value if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def doubled(function):
    @wraps(function)
    def double(*args, **kwargs):
        out = function(*args, **kwargs)
        return tuple(twice(each) for each in out) if isinstance(out, tuple) else 2 * out

    return double


@pytest.mark.parametrize(("owner", "name"), PATCHED.values(), ids=PATCHED)
def test_what_is_patched_in_pyg_is_used(owner, name, monkeypatch):
    changes = 0
    for make, inputs in LAYERS.values():
        theirs, ours = (layer.eval() for layer in both(make))
        if isinstance(owner, type) and not any(isinstance(part, owner) for part in theirs.modules()):
            continue
        before = theirs(*inputs)
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, doubled(getattr(owner, name)))
            changes += not torch.equal(theirs(*inputs), before)
            assert_alike(theirs, ours, inputs)
        forget_calls()
        assert_close(ours(*inputs), before, rtol=1e-9, atol=1e-9)
        assert not calls()[type(ours).__name__].theirs
    assert changes


def test_a_survey_tells_what_is_patched(monkeypatch):
    layer = pyg.GCNConv(8, 4)
    monkeypatch.setattr(pyg.GCNConv, "message", doubled(pyg.GCNConv.message))
    assert survey(layer).left == {"": "GCNConv, because GCNConv.message was replaced"}
    monkeypatch.undo()
    monkeypatch.setattr(gcn_conv, "gcn_norm", doubled(gcn_conv.gcn_norm))
    assert survey(layer).left == {"": "GCNConv, because gcn_norm, which GCNConv calls, was replaced"}
