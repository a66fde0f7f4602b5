"""Kernels in Triton: their own test files, run by a process in which Triton interprets them, and on a GPU where there is one."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from graphattn.aggregation import Max
from graphattn.backends import explain_backend
from graphattn.layer import GraphLayer
from graphattn.message import Copy
from graphattn.topology import Causal, Edges, Full
from graphattn.update import Replace
from graphattn.zoo import GAT, GCN, SelfAttention

FOLDER = Path(__file__).parents[1] / "triton"
ROOT = FOLDER.parents[2]
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def passes(file, **environment):
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / file)]
    known = (
        os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
        | environment
    )
    finished = subprocess.run(words, cwd=ROOT, env=known, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert " passed" in finished.stdout


@needs_triton
@pytest.mark.parametrize("file", ["on_edges.py", "on_small_graphs.py"])
def test_interpreted_kernels_equal_edgewise(file):
    passes(file, TRITON_INTERPRET="1")


@needs_triton
def test_kernels_are_compiled_for_hopper_without_a_gpu():
    passes("for_hopper.py", TRITON_INTERPRET="0", TRITON_DEFAULT_FP_FUSION="1")


@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("file", ["on_edges.py", "on_small_graphs.py", "flexible.py"])
def test_kernels_equal_edgewise_on_a_gpu(file):
    passes(file, TRITON_INTERPRET="0", TRITON_DEFAULT_FP_FUSION="1")


def test_reasons_are_told():
    ring, x = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]])), torch.randn(3, 8)
    here = "needs tensors on a CUDA device, got cpu"
    reasons = explain_backend(SelfAttention(8), x, ring).reasons
    assert reasons["cuda"] == [here]
    assert reasons["cuda_small"] == [here, "needs a topology of whole graphs (Full, Causal, Cross, Star), got Edges"]
    reasons = explain_backend(GCN(8, 8), x, Full([3])).reasons
    assert reasons["cuda"] == [here, "needs a list of edges (Edges), got Full"]
    assert reasons["cuda_small"] == [
        here,
        "needs the message Attend, got Scaled",
        "needs the aggregation SoftmaxSum, got Sum",
    ]
    largest = explain_backend(GraphLayer(Copy(), Max(), Replace()), x, ring).reasons["cuda"]
    assert largest == [here, "needs the aggregation Sum or Mean, got Max"]
    long = explain_backend(SelfAttention(8), torch.randn(129, 8), Causal([129])).reasons["cuda_small"]
    assert long == [here, "needs graphs of at most 128 nodes, got one of 129"]
    wide, many = SelfAttention(40), torch.randn(60, 40)
    assert explain_backend(wide, many, Causal([60])).reasons["cuda_small"] == [
        here,
        "needs at most 2048 numbers in a tile of torch.float32, got 64 nodes of 40 channels in a head",
    ]
    assert explain_backend(wide.bfloat16(), many.bfloat16(), Causal([60])).reasons["cuda_small"] == [here]
    terms = explain_backend(GAT(8, 4, heads=2), x, Full([3])).reasons["cuda_small"]
    assert terms == [here, "needs a score that is a multiple of the dot product, got SplitAdditive"]
