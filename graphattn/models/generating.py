"""Text from a language model: how the next token is chosen, and how the model is asked for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, final

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.blocks.cache import Cache
from graphattn.models.decoder import Decoder
from graphattn.topology import read_sizes

Choose = Callable[[Tensor], Tensor]
"""The next token of each sequence: ``logits [B, vocabulary] -> [B]``."""

Keep = Callable[[Tensor], Tensor]
"""Which tokens may be drawn: ``logits [B, vocabulary] -> [B, vocabulary]``, -inf for those that may not."""


def likeliest(logits: Tensor) -> Tensor:
    """The token of the highest logit, :data:`Choose`."""
    return logits.argmax(-1)


class TopK(NamedTuple):
    """Only the ``k`` likeliest tokens may be drawn (Fan et al. 2018), :data:`Keep`.

    Raises:
        ValueError: when it is called, a ``k`` below 1.

    >>> TopK(2)(torch.tensor([[1.0, 3.0, 2.0]]))
    tensor([[-inf, 3., 2.]])
    """

    k: int

    def __call__(self, logits: Tensor) -> Tensor:
        if self.k < 1:
            raise ValueError(f"expected a k of 1 or more, got {self.k}")
        least = logits.topk(min(self.k, logits.size(-1))).values[..., -1:]
        return logits.masked_fill(logits < least, -torch.inf)


class Nucleus(NamedTuple):
    """Only the fewest tokens that together have the probability ``share`` may be drawn (Holtzman et al. 2020), :data:`Keep`.

    >>> Nucleus(0.5)(torch.tensor([[0.1, 0.6, 0.3]]).log()).exp()
    tensor([[0.0, 0.6, 0.0]])
    """

    share: float

    def __call__(self, logits: Tensor) -> Tensor:
        sorted_logits, token = logits.sort(descending=True, stable=True)
        probability = sorted_logits.softmax(-1)
        # What the likelier ones lack of the share; the first token is always in.
        outside = probability.cumsum(-1) - probability >= self.share
        outside[..., 0] = False
        return logits.masked_fill(torch.zeros_like(outside).scatter(-1, token, outside), -torch.inf)


@final
class Sample:
    r"""Tokens drawn at random, :data:`Choose`: :math:`P(t) \propto \exp(\text{keep}(\text{logits} / T)_t)`.

    Args:
        temperature: ``T``; below 1 likely tokens are drawn more often still.
        keep: which tokens may be drawn, such as ``TopK(10)`` or ``Nucleus(0.9)``; all if not given.
        seed: of what is drawn.

    Raises:
        ValueError: a temperature that is not above 0.

    >>> Sample(temperature=0.5, keep=TopK(1))(torch.tensor([[1.0, 3.0, 2.0]]))
    tensor([1])
    """

    def __init__(self, temperature: float = 1.0, keep: Keep | None = None, seed: int = 0) -> None:
        if temperature <= 0:
            raise ValueError(f"expected a temperature above 0, got {temperature}")
        self.temperature, self.keep = temperature, keep
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, logits: Tensor) -> Tensor:
        scaled = logits.cpu() / self.temperature
        kept = scaled if self.keep is None else self.keep(scaled)
        return torch.multinomial(kept.softmax(-1), 1, generator=self.generator).squeeze(1).to(logits.device)


class Writer(Protocol):
    """Asks a model for the logits ``[B, vocabulary]`` behind each sequence, given what came to each since the last call."""

    def __call__(self, new: Sequence[Tensor]) -> Tensor: ...


@final
class Joining:
    """New tokens join the graph of those that were there, from a KV cache: the time for a token stays flat, :class:`Writer`."""

    def __init__(self, model: Decoder) -> None:
        self.model = model
        self.cache: Cache | None = None

    def __call__(self, new: Sequence[Tensor]) -> Tensor:
        data = token_batch(new)
        logits, self.cache = self.model.join(data, self.cache)
        return logits[data["ptr"][1:] - 1]


@final
class Anew:
    """The whole graph is heard again for every token, on any graph: the time for a token grows, :class:`Writer`."""

    def __init__(self, model: Decoder) -> None:
        self.model = model
        self.texts: list[Tensor] = []

    def __call__(self, new: Sequence[Tensor]) -> Tensor:
        before = self.texts or [tokens[:0] for tokens in new]
        self.texts = [torch.cat(both) for both in zip(before, new, strict=True)]
        data = token_batch(self.texts)
        return self.model(data)[data["ptr"][1:] - 1]


def token_batch(texts: Sequence[Tensor]) -> Data:
    """Sequences of tokens, one behind the other, as ``Batch.from_data_list`` lays them out: ``token [N]``, ``ptr [B + 1]``.

    >>> token_batch([torch.tensor([1, 2]), torch.tensor([3])]).ptr
    tensor([0, 2, 3])
    """
    token = torch.cat(list(texts))
    ptr = read_sizes([text.numel() for text in texts]).ptr.to(token.device)
    return Data(token=token, ptr=ptr, num_nodes=token.numel())


@torch.no_grad()
def generate(
    model: Decoder,
    prompts: Sequence[Tensor],
    length: int,
    choose: Choose = likeliest,
    writer: Callable[[Decoder], Writer] = Joining,
    end: int | None = None,
) -> list[Tensor]:
    """What a language model writes behind each prompt, prompt included.

    Args:
        model: in evaluation mode, if it has dropout.
        prompts: tokens ``[n]`` of each, one or more.
        length: new tokens at most.
        choose: how the next token is chosen: :func:`likeliest`, or :class:`Sample`.
        writer: how the model is asked: :class:`Joining` or :class:`Anew`, of equal results.
        end: a token behind which a sequence ends.

    Raises:
        ValueError: a prompt without tokens, or no prompt.

    >>> from graphattn.models import TokenEmbedding
    >>> model = Decoder(TokenEmbedding(10, channels=8), heads=2)
    >>> [text.numel() for text in generate(model, [torch.tensor([1, 2]), torch.tensor([3])], length=4)]
    [6, 5]
    """
    if not prompts or any(prompt.numel() == 0 for prompt in prompts):
        raise ValueError(f"expected prompts of one token or more, got {[prompt.numel() for prompt in prompts]} tokens")
    ask, new, texts = writer(model), list(prompts), [[prompt] for prompt in prompts]
    writing = [True] * len(texts)
    for _ in range(length):
        chosen = choose(ask(new))
        new = list(chosen.split(1))
        for number, token in enumerate(new):
            if writing[number]:
                texts[number].append(token)
                writing[number] = end is None or int(token) != end
        if not any(writing):
            break
    return [torch.cat(text) for text in texts]
