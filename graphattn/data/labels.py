"""Cells of labels: which hold none, which are numbers, which are numbers but for their writing, which are one label."""

import math
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

MISSING = frozenset(
    {"", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "n/a", "na", "nan"}
    | {"none", "null"}
)
"""Cells, in any case, that hold no label: empty ones and the words of pandas."""

UNCLEAR = frozenset(
    {"-", "--", "---", "?", "??", ".", "n.d.", "n.d", "nd", "n/d", "n.a.", "n.a", "not determined", "not tested"}
    | {"#value!", "#ref!", "#div/0!", "#name?", "#num!", "#null!", "#error!"}
)
"""Cells, in any case, that are probably no label, but that no reader takes for empty: such rows are set aside."""

_DIGITS = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(rf"[+-]?{_DIGITS}")
_UNITS = r"(?:[fpnuµμm]M|[pnuµμm]?mol/L|[npuµμm]?g/(?:mL|L|kg)|%|°C|kcal/mol|kJ/mol|g/mol|ppm|log)"
_FLAWS = {
    "a qualifier": re.compile(rf"(?:>=?|<=?|>>|<<|[≤≥~≈±=]|ca\.?|about)\s*[+-]?{_DIGITS}\s*{_UNITS}?"),
    "another minus sign": re.compile(rf"[−–—‐‑﹣－]\s*{_DIGITS}"),
    "an error": re.compile(rf"[+-]?{_DIGITS}\s*(?:±|\+/-)\s*{_DIGITS}"),
    "a thousands separator": re.compile(
        r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,}|(?:[ '\u00a0]\d{3})+(?:\.\d+)?)"
    ),
    "a decimal comma": re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?"),
    "a unit": re.compile(rf"[+-]?{_DIGITS}\s*{_UNITS}"),
}
_TRUTHS = {"1": "1", "true": "1", "yes": "1", "0": "0", "false": "0", "no": "0"}
_LARGEST = float(np.finfo(np.float32).max)


def text_of(cell: object) -> str:
    """A cell without blanks around it; empty where it holds no label."""
    text = str(cell).strip()
    return "" if cell is None or text.lower() in MISSING else text


def is_number(text: str) -> bool:
    """Whether a cell is a finite number as people write it: ``1_1`` is none.

    >>> is_number("-1.5e3"), is_number("1_1"), is_number("nan")
    (True, False, False)
    """
    return bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text))


def flaw_of(text: str) -> str:
    """What keeps a cell from being a number that it would be without; empty where it is one, or a word.

    >>> flaw_of(">10"), flaw_of("4,5"), flaw_of("6.5 uM"), flaw_of("4.5"), flaw_of("class 1")
    ('a qualifier', 'a decimal comma', 'a unit', '', '')
    """
    return next((flaw for flaw, form in _FLAWS.items() if form.fullmatch(text)), "")


def number_of(cell: str) -> float:
    """The number in a cell.

    Raises:
        ValueError: there is none; the message is the end of a sentence that begins with the cell.
    """
    if cell.lower() in UNCLEAR:
        raise ValueError("looks like a missing value; leave such cells empty")
    if not (_NUMBER.fullmatch(cell) or re.fullmatch(r"[+-]?inf(inity)?", cell, re.IGNORECASE)):
        flaw = flaw_of(cell)
        why = " (decimals take a point)" if flaw == "a decimal comma" else f" ({flaw})" if flaw else ""
        raise ValueError(f"is not a number{why}")
    value = float(cell)
    if not abs(value) <= _LARGEST:
        raise ValueError("is not a finite number" if math.isinf(value) else "is too large a number")
    return value


def key_of(label: str) -> str:
    """Labels with one key are one label: 1, 1.0 and 1.00; Yes and yes."""
    return f"{float(label):.12g}" if is_number(label) else label.casefold()


def truth_of(label: str) -> str:
    """``1`` or ``0`` of a label that says yes or no by number or word; empty of others.

    >>> truth_of("TRUE"), truth_of("0.0"), truth_of("active")
    ('1', '0', '')
    """
    return _TRUTHS.get(key_of(label), "")


def mixes_truths(labels: Iterable[str]) -> bool:
    """Whether labels say yes or no only, and one of these in two ways.

    >>> mixes_truths(["1", "0", "TRUE"]), mixes_truths(["1", "FALSE"]), mixes_truths(["1", "2", "TRUE"])
    (True, False, False)
    """
    keys = set(map(key_of, labels))
    truths = set(map(truth_of, keys))
    return "" not in truths and len(truths) < len(keys)


def count_labels(column: pd.Series, most_words: int, as_numbers: bool) -> tuple[Counter[str], Counter[str]]:
    """How often each label occurs, numbers in their shortest form and words as first written; and the unclear cells.

    Where labels mix 1 and 0 with words of the same meaning, all are 1 and 0.

    Args:
        column: cells.
        most_words: number of different labels up to which numbers may be words.
        as_numbers: whether numbers are read as such however they are written.
    """
    labels = [label for label in column.map(text_of) if label]
    signs = "+" in labels
    unclear = Counter(label for label in labels if label.lower() in UNCLEAR and not (signs and label == "-"))
    labels = [label for label in labels if label not in unclear]
    if not as_numbers and mixes_truths(labels):
        return Counter(map(truth_of, labels)), unclear
    words = not as_numbers and told_apart(labels, most_words)
    spelling: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for label in labels:
        key = label.casefold() if words else key_of(label)
        counts[spelling.setdefault(key, key if is_number(label) and not words else label)] += 1
    return counts, unclear


def told_apart(labels: Iterable[str], most: int) -> bool:
    """Whether numbers are words, because the way they are written tells labels apart: 01; 1.1 beside 1.10.

    >>> told_apart(["01", "02"] * 3, 9), told_apart(["1.1", "1.10", "2.3"] * 2, 9), told_apart(["1", "1.0"] * 3, 9)
    (True, True, False)
    """
    counts = Counter(labels)
    numbers = [label for label in counts if is_number(label)]
    if len(counts) > most or counts.total() < 2 * len(counts):
        return False
    written = {re.sub(r"\.0*$", "", label) for label in numbers}
    padded = any(re.fullmatch(r"[+-]?0\d+", label) for label in written)
    return padded or len({float(label) for label in written}) < len(written)
