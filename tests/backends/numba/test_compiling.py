"""Compiling is announced once for a process; what is found on disk is not."""

import os
import subprocess
import sys

SCRIPT = """
import numba
import torch
from graphattn import Edges
from graphattn.backends.operators.products import senders, spmm

numba.njit(lambda x: x + 1)(1)  # somebody else's
graph, x = Edges(torch.tensor([[0, 1], [1, 0]])), torch.ones(2, 1, 1)
spmm(torch.ones(2, 1), x, senders(graph, "numba"))
spmm(torch.ones(2, 1).double(), x.double(), senders(graph, "numba"))
"""


def said(cache):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )
    return done.stderr.splitlines()


def test_the_first_compilation_is_announced_and_what_is_kept_is_not(tmp_path):
    first = said(tmp_path)
    assert len(first) == 1
    assert "`graphattn warmup` does it ahead" in first[0]
    assert said(tmp_path) == []
