"""The graphs that PyG's layers make on every call are made once."""

import gc

import pytest
import torch
from equal import EDGES, F64, assert_same, pair
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.lasting import _SEEN, remembered
from graphattn.pyg import GATConv, GATv2Conv, GCNConv, SAGEConv
from graphattn.pyg.loops import with_new_loops
from graphattn.topology import Edges, edges

LAYERS = {
    "GCNConv": (lambda: GCNConv(8, 8), 2),
    "GCNConv without loops": (lambda: GCNConv(8, 8, add_self_loops=False), 2),
    "cached GCNConv": (lambda: GCNConv(8, 8, cached=True), 2),
    "GATConv": (lambda: GATConv(8, 8), 2),
    "GATv2Conv": (lambda: GATv2Conv(8, 8), 2),
}


@pytest.fixture
def made(monkeypatch):
    """How many graphs were made of a list of edges, and how often edges were grouped."""
    counted = {"graphs": 0, "groups": 0}

    def counting(name, function):
        def count(*args, **kwargs):
            counted[name] += 1
            return function(*args, **kwargs)

        return count

    monkeypatch.setattr(edges, "compress", counting("groups", edges.compress))
    monkeypatch.setattr(edges, "turned", counting("groups", edges.turned))
    monkeypatch.setattr(Edges, "__init__", counting("graphs", Edges.__init__))
    return counted


@pytest.mark.parametrize(("make", "groups"), LAYERS.values(), ids=LAYERS)
def test_ten_calls_of_two_layers_make_and_group_one_graph(make, groups, made):
    first, second, ends = make(), make(), EDGES.clone()
    if getattr(first, "cached", False):
        second = first
    for _ in range(10):
        x = torch.randn(6, 8, requires_grad=True)
        second(first(x, ends), ends).sum().backward()
    # What a cached layer keeps is a list of edges, of which a graph is made.
    assert made == {"graphs": 2 if second is first else 1, "groups": groups}


def test_weights_of_edges_do_not_make_the_graph_anew(made):
    layer, ends = GCNConv(8, 8), EDGES.clone()
    for _ in range(10):
        layer(torch.randn(6, 8), ends, torch.rand(9, requires_grad=True)).sum().backward()
    assert made == {"graphs": 1, "groups": 2}


@pytest.mark.parametrize("layer", [SAGEConv(8, 8), GATConv(8, 8), GATConv(8, 8, add_self_loops=False)], ids=str)
def test_a_graph_with_lone_senders_is_made_once(layer, made):
    ends = EDGES.clone()
    for _ in range(10):
        layer((torch.randn(6, 8, requires_grad=True), None), ends, size=(6, 5)).sum().backward()
    assert made == {"graphs": 1, "groups": 2}


@pytest.mark.filterwarnings("ignore:Sparse")
def test_a_matrix_is_grouped_once(made):
    matrix = torch.sparse_coo_tensor(EDGES[:, :3], torch.ones(3), (6, 6)).coalesce().to_sparse_csr()
    layer = GCNConv(8, 8)
    for _ in range(10):
        layer(torch.randn(6, 8), matrix).sum().backward()
    assert made == {"graphs": 2, "groups": 2}


@pytest.mark.parametrize("theirs", [pyg.GCNConv, pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__)
def test_an_edge_index_that_changes_is_read_anew(theirs):
    layers, ends, x = pair(theirs, 8, 4), EDGES.clone(), torch.randn(6, 8, dtype=F64)
    assert_same(*layers, x, ends)
    ends[0, 0] = 5
    assert_same(*layers, x, ends)
    # More nodes, and another layer's options, on the same edges.
    assert_same(*layers, torch.randn(7, 8, dtype=F64), ends)
    if theirs is pyg.GCNConv:
        assert_same(*pair(theirs, 8, 4, improved=True), x, ends)
        assert_same(*pair(theirs, 8, 4, add_self_loops=False), x, ends)
        assert_close(layers[1].float()(x.float(), ends), layers[0].float()(x.float(), ends))


@pytest.mark.parametrize("make", [lambda: GCNConv(8, 4), lambda: GATConv(8, 4)], ids=["GCNConv", "GATConv"])
def test_a_graph_made_in_inference_mode_serves_training(make):
    layer, ends, x = make(), EDGES.clone(), torch.randn(6, 8)
    with torch.inference_mode():
        truth = layer(x, ends)
    out = layer(x, ends)
    out.sum().backward()
    assert_close(out, truth)


def test_what_is_remembered_goes_with_its_tensor():
    gc.collect()
    before, ends = len(_SEEN), EDGES.clone()
    GCNConv(8, 4)(torch.randn(6, 8), ends)
    GATConv(8, 4)(torch.randn(6, 8), ends)
    assert len(_SEEN) == before + 1
    for key in range(100):
        assert remembered(ends, key, lambda key=key: key) == key
    assert len(_SEEN[ends][1]) < 20
    del ends
    gc.collect()
    assert len(_SEEN) == before


def test_tensors_of_inference_mode_are_read_anew_where_they_change():
    with torch.inference_mode():
        ends = torch.tensor([[0, 1], [1, 2]])
        graph = with_new_loops(ends, 3, 3)[1]
        assert with_new_loops(ends, 3, 3)[1] is graph
        ends[0, 0] = 2
        assert with_new_loops(ends, 3, 3)[1].edge_index()[0].tolist() == [2, 1, 0, 1, 2]
