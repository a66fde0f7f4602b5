"""Text and sound as graphs: tokenisers, and the ``Data`` they make, a node for each token or frame.

A sequence is ``Data(token=[N])``; what is asked of it is ``y``, one number for each node or for the graph. Batches are PyG's:
graphs of unequal length one behind the other, without padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, final

import torch
from torch import Tensor
from torch_geometric.data import Data


class Tokeniser(Protocol):
    """Text to token numbers below ``size``, and back."""

    size: int

    def encode(self, text: str) -> Tensor: ...

    def decode(self, tokens: Tensor) -> str: ...


@final
class Symbols:
    """A tokeniser of known symbols, numbered in their order; see :func:`characters` and :func:`words`.

    Args:
        symbols: all that there are.
        split: cuts a text into symbols.
        between: what stands between two symbols in a text.

    Raises:
        ValueError: a symbol given twice; in ``encode``, a text with one that is not there.

    >>> tokeniser = characters(["abba", "cab"], special=["<end>"])
    >>> tokeniser.symbols, tokeniser.encode("cab")
    (('<end>', 'a', 'b', 'c'), tensor([3, 1, 2]))
    >>> tokeniser.decode(torch.tensor([2, 1, 0])), tokeniser.number["<end>"]
    ('ba<end>', 0)
    """

    def __init__(self, symbols: Sequence[str], split: Callable[[str], Sequence[str]], between: str) -> None:
        self.symbols, self.split, self.between = tuple(symbols), split, between
        self.number = {symbol: number for number, symbol in enumerate(self.symbols)}
        self.size = len(self.symbols)
        if len(self.number) != self.size:
            twice = sorted({symbol for symbol in self.symbols if self.symbols.count(symbol) > 1})
            raise ValueError(f"expected symbols that differ, got {', '.join(map(repr, twice))} more than once")

    def encode(self, text: str) -> Tensor:
        """The numbers of a text's symbols, ``[N]``."""
        parts = self.split(text)
        unknown = [part for part in parts if part not in self.number]
        if unknown:
            raise ValueError(f"expected symbols of {self}, got {unknown[0]!r}")
        return torch.tensor([self.number[part] for part in parts], dtype=torch.long)

    def decode(self, tokens: Tensor) -> str:
        """The text of some numbers."""
        return self.between.join(self.symbols[token] for token in tokens.tolist())

    def __repr__(self) -> str:
        return f"Symbols(size={self.size}, first={self.symbols[:3]})"


def characters(texts: Iterable[str], special: Sequence[str] = ()) -> Symbols:
    """A tokeniser of the characters in some texts, sorted, behind special symbols, which no text is cut into."""
    return Symbols([*special, *sorted(set().union(*texts))], list, "")


def words(texts: Iterable[str], special: Sequence[str] = ()) -> Symbols:
    """A tokeniser of the words in some texts, what stands between blanks; as :func:`characters`.

    >>> words(["to be or not to be"]).encode("not to be")
    tensor([1, 3, 0])
    """
    return Symbols([*special, *sorted({word for text in texts for word in text.split()})], str.split, " ")


@final
class Bytes:
    """A tokeniser of the bytes of UTF-8: any text, 256 tokens, nothing to learn.

    >>> Bytes().encode("né"), Bytes().decode(torch.tensor([110, 195, 169]))
    (tensor([110, 195, 169]), 'né')
    """

    size = 256

    def encode(self, text: str) -> Tensor:
        """The numbers of a text's bytes, ``[N]``."""
        return torch.tensor(list(text.encode()), dtype=torch.long)

    def decode(self, tokens: Tensor) -> str:
        """The text of some bytes; a byte that is no character becomes a replacement sign."""
        return bytes(tokens.tolist()).decode(errors="replace")


@final
class Pretrained:
    """A real vocabulary, by the ``tokenizers`` library: a file that it wrote, or :func:`byte_pairs` of some texts.

    A vocabulary may ask for padding and for texts to be cut; neither is done here.

    Args:
        source: a ``tokenizer.json``, or a ``tokenizers.Tokenizer``.

    Raises:
        ImportError: the library is not there.
    """

    def __init__(self, source: str | Path | Any) -> None:
        tokenizer = _library().Tokenizer
        of_file = isinstance(source, str | Path)
        self.tokenizer = tokenizer.from_file(str(source)) if of_file else tokenizer.from_str(source.to_str())
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.size: int = self.tokenizer.get_vocab_size()

    def encode(self, text: str) -> Tensor:
        """The numbers of a text's tokens, ``[N]``."""
        return torch.tensor(self.tokenizer.encode(text).ids, dtype=torch.long)

    def decode(self, tokens: Tensor) -> str:
        """The text of some tokens."""
        return self.tokenizer.decode(tokens.tolist())


