"""Boolean functions of bits: a node for each bit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.sequences import sequence


def xor() -> list[Data]:
    """All four inputs of exclusive or: two bits as tokens that are joined by edges, and ``y [1]``.

    >>> [(data.token.tolist(), int(data.y)) for data in xor()]
    [([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0)]
    """
    graphs = [sequence([a, b], y=a ^ b) for a in (0, 1) for b in (0, 1)]
    for graph in graphs:
        graph.edge_index = torch.tensor([[0, 1], [1, 0]])
    return graphs


def sparse_and(count: int, bits: int, relevant: int = 3, seed: int = 0) -> list[Data]:
    r"""Bits of which a few decide: the label is their AND.

    .. math:: y = \prod_{i \in R} b_i \qquad P(b_i = 1) = 0.5^{1 / |R|}

    so that half of the labels are 1. ``true_input [N]`` marks ``R``, which is the same in all graphs of one seed.

    Args:
        count: graphs.
        bits: nodes of each.
        relevant: how many bits decide.
        seed: of the bits; ``R`` is drawn from ``relevant`` and ``bits`` alone, so that other seeds are new data of one function.

    Raises:
        ValueError: more relevant bits than there are, or none.

    >>> graphs = sparse_and(1000, bits=10)
    >>> sum(float(data.y) for data in graphs) / 1000
    0.5...
    >>> all(bool(data.y) == bool(data.token[data.true_input].all()) for data in graphs)
    True
    """
    if not 0 < relevant <= bits:
        raise ValueError(f"expected from 1 to {bits} relevant bits, got {relevant}")
    chosen = _chosen(bits, relevant)
    drawn = torch.rand(count, bits, generator=_generator(seed)) < 0.5 ** (1 / relevant)
    return [_marked(each.long(), int(each[chosen].all()), chosen) for each in drawn]


def two_rules(count: int, bits: int, seed: int = 0) -> list[Data]:
    r"""Two rules and a bit that says which one holds: the label is the AND of its two bits.

    .. math:: y = b_i b_j \ \text{if the query is 0, else}\ b_k b_l \qquad P(b = 1) = 0.5^{1 / 2}

    The first node is the query, of token 2 or 3, then come the bits. ``true_input [N]`` marks the query and the two bits of its
    rule. The four bits are the same in all graphs.

    Args:
        count: graphs.
        bits: nodes of each, besides the query.
        seed: of bits and queries.

    Raises:
        ValueError: fewer than four bits.

    >>> graphs = two_rules(1000, bits=10)
    >>> graphs[0].token.numel(), sum(float(data.y) for data in graphs) / 1000
    (11, 0.5...)
    """
    if bits < 4:
        raise ValueError(f"expected at least 4 bits for two rules of 2, got {bits}")
    generator = _generator(seed)
    rules = _chosen(bits, 4).view(2, 2) + 1
    query = torch.randint(2, (count, 1), generator=generator)
    drawn = torch.rand(count, bits, generator=generator) < 0.5**0.5
    graphs = []
    for each in torch.cat([query + 2, drawn.long()], dim=1):
        rule = rules[each[0] - 2]
        graphs.append(_marked(each, int(each[rule].all()), torch.cat([rule.new_zeros(1), rule])))
    return graphs


def _marked(tokens: Tensor, label: int, chosen: Tensor) -> Data:
    data = sequence(tokens, y=label)
    data.true_input = torch.zeros(tokens.numel(), dtype=torch.bool).index_fill(0, chosen, True)
    return data


def _chosen(bits: int, relevant: int) -> Tensor:
    return torch.randperm(bits, generator=_generator(bits))[:relevant]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
