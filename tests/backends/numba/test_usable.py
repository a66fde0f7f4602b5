import subprocess
import sys

import pytest

from graphattn.backends.numba import usable


@pytest.fixture(autouse=True)
def forgotten():
    usable._import_problem.cache_clear()
    yield
    usable._import_problem.cache_clear()


def test_kernels_can_be_compiled_here():
    assert usable.why_not_usable() == []


def test_the_switch_turns_them_off(monkeypatch):
    monkeypatch.setenv("GRAPHATTN_NUMBA", "0")
    assert usable.why_not_usable() == ["needs Numba, which the environment variable GRAPHATTN_NUMBA=0 turns off"]


def test_a_numba_that_cannot_be_imported_is_told_and_tried_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    (reason,) = usable.why_not_usable()
    assert reason.startswith("needs Numba, which cannot be imported: ")
    assert "numba" in reason
    monkeypatch.undo()
    assert usable.why_not_usable() == [reason]


def test_layers_work_in_a_process_without_numba():
    script = """
import sys
sys.modules["numba"] = None
import torch
from graphattn import Edges, SelfAttention, explain_backend
layer, x, graph = SelfAttention(8), torch.randn(3, 8, requires_grad=True), Edges(torch.tensor([[0, 1], [1, 2]]))
layer(x, graph).sum().backward()
print(explain_backend(layer, x, graph).chosen, bool(x.grad.any()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sparse", "True"]
    assert done.stderr == ""
