import subprocess
import sys

import pytest
import torch_geometric.nn
from torch_geometric.nn.models import basic_gnn

from graphattn.pyg import DROP_INS
from graphattn.testing.swap import swap, swap_back

TESTS = """
import pytest
import torch
from torch_geometric.nn import GCNConv, SAGEConv
from torch_geometric.nn.models import GAT

EDGES = torch.tensor([[0, 1], [1, 2]])

def test_layer():
    assert str(GCNConv(4, 2)) == "GCNConv(4, 2)"
    GCNConv(4, 2)(torch.randn(3, 4), EDGES)
    SAGEConv(4, 2, aggr="lstm")(torch.randn(3, 4), EDGES)

def test_model():
    GAT(4, 4, 2)(torch.randn(3, 4), EDGES)

@pytest.mark.skip
def test_nothing():
    pass

def test_wrong():
    assert False
"""


def test_classes_are_swapped_where_pyg_names_them_and_swapped_back():
    replaced = swap()
    try:
        for theirs, ours in DROP_INS.items():
            assert getattr(torch_geometric.nn, theirs.__name__) is ours
            assert getattr(sys.modules[theirs.__module__], theirs.__name__) is theirs
        assert basic_gnn.GATConv is torch_geometric.nn.GATConv
    finally:
        swap_back(replaced)
    assert all(getattr(torch_geometric.nn, theirs.__name__) is theirs for theirs in DROP_INS)
    assert basic_gnn.GATConv is torch_geometric.nn.GATConv


@pytest.mark.parametrize("swapped", [True, False])
def test_a_table_counts_outcomes_and_calls(tmp_path, swapped):
    (tmp_path / "test_mine.py").write_text(TESTS)
    plugin = ["-p", "graphattn.testing.swap"] if swapped else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, "test_mine.py"]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False).stdout
    row = "| test_mine.py | 2 | 1 | 1 | 3 | 1 | it aggregates with LSTMAggregation (1) |"
    assert (row in printed) == swapped
