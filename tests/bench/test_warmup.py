import pytest
import torch

from graphattn.backends.edges.backend import NUMBA, OnEdges
from graphattn.backends.numba.compiling import KERNELS
from graphattn.backends.numba.usable import SWITCH
from graphattn.bench import warmup


@pytest.fixture
def short(monkeypatch):
    """One precision and one width, which other tests compile anyway."""
    few = list(warmup.steps([8], [torch.float32]))
    monkeypatch.setattr(warmup, "steps", lambda: iter(few))
    return few


def test_every_step_is_one_that_kernels_compute(short):
    csr = OnEdges("csr", NUMBA)
    for step in short:
        _, graph, inputs = step.layer.prepare(
            step.x, torch.tensor([[0, 1], [1, 2]]), {k: v[:2] for k, v in step.edge.items()}
        )
        assert not list(csr.unsupported(step.layer, graph, inputs))


def test_a_second_run_compiles_nothing(short):
    warmup.warm_up()
    seen = []
    second = warmup.warm_up(lambda steps: (seen.append(step.name) or step for step in steps))
    assert (second.compiled, second.loaded) == (0, 0)
    assert seen == [step.name for step in short]
    assert all(kernel.signatures for kernel in KERNELS if kernel.py_func.__module__.endswith("extremes"))


def test_the_report_says_where_kernels_are():
    assert str(warmup.WarmUpReport(3, 4, 12.4, "/cache")) == "3 kernels compiled and 4 found in 12 s, kept in /cache"
    assert "not kept: no folder for them can be written" in str(warmup.WarmUpReport(3, 0, 1.0, None))


def test_without_numba_there_is_nothing_to_compile(monkeypatch):
    monkeypatch.setenv(SWITCH, "0")
    with pytest.raises(
        ValueError, match=r"expected a machine that can compile kernels, got one that needs Numba, .*=0"
    ):
        warmup.warm_up()
