"""Questions about numbers, and their answers, as text."""

from __future__ import annotations

import operator
from typing import NamedTuple

import torch

_PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands", "hundred thousands")
_SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class Question(NamedTuple):
    """A question and its answer."""

    source: str
    target: str


def arithmetic(count: int, digits: int = 2, signs: str = "+-", seed: int = 0) -> list[Question]:
    """Sums and the like of two numbers below ``10 ** digits``.

    Args:
        count: questions.
        digits: of the numbers, at most.
        signs: of ``+``, ``-`` and ``*``.
        seed: of all that is drawn.

    Raises:
        ValueError: another sign.

    >>> arithmetic(2)
    [Question(source='...', target='...'), Question(source='...', target='...')]
    """
    unknown = sorted(set(signs) - set(_SIGNS))
    if unknown or not signs:
        raise ValueError(f"expected signs of {''.join(_SIGNS)}, got {signs!r}")
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randint(10**digits, (count, 2), generator=generator).tolist()
    drawn = torch.randint(len(signs), (count,), generator=generator).tolist()
    return [
        Question(f"{a}{signs[k]}{b}=", str(_SIGNS[signs[k]](a, b))) for (a, b), k in zip(numbers, drawn, strict=True)
    ]


def place_values(count: int, digits: int = 5, seed: int = 0) -> list[Question]:
    """Which digit of a number stands at a place, in numbers of 1 to ``digits`` digits, each as often.

    Args:
        count: questions.
        digits: of a number, at most 6.
        seed: of all that is drawn.

    Raises:
        ValueError: digits beyond 1 to 6.

    >>> place_values(1, seed=1)
    [Question(source='... of ...?', target='...')]
    """
    if not 1 <= digits <= len(_PLACES):
        raise ValueError(f"expected from 1 to {len(_PLACES)} digits, got {digits}")
    generator = torch.Generator().manual_seed(seed)
    questions = []
    for _ in range(count):
        many = int(torch.randint(1, digits + 1, (), generator=generator))
        number = str(int(torch.randint(10 ** (many - 1), 10**many, (), generator=generator)))
        place = int(torch.randint(many, (), generator=generator))
        questions.append(Question(f"{_PLACES[place]} of {number}?", number[-1 - place]))
    return questions
