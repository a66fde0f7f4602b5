"""Samples that stay together when data are divided: those of one patient, one batch, one scaffold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch_geometric.data import Data


def group_keys(groups: ArrayLike | None, samples: Sequence[Any], what: str) -> list[str] | None:
    """The group of each sample as a text; None where all are free.

    >>> group_keys("patient", [Data(patient=7), Data(patient=8)], "graphs")
    ['7', '8']

    Args:
        groups: a label for each sample, or the name of an attribute that graphs have.
        samples: as they were given.
        what: they are called.

    Raises:
        ValueError: not as many groups as samples; a sample without one.
    """
    if groups is None:
        return None
    if isinstance(groups, str):
        held = [sample[groups] if isinstance(sample, Data) and groups in sample else None for sample in samples]
        held = [each.item() if isinstance(each, Tensor) and each.numel() == 1 else each for each in held]
    else:
        held = list(np.asarray(groups, dtype=object).tolist())
    if len(held) != len(samples):
        raise ValueError(f"expected as many groups as {what}, got {len(held)} groups for {len(samples)} {what}")
    without = [position for position, group in enumerate(held) if group is None or group != group or group == ""]
    if without:
        raise ValueError(f"expected a group for each of the {what}, got none at position {without[0]}")
    return list(map(str, held))


def together(keys: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Keys that are equal for samples of equal keys or of one group, through others as well.

    >>> together(["a", "a", "b", "c"], ["1", "2", "2", "3"])
    ['0', '0', '0', '1']
    """
    codes = [np.unique(each, return_inverse=True)[1] for each in (keys, groups)]
    count, ends = int(codes[0].max(initial=-1)) + 1, (codes[0], codes[1] + int(codes[0].max(initial=-1)) + 1)
    nodes = count + int(codes[1].max(initial=-1)) + 1
    parts = connected_components(coo_array((np.ones(len(keys)), ends), shape=(nodes, nodes)), directed=False)[1]
    return [str(parts[code]) for code in codes[0]]
