"""The parts that rows are done in: every edge once, hubs in order, the same for the same graph."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphattn.backends.triton import work
from graphattn.topology import Edges


@pytest.mark.parametrize("few", [0, 4096])
@given(degrees=st.lists(st.integers(0, 40), max_size=20), longest=st.integers(1, 50))
def test_every_row_and_every_edge_is_in_one_part(few, degrees, longest):
    ptr = torch.tensor([0, *degrees]).cumsum(0).int()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "_FEW", few)
        made = work.make_work(ptr, longest)
    parts = list(zip(made.row.tolist(), made.first.tolist(), made.last.tolist(), strict=True))
    assert {row for row, _, _ in parts} == set(range(len(degrees)))
    taken = [(row, edge) for row, first, last in parts for edge in range(first, last)]
    assert sorted(taken) == [(row, e) for row in range(len(degrees)) for e in range(ptr[row], ptr[row + 1])]
    assert all(last - first <= longest for _, first, last in parts)
    hubs = [row for row, degree in enumerate(degrees) if degree > longest]
    assert made.hub_row.tolist() == hubs
    for row, (low, high) in zip(hubs, zip(made.hub_ptr[:-1], made.hub_ptr[1:], strict=True), strict=True):
        of_hub = parts[low:high]
        assert [part[0] for part in of_hub] == [row] * len(of_hub)
        assert of_hub == sorted(of_hub)
    assert made.hubs.many == (int(made.hub_ptr[-1]) if hubs else 0)
    covered = [k for bucket in (made.hubs, *made.buckets) for k in range(bucket.begin, bucket.begin + bucket.many)]
    assert covered == list(range(len(parts)))


def test_many_rows_are_taken_by_their_length():
    ptr = torch.tensor([3, 12, 100] * 2000).cumsum(0)
    made = work.make_work(torch.cat([ptr.new_zeros(1), ptr]), 512)
    assert made.buckets == tuple(work.Bucket(2000 * k, 2000, step) for k, step in enumerate((32, 16, 4)))
    assert made.row[:3].tolist() == [2, 5, 8]


def test_work_is_made_once_for_a_graph():
    graph = Edges(torch.tensor([[0, 1], [1, 0]]))
    assert work.work_of(graph.by_receiver().ptr) is work.work_of(graph.by_receiver().ptr)
