"""Tables of a report: entries that sort by a number or a text, whatever they show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class TableColumn(NamedTuple):
    """Head of a column; ``numbers`` are set to the right and sort from the largest."""

    title: str
    numbers: bool = True
    meaning: str = ""


class TableEntry(NamedTuple):
    """Text of an entry, and the number or the text it is sorted by; text that is no ``markupsafe.Markup`` is escaped."""

    text: str
    order: float | str = ""

    @property
    def key(self) -> str:
        """What JavaScript sorts by; empty where a dash stands for an unknown number.

        >>> TableEntry("0.5", 0.5).key, TableEntry("–", 0.0).key, TableEntry("gcn").key, TableEntry("∞", math.inf).key
        ('0.5', '', 'gcn', 'Infinity')
        """
        if self.text == "–":
            return ""
        if isinstance(self.order, str):
            return self.order or self.text
        if math.isinf(self.order):
            return "Infinity" if self.order > 0 else "-Infinity"
        return "" if math.isnan(self.order) else repr(float(self.order))


class ReportTable(NamedTuple):
    """A table of which the first column names the line."""

    caption: str
    columns: Sequence[TableColumn]
    lines: Sequence[Sequence[TableEntry]]
