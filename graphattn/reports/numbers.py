"""Numbers and lists in tables and sentences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: float, digits: int = 3) -> str:
    """A score with three digits, a dash where there is none.

    >>> number(0.9234), number(float("nan")), number(-0.0001)
    ('0.923', '–', '0.000')
    """
    text = f"{value:.{digits}f}" if math.isfinite(value) else "–"
    return text.removeprefix("-") if not text.strip("-0.") else text


def mean_and_deviation(values: Sequence[float | None]) -> str:
    """Mean and standard deviation of scores, and of how many where some are undefined.

    >>> mean_and_deviation([0.8, 0.9]), mean_and_deviation([0.8, None]), mean_and_deviation([None])
    ('0.850 ± 0.071', '0.800 (1 of 2)', '–')
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return "–"
    deviation = f" ± {number(statistics.stdev(known))}" if len(known) > 1 else ""
    return f"{number(statistics.mean(known))}{deviation}" + (
        f" ({len(known)} of {len(values)})" if len(known) < len(values) else ""
    )


def probability(value: float) -> str:
    """A probability with two digits, never rounded to certainty.

    >>> probability(0.934), probability(0.9999), probability(0.0001)
    ('0.93', 'above 0.99', 'below 0.01')
    """
    if not math.isfinite(value):
        return "–"
    if 0.005 <= value <= 0.995:
        return f"{value:.2f}"
    return "above 0.99" if value > 0.5 else "below 0.01"


def significance(p: float) -> str:
    """A p-value as it is written.

    >>> significance(0.0123), significance(0.21), significance(1e-9)
    ('0.012', '0.21', '< 0.001')
    """
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.2f}" if p >= 0.095 else f"{p:.3f}"


def times(first: float, second: float) -> str:
    """How much more, as a factor; empty where one of them is unknown.

    >>> times(2.3, 1.0), times(1.0, 1.01), times(1.0, 0.0)
    ('2.3 times the', 'the same', '')
    """
    if not (first > 0 and second > 0 and math.isfinite(first + second)):
        return ""
    share = first / second
    if abs(share - 1) < 0.05:
        return "the same"
    return f"{share:.0f} times the" if share >= 10 else f"{share:.2g} times the"


def count(n: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "fit"), count(3, "fit")
    ('1 fit', '3 fits')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["edges"]), listed(["edges", "full graphs", "no edges"])
    ('edges', 'edges, full graphs and no edges')
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def capital(text: str) -> str:
    """With a capital first letter; names keep theirs.

    >>> capital("attention on full graphs beats GCN")
    'Attention on full graphs beats GCN'
    """
    return text[:1].upper() + text[1:]


def signed(value: float) -> str:
    """A difference with its sign, which is a minus and no hyphen.

    >>> signed(0.0214), signed(-0.004), signed(0.0)
    ('+0.021', '−0.004', '0.000')
    """
    text = number(value)
    return text.replace("-", "−") if text.startswith("-") or value <= 0 or not text.strip("0.–") else f"+{text}"


def ends(low: float, high: float, plus: bool = False) -> str:
    """The ends of an interval; a dash where they are unknown.

    >>> ends(-0.1, 0.1), ends(-0.1, 0.1, plus=True), ends(float("nan"), 0.1)
    ('[−0.100, 0.100]', '[−0.100, +0.100]', '–')
    """
    if not math.isfinite(low):
        return "–"
    first, last = (signed(each) if plus else number(each).replace("-", "−") for each in (low, high))
    return f"[{first}, {last}]"


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
    return probability(value).replace("above", ">").replace("below", "<")


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
