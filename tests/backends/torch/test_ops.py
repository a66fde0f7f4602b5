import torch
from torch.testing import assert_close

from graphattn.backends.torch import functions, ops
from graphattn.topology import Edges

F64 = torch.float64


def graph_of(edges=50, nodes=9):
    return Edges(torch.randint(0, nodes, (2, edges)), nodes)


def test_products_in_tiles_are_those_of_matrices(monkeypatch):
    ptr, sender, _ = graph_of().by_receiver()
    left, right = torch.randn(9, 6, 4, dtype=F64), torch.randn(9, 3, 4, dtype=F64)
    truth = ops.products(left, right, ptr, sender)
    monkeypatch.setattr(ops, "_TILE", 7 * 24)
    assert len(list(ops.tiles(50, 24))) == 8
    assert_close(ops.in_tiles(left, right, ptr, sender), truth)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert_close(ops.products(left, right, ptr, sender), truth)


def test_fewer_heads_at_the_other_end_serve_several():
    graph = graph_of()
    receiver, sender = graph.edge_index()[1], graph.edge_index()[0]
    order, ends = graph.by_receiver().number.long(), functions.to_senders(graph)
    weight, x = torch.randn(50, 6, dtype=F64, requires_grad=True), torch.randn(9, 3, 4, dtype=F64, requires_grad=True)
    left = torch.randn(9, 6, 4, dtype=F64, requires_grad=True)
    wide = x.repeat_interleave(2, dim=1)
    found = functions.sums(weight, x, ends)
    truth = x.new_zeros(9, 6, 4).index_add(0, receiver[order], weight[..., None] * wide[sender[order]])
    assert_close(found, truth)
    for ours, theirs in zip(*(torch.autograd.grad(y.sin().sum(), (weight, x)) for y in (found, truth)), strict=True):
        assert_close(ours, theirs)
    found, truth = functions.products(left, x, ends), (left[receiver] * wide[sender]).sum(-1)[order]
    assert_close(found, truth)
    for ours, theirs in zip(*(torch.autograd.grad(y.sin().sum(), (left, x)) for y in (found, truth)), strict=True):
        assert_close(ours, theirs)


def test_a_softmax_of_nothing_is_zero():
    ends = functions.to_senders(Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]), 4))
    score = torch.tensor([[-torch.inf], [1e4], [1e4]], requires_grad=True)
    alpha = functions.softmax(score, ends)
    assert alpha.flatten().tolist() == [0, 0.5, 0.5]
    alpha[1].sum().backward()
    assert score.grad.flatten().tolist() == [0, 0.25, -0.25]


def test_features_have_one_receiver_each():
    graph = graph_of()
    ends = functions.to_features(graph)
    assert torch.equal(ends.row.long(), graph.edge_index()[1])
    assert torch.equal(ends.other[ends.place.long()].long(), torch.arange(50))


def test_there_may_be_more_edges_than_pairs_of_nodes():
    ptr, sender, _ = graph_of(edges=50, nodes=3).by_receiver()
    left, right = torch.randn(3, 2, 4, dtype=F64), torch.randn(3, 2, 4, dtype=F64)
    row = ops.row_of(ptr, 50).long()
    assert_close(ops.products(left, right, ptr, sender), (left[row] * right[sender.long()]).sum(-1))