def byte_pairs(texts: Iterable[str], size: int, special: Sequence[str] = ()) -> Pretrained:
    """A vocabulary of byte pairs learned from some texts (Sennrich et al. 2016), by the ``tokenizers`` library.

    Args:
        texts: what to learn from.
        size: tokens wanted, of which 256 are the bytes.
        special: symbols that stand first in the vocabulary.

    Raises:
        ImportError: the library is not there.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    alphabet = library.pre_tokenizers.ByteLevel.alphabet()
    options = {"vocab_size": size, "special_tokens": list(special), "initial_alphabet": alphabet}
    trainer = library.trainers.BpeTrainer(show_progress=False, **options)
    tokenizer.train_from_iterator(texts, trainer)
    return Pretrained(tokenizer)


def sequence(tokens: Tensor | Sequence[int], y: Tensor | Sequence[int] | int | None = None) -> Data:
    """A graph of tokens without edges: ``token [N]``, and ``y``, one for each token or one for the sequence.

    >>> sequence([4, 2, 7], y=1)
    Data(token=[3], num_nodes=3, y=[1])
    """
    numbers = torch.as_tensor(tokens, dtype=torch.long)
    data = Data(token=numbers, num_nodes=numbers.numel())
    if y is not None:
        data.y = torch.atleast_1d(torch.as_tensor(y))
    return data


def next_token(tokens: Tensor | Sequence[int]) -> Data:
    """A sequence in which each token is asked for the next one: ``token [N]`` and ``y [N]``, from ``N + 1`` tokens.

    >>> data = next_token([1, 2, 3])
    >>> data.token, data.y
    (tensor([1, 2]), tensor([2, 3]))
    """
    numbers = torch.as_tensor(tokens, dtype=torch.long)
    # Of their own, so that what is written into one does not change the other.
    return sequence(numbers[:-1].clone(), numbers[1:].clone())


def stretches(tokens: Tensor, length: int) -> list[Data]:
    """A long text cut into sequences of ``length`` for a language model, each asked for its next tokens; the rest is left.

    >>> [data.token.tolist() for data in stretches(torch.arange(6), length=2)]
    [[0, 1], [2, 3]]
    """
    return [next_token(tokens[start : start + length + 1]) for start in range(0, tokens.numel() - length, length)]


def question(source: Tensor | Sequence[int], target: Tensor | Sequence[int], start: int, end: int) -> Data:
    """A pair of sequences for a :class:`~graphattn.models.Seq2Seq`: nodes are those of the answer, the source is a memory.

    ``source [M]`` with their number ``sources [1]``, ``token`` is ``start`` and the target, ``y`` the target and ``end``.

    >>> question([5, 6, 7], [8, 9], start=0, end=1)
    Data(token=[3], num_nodes=3, y=[3], source=[3], sources=[1])
    """
    answer = torch.as_tensor(target, dtype=torch.long)
    data = next_token(torch.cat([answer.new_tensor([start]), answer, answer.new_tensor([end])]))
    data.source = torch.as_tensor(source, dtype=torch.long)
    data.sources = torch.tensor([data.source.numel()])
    return data


def frames(sound: Tensor, size: int, hop: int) -> Tensor:
    r"""A sound cut into overlapping frames, :math:`x_i = (s_{i h}, \dots, s_{i h + n - 1})`; samples behind the last are left.

    Args:
        sound: samples ``[T]``.
        size: samples of a frame ``n``.
        hop: samples from one frame to the next ``h``.

    Shapes: ``[T] -> [N, n]``. A node for each: ``Data(x=frames(...))``; their spectra are ``torch.fft.rfft(frames).abs()``.

    Raises:
        ValueError: another shape, or a size or hop below 1.

    >>> frames(torch.arange(7), size=4, hop=2)
    tensor([[0, 1, 2, 3],
            [2, 3, 4, 5]])
    """
    if sound.dim() != 1 or size < 1 or hop < 1:
        raise ValueError(
            f"expected samples [T], a size and a hop of 1 or more, got {list(sound.shape)}, size={size} and hop={hop}"
        )
    return sound.unfold(0, size, hop) if sound.numel() >= size else sound.new_empty(0, size)


def _library() -> Any:
    try:
        return import_module("tokenizers")
    except ImportError as error:
        raise ImportError("real vocabularies need pip install 'graphattn[tokenizers]'") from error
