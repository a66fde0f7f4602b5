"""Kernels are safe under forks, loaders and threads, and give the same bits on any number of them."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from graphattn.backends.numba import threads
from graphattn.backends.numba.functions import attention
from graphattn.backends.numba.threads import openmp, pieces, ranges, run
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.zoo import SelfAttention

GRAPH = Edges(torch.randint(0, 3000, (2, 40_000), generator=torch.Generator().manual_seed(0)), 3000)
X = torch.randn(3000, 32, generator=torch.Generator().manual_seed(1))
LAYER = SelfAttention(32, heads=2)


def heard():
    """Attention alone, none of torch's own threaded operators: those hang in a forked child, whoever calls them."""
    state = X.view(3000, 2, 16)
    return attention(state, state, state, GRAPH)[0]


def step():
    """Values and gradients of one layer."""
    x = X.clone().requires_grad_()
    out = LAYER(x, GRAPH)
    return torch.cat([out, torch.autograd.grad(out.sin().sum(), x)[0]]).detach()


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Steps(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return step()


def test_bits_do_not_depend_on_threads(two_threads):
    many = step()
    assert torch.equal(many, step())
    torch.set_num_threads(1)
    assert torch.equal(many, step())


def test_python_threads_may_call_at_once(two_threads):
    truth = step()
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(result, truth) for result in pool.map(lambda _: step(), range(8)))


# Python warns of any fork in a process with threads.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_goes_on(two_threads):
    truth = heard()
    child = os.fork()
    if child == 0:
        os._exit(0 if (heard().numpy() == truth.numpy()).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers_of_a_loader_go_on(two_threads):
    truth = step()
    for batch in DataLoader(Steps(), num_workers=2, batch_size=None):
        assert torch.allclose(batch, truth, atol=1e-5)


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


def test_a_pool_gives_the_same_bits(either_team):
    many = step()
    torch.set_num_threads(1)
    assert torch.equal(many, step())


@pytest.mark.parametrize("flip", [False, True], ids=["hears many", "is heard by many"])
def test_a_node_with_very_many_edges_is_shared_among_threads(two_threads, flip):
    torch.manual_seed(0)
    ends = torch.stack([torch.randint(0, 9, (9000,)), torch.full((9000,), 4)])
    ends = torch.cat([ends, torch.tensor([[0, 1], [1, 2]])], dim=1)
    graph = Edges(ends.flip(0) if flip else ends, 9)
    assert len(pieces((graph.by_sender() if flip else graph.by_receiver()).ptr)[0]) == 9 + 2
    layer = SelfAttention(4, heads=2).double()
    assert "csr" in assert_backends_agree(layer, torch.randn(9, 4, dtype=torch.float64), graph)
