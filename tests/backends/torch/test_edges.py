import torch
from torch.testing import assert_close

from graphattn.backends.layout.compressed import row_of
from graphattn.backends.torch import edges
from graphattn.topology import Edges

F64 = torch.float64


def graph_of(edges=50, nodes=9):
    return Edges(torch.randint(0, nodes, (2, edges)), nodes)


def test_products_in_tiles_are_those_of_matrices(monkeypatch):
    ptr, sender, _ = graph_of().by_receiver()
    for heads in (6, 1):
        left, right = torch.randn(9, 6, 4, dtype=F64), torch.randn(9, heads, 4, dtype=F64)
        truth = edges.products(left, right, ptr, sender)
        monkeypatch.setattr(edges, "_TILE", 7 * 24)
        assert len(list(edges.tiles(50, 24))) == 8
        assert_close(edges.in_tiles(left, right, ptr, sender), truth)
        with monkeypatch.context() as patch:
            patch.setattr(torch.backends.mkl, "is_available", lambda: False)
            assert_close(edges.products(left, right, ptr, sender), truth)


def test_there_may_be_more_edges_than_pairs_of_nodes():
    ptr, sender, _ = graph_of(edges=50, nodes=3).by_receiver()
    left, right = torch.randn(3, 2, 4, dtype=F64), torch.randn(3, 2, 4, dtype=F64)
    row = row_of(ptr, 50).long()
    assert_close(edges.products(left, right, ptr, sender), (left[row] * right[sender.long()]).sum(-1))
