"""Every case runs on tiny graphs, and its sides give equal results."""

import pytest
import torch

from graphattn.bench import compiling
from graphattn.bench.cases import CASES, LARGE, QUICK, sparse
from graphattn.bench.comparison import COMPILED, OURS, difference
from graphattn.bench.measure import BOUND

TINY = {name: 16384 if name in LARGE else 100 for name in CASES}


@pytest.fixture(autouse=True)
def interpreted(monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch.compile, of what it reads itself
@pytest.mark.parametrize("name", CASES)
def test_sides_of_every_case_give_equal_results(name):
    steps = []
    for comparison in CASES[name].make(TINY[name]):
        steps.append(comparison.step)
        truth = comparison.sides[OURS]()
        peers = {side: step() for side, step in comparison.sides.items() if side != OURS}
        assert peers or comparison.left_out
        assert {side: apart for side, other in peers.items() if (apart := difference(truth, other)) > BOUND} == {}
        assert comparison.sizes
    assert tuple(steps) == CASES[name].steps


def test_quick_and_large_cases_are_cases():
    assert set(QUICK) < set(CASES)
    assert set(LARGE) < set(CASES)
    assert set(QUICK).isdisjoint(LARGE)


def test_peers_on_edges_are_pyg_and_pyg_compiled():
    (forward, both) = sparse.random(1000, 8, 16, 50)
    assert set(forward.sides) >= {OURS, "PyG", COMPILED}
    query_grad, *_ = both.sides[OURS]()
    assert query_grad.shape == (20, 8, 16)
    assert not forward.sides["PyG"]().requires_grad


def test_a_graph_too_large_for_pyg_says_how_large():
    (comparison,) = CASES[LARGE[0]].make(16384)
    assert "GiB" in comparison.left_out["PyG"]
    assert comparison.once


def test_results_of_different_size_or_without_a_number_differ():
    assert difference(torch.ones(2), torch.tensor([1.0, torch.nan])) == torch.inf
    assert difference([torch.zeros(0)], torch.zeros(0)) == 0
    with pytest.raises(ValueError, match="one size, got 2 numbers and 3"):
        difference(torch.ones(2), torch.ones(3))


def test_no_compiler_is_said_in_words(monkeypatch):
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    assert compiling.why_no_compiler().startswith("torch.compile needs a C++ compiler, and none of ")
    monkeypatch.setattr(compiling.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert compiling.why_no_compiler() == ""
