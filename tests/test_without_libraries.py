"""Layers and drop-ins need torch, PyG and SciPy: they work where nothing else that graphattn declares is installed."""

import pytest

from tests.without_libraries import hidden, said

NAMES = """
import graphattn
missing = dict()
for name in graphattn.__all__:
    try:
        getattr(graphattn, name)
    except ImportError as error:
        missing[name] = error.name
for name, library in sorted(missing.items()):
    print(name, library)
"""

LAYERS = """
import torch
from graphattn import Edges, Full, explain_backend
from graphattn.testing import assert_backends_agree
from graphattn.zoo import TABLE

ends, sizes = torch.randint(0, 12, (2, 60)), [5, 7]
for row in TABLE:
    layer = row.make().double()
    for graph in (Edges(ends, 12), Full(sizes)):
        if type(graph).__name__ in row.topologies:
            edge = {name: each.double() if each.is_floating_point() else each for name, each in row.edge(graph).items()}
            x = torch.randn(12, 8, dtype=torch.float64)
            print(row.name, *assert_backends_agree(layer, (x, x) if row.name == "CrossAttention" else x, graph, edge))
print(explain_backend(layer, x, Full(sizes)).reasons["csr"][0])
"""

DROP_INS = """
import copy, torch
from torch_geometric import nn
from torch_geometric.nn.models import GAT
from graphattn import accelerate

ends, x = torch.randint(0, 12, (2, 60)), torch.randn(12, 8, requires_grad=True)
network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
for theirs in (
    nn.GCNConv(8, 8), nn.GATConv(8, 4, 2), nn.GATv2Conv(8, 4, 2), nn.TransformerConv(8, 4, 2), nn.SAGEConv(8, 8),
    nn.GINConv(torch.nn.Linear(8, 8)), nn.EdgeConv(torch.nn.Linear(16, 8)), nn.RGCNConv(8, 8, 2), GAT(8, 8, 2, heads=2),
):
    given = (x, ends, torch.arange(60) % 2) if isinstance(theirs, nn.RGCNConv) else (x, ends)
    ours = accelerate(copy.deepcopy(theirs))
    both = [(out, *torch.autograd.grad(out.sin().sum(), [x, *module.parameters()]))
            for module in (ours, theirs) for out in [module(*given)]]
    torch.testing.assert_close(*both, rtol=1e-4, atol=1e-5)
    print(type(theirs).__name__, type(ours).__module__.partition(".")[0])
"""


def test_what_is_hidden_is_what_is_declared():
    assert {"numba", "llvmlite", "lightning", "rdkit", "pandas", "matplotlib", "sklearn"} <= hidden()
    with pytest.raises(AssertionError, match="No module named 'numba'"):
        said("import numba")


def test_names_that_need_a_library_are_those_of_molecules_and_of_whole_experiments():
    names = {line.split(" ")[0] for line in said(NAMES)}
    learned = {"GraphClassifier", "GraphRegressor", "MoleculeClassifier", "MoleculeRegressor"}
    assert names <= learned | {"compare"}


def test_named_layers_are_computed_by_torch_alone():
    lines = said(LAYERS)
    assert "GAT sparse edgewise" in lines
    assert "SelfAttention dense edgewise" in lines
    assert "GCN closed_form edgewise" in lines
    assert lines[-1] == "needs Numba, which cannot be imported: No module named 'numba'"


def test_drop_ins_equal_pyg():
    assert "GATConv graphattn" in said(DROP_INS)
