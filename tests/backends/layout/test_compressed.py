"""Edges are grouped alike, whether they are sorted or counted into rows."""

import pytest
import torch

from graphattn.backends.layout import compressed
from graphattn.backends.layout.compressed import compress
from graphattn.topology import Edges


@pytest.mark.parametrize(("edges", "rows", "others"), [(1, 1, 1), (50, 7, 3), (500, 5, 900), (6, 1000, 2)])
def test_counting_equals_sorting(monkeypatch, edges, rows, others):
    # Few nodes: edges between the same two stand beside each other, and must not become one.
    row, other = torch.randint(rows, (edges,)), torch.randint(others, (edges,))
    monkeypatch.setattr(compressed, "_MANY", edges + 1)
    sorted_ = compress(row, other, rows + 2)
    monkeypatch.setattr(compressed, "_MANY", 0)
    counted = compress(row, other, rows + 2)
    for one, another in zip(sorted_, counted, strict=True):
        assert one.dtype == another.dtype == torch.int32
        assert one.tolist() == another.tolist()


def test_edges_of_one_pair_keep_their_order():
    ends = torch.tensor([[0] * 5000, [1] * 5000])
    graph = Edges(ends, 3)
    assert graph.by_receiver().number.tolist() == graph.by_sender().number.tolist() == list(range(5000))
    assert graph.by_receiver().ptr.tolist() == [0, 0, 5000, 5000]
    assert graph.by_sender().ptr.tolist() == [0, 5000, 5000, 5000]
