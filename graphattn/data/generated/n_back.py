"""The n-back task of psychology (Kirchner 1958): is this what was shown n steps ago?"""

from __future__ import annotations

import torch
from torch_geometric.data import Data

from graphattn.data.sequences import sequence


def n_back(
    count: int, n: int = 3, symbols: int = 4, length: float = 20.0, spread: float = 5.0, seed: int = 0
) -> list[Data]:
    r"""Sequences of symbols, each asked whether it is the one ``n`` steps before: ``token [N]``, ``y [N]``.

    .. math:: y_i = [t_i = t_{i - n}], \quad 0 \ \text{for}\ i < n

    Args:
        count: sequences.
        n: steps back.
        symbols: how many there are, drawn evenly.
        length, spread: of the normal distribution of lengths, which are at least 1.
        seed: of lengths and symbols.

    >>> data = n_back(1, n=2, symbols=2, seed=1)[0]
    >>> data.token[:8], data.y[:8]
    (tensor([...]), tensor([0, 0, ...]))
    """
    generator = torch.Generator().manual_seed(seed)
    lengths = (length + spread * torch.randn(count, generator=generator)).round().long().clamp(min=1)
    graphs = []
    for many in lengths.tolist():
        shown = torch.randint(symbols, (many,), generator=generator)
        y = torch.zeros_like(shown)
        y[n:] = (shown[n:] == shown[: max(many - n, 0)]).long()
        graphs.append(sequence(shown, y))
    return graphs
