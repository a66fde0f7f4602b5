"""Rows are divided by sizes alone, every range is computed once, and errors reach the caller."""

from itertools import pairwise

import pytest
import torch

from graphattn.backends.numba import threads
from graphattn.backends.numba.threads import openmp, pieces, ranges, run
from graphattn.topology import Edges


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "degrees",
    [[], [0], [0, 0, 5], [10**6], [3] * 5000, [10**5, *[1] * 99], [0] * 99 + [10**6]],
    ids=lambda d: str(d[:3]),
)
def test_ranges_cover_all_rows_and_share_the_work(degrees):
    ptr = torch.tensor([0, *degrees]).cumsum(0)
    bounds = ranges(ptr, work_per_edge=64)
    assert bounds[0] == 0
    assert bounds[-1] == len(degrees)
    assert bounds == sorted(set(bounds))
    work = [int(ptr[high] - ptr[low]) for low, high in pairwise(bounds)]
    assert max(work, default=0) <= max(max(degrees, default=0), 2 * sum(degrees) / max(len(work), 1) + 1)


@pytest.fixture(params=["torch's threads", "a pool"])
def either_team(request, two_threads, monkeypatch):
    if request.param == "a pool":
        monkeypatch.setattr(threads, "openmp", lambda: None)
    elif openmp() is None:
        pytest.skip("this system does not tell which OpenMP library torch computes with")


def test_every_range_is_handled_once(either_team):
    handled = []
    run(lambda low, high, shift: handled.append((low + shift, high + shift)), [0, 2, 5, 5, 9], 10)
    assert sorted(handled) == [(10, 12), (12, 15), (15, 15), (15, 19)]


def test_errors_of_threads_reach_the_caller(either_team):
    def broken(low, high):
        if low == 2:
            raise IndexError(f"row {low}")

    with pytest.raises(IndexError, match="row 2"):
        run(broken, [0, 2, 5, 9])


def test_a_node_with_very_many_edges_is_several_pieces():
    ends = torch.stack([torch.arange(9000) % 9, torch.full((9000,), 4)])
    row, start = pieces(Edges(ends, 9).by_receiver().ptr)
    assert row.tolist() == [0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8]
    assert start.tolist() == [0, 0, 0, 0, 0, 4096, 8192, 9000, 9000, 9000, 9000, 9000]
