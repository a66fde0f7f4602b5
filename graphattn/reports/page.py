"""HTML reports from Jinja2 templates: one file that holds its styles and script and fetches nothing.

``base.html`` is the page (head, opening, links, sections), ``parts.html`` has macros for tables, axes and lists. Every value is
escaped unless it is ``markupsafe.Markup``; a name that a template does not know is an error.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from graphattn.reports import numbers
from graphattn.reports.axes import written

_SHARED = Path(__file__).parent / "templates"


def environment(folder: Path) -> Environment:
    """Templates of a folder and those shared by all reports, with functions for numbers.

    >>> environment(_SHARED).from_string("{{ '<b>' }} {{ number(0.9234) }} {{ ends(-0.1, 0.2, plus=true) }}").render()
    '&lt;b&gt; 0.923 [−0.100, +0.200]'
    """
    found = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("number", "ends", "signed", "large", "seconds", "typographic", "capital", "listed", "count", "probability")
    found.globals.update({name: getattr(numbers, name) for name in names}, written=written)
    return found
