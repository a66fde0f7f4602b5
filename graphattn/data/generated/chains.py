"""Markov chains: sequences in which the next token depends on the last alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.sequences import next_token


def transition_matrix(states: int, seed: int = 0) -> Tensor:
    """Rows drawn evenly from all distributions: ``[states, states]``, from row to column, float64.

    >>> transition_matrix(3).sum(1)
    tensor([1., 1., 1.], dtype=torch.float64)
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = -torch.rand(states, states, generator=generator, dtype=torch.float64).clamp(min=1e-300).log()
    return drawn / drawn.sum(1, keepdim=True)


def chains(matrix: Tensor, count: int, length: int, seed: int = 0) -> list[Data]:
    """Walks of a Markov chain, each token asked for the next: ``token [length]``, ``y [length]``.

    Args:
        matrix: probabilities from row to column, ``[states, states]``.
        count: walks, each of which starts anywhere.
        length: tokens of each.
        seed: of the walks.

    Raises:
        ValueError: a matrix that is not square, or with rows that do not sum to 1.

    >>> chains(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), count=1, length=4, seed=3)[0].token
    tensor([0, 1, 0, 1])
    """
    if (
        matrix.dim() != 2
        or matrix.size(0) != matrix.size(1)
        or not torch.allclose(matrix.sum(1), matrix.new_ones(()), atol=1e-5)
    ):
        raise ValueError(f"expected a square matrix with rows that sum to 1, got {list(matrix.shape)}: {matrix.sum(1)}")
    generator = torch.Generator().manual_seed(seed)
    walk = [torch.randint(matrix.size(0), (count,), generator=generator)]
    for _ in range(length):
        walk.append(torch.multinomial(matrix[walk[-1]], 1, generator=generator).squeeze(1))
    return [next_token(each) for each in torch.stack(walk, dim=1)]
