import os
import random

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("graphattn", deadline=None, derandomize=True)
settings.load_profile("graphattn")

# The workers of pytest-xdist share the cores; torch would start a thread per core in each.
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - what libraries draw from
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def names(doctest_namespace):
    """What examples in docstrings may use without importing it."""
    from graphattn import GCN, Edges, Full, SelfAttention, Star

    doctest_namespace.update(torch=torch, GCN=GCN, Edges=Edges, Full=Full, SelfAttention=SelfAttention, Star=Star)
