"""Answers of an encoder and decoder: token by token the likeliest, or the best of several that are followed at once.

Letters: ``B`` sources, ``K`` answers followed for each, ``A = B K`` in all, ``V`` tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, final

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.blocks.cache import chosen
from graphattn.models.generating import token_batch
from graphattn.models.seq2seq import Seq2Seq


class AnswerWriter(Protocol):
    """Asks a model for the logits ``[A, V]`` behind each answer, whose newest token is ``token [A]``.

    It continues the answer ``parent [A]`` of the last call; itself, if None.
    """

    def __call__(self, token: Tensor, parent: Tensor | None = None) -> Tensor: ...


AnswersOf = Callable[[Seq2Seq, Data, int], AnswerWriter]
"""How a model is asked about sources, as :func:`source_batch` has them, with so many answers to each."""


@final
class JoiningAnswers:
    """New tokens join the answers, from a KV cache that parts as they do: time per token stays flat, :class:`AnswerWriter`."""

    def __init__(self, model: Seq2Seq, sources: Data, each: int = 1) -> None:
        self.model = model
        self.answers = model.begin(*model.encode(sources), each)

    def __call__(self, token: Tensor, parent: Tensor | None = None) -> Tensor:
        if parent is not None:
            self.answers = self.answers._replace(letters=chosen(self.answers.letters, parent))
        logits, self.answers = self.model.join(token_batch(token.split(1)), self.answers)
        return logits


@final
class AnswersAnew:
    """All that was written is heard again for every token: the time for a token grows, :class:`AnswerWriter`."""

    def __init__(self, model: Seq2Seq, sources: Data, each: int = 1) -> None:
        self.model = model
        self.memory, self.sizes = model.encode(sources)
        self.written = sources["source"].new_empty(each * sources["sources"].numel(), 0)

    def __call__(self, token: Tensor, parent: Tensor | None = None) -> Tensor:
        before = self.written if parent is None else self.written[parent]
        self.written = torch.cat([before, token.unsqueeze(1)], dim=1)
        logits = self.model.decode(token_batch(list(self.written)), self.memory, self.sizes)
        return logits.unflatten(0, self.written.shape)[:, -1]


@torch.no_grad()
def greedy_search(
    model: Seq2Seq,
    sources: Sequence[Tensor],
    start: int,
    end: int,
    length: int,
    writer: AnswersOf = JoiningAnswers,
) -> list[Tensor]:
    """The answer to each source, always going on with the likeliest token: ``[n]`` each, without ``start`` and ``end``.

    Args:
        model: in evaluation mode, if it has dropout.
        sources: tokens of each.
        start, end: the token before an answer, and the one behind it.
        length: tokens of an answer at most.
        writer: how the model is asked: :class:`JoiningAnswers` or :class:`AnswersAnew`, of equal results.

    >>> from graphattn.models import TokenEmbedding
    >>> model = Seq2Seq(TokenEmbedding(10, 8), TokenEmbedding(10, 8), heads=2)
    >>> len(greedy_search(model, [torch.tensor([5, 6]), torch.tensor([7])], start=0, end=1, length=4))
    2
    """
    asked = source_batch(sources)
    ask, tokens = writer(model, asked, 1), asked["source"].new_full((len(sources), 1), start)
    for _ in range(length):
        likeliest = ask(tokens[:, -1]).argmax(-1)
        ended = (tokens[:, 1:] == end).any(1)
        tokens = torch.cat([tokens, torch.where(ended, end, likeliest).unsqueeze(1)], dim=1)
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
    writer: AnswersOf = JoiningAnswers,
) -> list[Tensor]:
    r"""The best answer to each source among ``K`` that are followed at once, long ones not held back (Wu et al. 2016).

    .. math:: \text{score}(t) = \log P(t \mid s) \Big/ \Big(\frac{5 + |t|}{6}\Big)^{\alpha}

    Args:
        model, sources, start, end, length, writer: as in :func:`greedy_search`, which this is for a size of 1.
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
    asked, count = source_batch(sources), len(sources)
    ask, tokens = writer(model, asked, size), asked["source"].new_full((count, size, 1), start)
    nothing = model.target.table.new_full((model.target.table.size(0),), -torch.inf).index_fill(
        0, tokens.new_tensor([end]), 0.0
    )
    # Only one of the equal beginnings goes on.
    likelihood = nothing.new_full((count, size), -torch.inf).index_fill(1, tokens.new_zeros(1), 0.0)
    many, parent = torch.zeros_like(likelihood), None
    for _ in range(length):
        step = ask(tokens[..., -1].flatten(), parent).log_softmax(-1).unflatten(0, (count, size))
        ended = (tokens[..., 1:] == end).any(-1)
        total = likelihood.unsqueeze(-1) + torch.where(ended.unsqueeze(-1), nothing, step)
        many = many + (~ended).to(many.dtype)
        score = total / ((5 + many) / 6).pow(penalty).unsqueeze(-1)
        best = score.flatten(1).topk(size).indices
        number, token = best // step.size(-1), best % step.size(-1)
        likelihood, many = total.flatten(1).gather(1, best), many.gather(1, number)
        tokens = tokens.gather(1, number.unsqueeze(-1).expand_as(tokens))
        tokens = torch.cat([tokens, token.unsqueeze(-1)], dim=-1)
        if bool((tokens[..., 1:] == end).any(-1).all()):
            break
        parent = (number + size * torch.arange(count, device=number.device).unsqueeze(1)).flatten()
    # topk sorts: the first beam is the best.
    return [_answer(row, end) for row in tokens[:, 0]]


def source_batch(sources: Sequence[Tensor]) -> Data:
    """Sources alone, as a batch of questions lays them out.

    Raises:
        ValueError: no source.

    >>> source_batch([torch.tensor([5, 6]), torch.tensor([7])]).sources
    tensor([2, 1])
    """
    if not sources:
        raise ValueError("expected one source or more, got none")
    source = torch.cat(list(sources))
    return Data(source=source, sources=torch.tensor([each.numel() for each in sources], device=source.device))


def _answer(tokens: Tensor, end: int) -> Tensor:
    written = tokens[1:]
    stop = (written == end).nonzero()
    return written[: int(stop[0])] if stop.numel() else written
