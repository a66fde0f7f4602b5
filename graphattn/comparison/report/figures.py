"""Numbers as tables show them."""

from __future__ import annotations

import math

from graphattn.comparison import wording
from graphattn.comparison.statistics import Interval

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def signed(value: float) -> str:
    """A difference with its sign, which is a minus and no hyphen.

    >>> signed(0.0214), signed(-0.004), signed(0.0)
    ('+0.021', '−0.004', '0.000')
    """
    text = wording.number(value)
    return text.replace("-", "−") if text.startswith("-") or value <= 0 or not text.strip("0.–") else f"+{text}"


def ends(found: Interval, plus: bool = False) -> str:
    """The ends of an interval; a dash where one resampling tells nothing.

    >>> ends(Interval(0.0, -0.1, 0.1)), ends(Interval(0.0, -0.1, 0.1), plus=True)
    ('[−0.100, 0.100]', '[−0.100, +0.100]')
    """
    if not math.isfinite(found.low):
        return "–"
    low, high = (signed(each) if plus else wording.number(each).replace("-", "−") for each in (found.low, found.high))
    return f"[{low}, {high}]"


def large(value: float) -> str:
    """A large number with three digits and k, M, G or T.

    >>> large(43210.0), large(2.5e6), large(999.0), large(0.0)
    ('43.2 k', '2.50 M', '999', '–')
    """
    if not (math.isfinite(value) and value > 0):
        return "–"
    for size, unit in _UNITS:
        if value >= 0.9995 * size:
            return f"{_three(value / size)} {unit}"
    return _three(value) if value < 100 and value != round(value) else f"{value:.0f}"


def seconds(value: float) -> str:
    """A time in seconds or milliseconds.

    >>> seconds(1.234), seconds(0.0123), seconds(0.0)
    ('1.23 s', '12.3 ms', '–')
    """
    if not (math.isfinite(value) and value > 0):
        return "–"
    return f"{_three(value)} s" if value >= 0.9995 else f"{_three(1000 * value)} ms"


def odds(value: float) -> str:
    """A probability in a table.

    >>> odds(0.934), odds(0.9999), odds(0.0001)
    ('0.93', '> 0.99', '< 0.01')
    """
    return wording.probability(value).replace("above", ">").replace("below", "<")


def typographic(sentence: str) -> str:
    """A sentence with minus signs in front of its numbers.

    >>> typographic("a-b is -0.01 [-0.02, 0.00]")
    'a-b is −0.01 [−0.02, 0.00]'
    """
    for before in (" ", "[", "("):
        for digit in "0123456789":
            sentence = sentence.replace(f"{before}-{digit}", f"{before}−{digit}")
    return sentence


def _three(value: float) -> str:
    """Three significant digits, no exponent."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
