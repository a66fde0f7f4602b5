"""Answers of an encoder and decoder: token by token the likeliest, or the best of several that are followed at once.

Letters: ``B`` sources, ``K`` answers followed for each, ``V`` tokens of the vocabulary, ``t`` tokens written.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.models.generating import token_batch
from graphattn.models.seq2seq import Seq2Seq
from graphattn.slots import Sizes
from graphattn.topology import read_sizes


@torch.no_grad()
def greedy_search(model: Seq2Seq, sources: Sequence[Tensor], start: int, end: int, length: int) -> list[Tensor]:
    """The answer to each source, always going on with the likeliest token: ``[n]`` each, without ``start`` and ``end``.

    Args:
        model: in evaluation mode, if it has dropout.
        sources: tokens of each.
        start, end: the token before an answer, and the one behind it.
        length: tokens of an answer at most.

    >>> from graphattn.models import TokenEmbedding
    >>> model = Seq2Seq(TokenEmbedding(10, 8), TokenEmbedding(10, 8), heads=2)
    >>> len(greedy_search(model, [torch.tensor([5, 6]), torch.tensor([7])], start=0, end=1, length=4))
    2
    """
    memory, sizes = model.encode(source_batch(sources))
    tokens = torch.full((len(sources), 1), start, device=memory.device)
    for _ in range(length):
        chosen = _behind(model, tokens, memory, sizes).argmax(-1)
        ended = (tokens[:, 1:] == end).any(1)
        tokens = torch.cat([tokens, torch.where(ended, end, chosen).unsqueeze(1)], dim=1)
        if bool((tokens[:, 1:] == end).any(1).all()):
            break
    return [_answer(row, end) for row in tokens]


@torch.no_grad()
def beam_search(
    model: Seq2Seq,
    sources: Sequence[Tensor],
    start: int,
    end: int,
    length: int,
    size: int = 4,
    penalty: float = 0.6,
) -> list[Tensor]:
    r"""The best answer to each source among ``K`` that are followed at once, long ones not held back (Wu et al. 2016).

    .. math:: \text{score}(t) = \log P(t \mid s) \Big/ \Big(\frac{5 + |t|}{6}\Big)^{\alpha}

    Args:
        model, sources, start, end, length: as in :func:`greedy_search`, which this is for a size of 1.
        size: ``K``.
        penalty: :math:`\alpha`; 0 prefers short answers.

    Raises:
        ValueError: a size below 1.

    >>> from graphattn.models import TokenEmbedding
    >>> model = Seq2Seq(TokenEmbedding(10, 8), TokenEmbedding(10, 8), heads=2)
    >>> len(beam_search(model, [torch.tensor([5, 6]), torch.tensor([7])], start=0, end=1, length=4, size=3))
    2
    """
    if size < 1:
        raise ValueError(f"expected a beam of size 1 or more, got {size}")
    memory, sizes = _repeated(*model.encode(source_batch(sources)), size)
    tokens = torch.full((len(sources), size, 1), start, device=memory.device)
    # Only one of the equal beginnings goes on.
    likelihood = memory.new_full((len(sources), size), -torch.inf).index_fill(1, tokens.new_zeros(1), 0.0)
    many = torch.zeros_like(likelihood)
    for _ in range(length):
        ended = (tokens[..., 1:] == end).any(-1)
        step = _behind(model, tokens.flatten(0, 1), memory, sizes).log_softmax(-1).unflatten(0, (-1, size))
        nothing = torch.full_like(step[0, 0], -torch.inf).index_fill(0, tokens.new_tensor([end]), 0.0)
        total = likelihood.unsqueeze(-1) + torch.where(ended.unsqueeze(-1), nothing, step)
        many = many + (~ended).to(many.dtype)
        score = total / ((5 + many) / 6).pow(penalty).unsqueeze(-1)
        best = score.flatten(1).topk(size).indices
        parent, chosen = best // step.size(-1), best % step.size(-1)
        likelihood, many = total.flatten(1).gather(1, best), many.gather(1, parent)
        tokens = tokens.gather(1, parent.unsqueeze(-1).expand_as(tokens))
        tokens = torch.cat([tokens, chosen.unsqueeze(-1)], dim=-1)
        if bool((tokens[..., 1:] == end).any(-1).all()):
            break
    # topk sorts: the first beam is the best.
    return [_answer(row, end) for row in tokens[:, 0]]


def source_batch(sources: Sequence[Tensor]) -> Data:
    """Sources alone, as a batch of questions lays them out.

    >>> source_batch([torch.tensor([5, 6]), torch.tensor([7])]).sources
    tensor([2, 1])
    """
    source = torch.cat(list(sources))
    return Data(source=source, sources=torch.tensor([each.numel() for each in sources], device=source.device))


def _behind(model: Seq2Seq, tokens: Tensor, memory: Tensor, sizes: Sizes) -> Tensor:
    """Logits ``[B, V]`` behind ``tokens [B, t]``."""
    return model.decode(token_batch(list(tokens)), memory, sizes).unflatten(0, tokens.shape)[:, -1]


def _repeated(memory: Tensor, sizes: Sizes, times: int) -> tuple[Tensor, Sizes]:
    """Each source's memory ``times`` times, one behind the other."""
    counts = sizes.ptr.diff().repeat_interleave(times)
    start = sizes.ptr[:-1].repeat_interleave(times)
    repeated = read_sizes(ptr=torch.cat([counts.new_zeros(1), counts.cumsum(0)]))
    row = torch.arange(int(repeated.ptr[-1]), device=memory.device)
    return memory.index_select(0, row + (start - repeated.ptr[:-1]).repeat_interleave(counts)), repeated


def _answer(tokens: Tensor, end: int) -> Tensor:
    written = tokens[1:]
    stop = (written == end).nonzero()
    return written[: int(stop[0])] if stop.numel() else written
