import os

# The models of the tests are tiny: two threads would only wait for each other. Examples and commands inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import random
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import settings

# Kernels for CUDA import Triton, which is there on Linux only.
if find_spec("triton") is None:
    collect_ignore_glob = ["graphattn/backends/triton/*"]

settings.register_profile("graphattn", deadline=None, derandomize=True)
settings.load_profile("graphattn")


@pytest.hookimpl(tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> None:
    # Modules are imported here; what they draw is the same, whichever others are, and not what their tests draw.
    draw_from(1)


@pytest.fixture(autouse=True)
def seed():
    draw_from(0)


def draw_from(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what libraries draw from
    torch.manual_seed(seed)


@pytest.fixture(autouse=True, scope="session")
def names(doctest_namespace):
    """What examples in docstrings may use without importing it."""
    from graphattn import GCN, Edges, Full, SelfAttention, Star

    doctest_namespace.update(torch=torch, GCN=GCN, Edges=Edges, Full=Full, SelfAttention=SelfAttention, Star=Star)
