"""HTML and SVG as values; what is no :class:`Markup` is text and gets escaped, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import final


@final
class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Attributes = Mapping[str, str | float]
_VOID = ("br", "meta", "hr", "line", "circle", "rect", "path")


def element(name: str, attributes: Attributes | None = None, *children: str) -> Markup:
    """An element of HTML or SVG with its children; plain text among them is escaped.

    >>> element("p", {"class": "lead"}, "a < b", element("b", {}, "&"))
    '<p class="lead">a &lt; b<b>&amp;</b></p>'
    """
    words = "".join(f' {key}="{escape(_short(value))}"' for key, value in (attributes or {}).items())
    if name in _VOID and not children:
        return Markup(f"<{name}{words}{'/' if name in _VOID[3:] else ''}>")
    return Markup(f"<{name}{words}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Markup:
    """Children one behind the other.

    >>> joined(["<", Markup("<br>")])
    '&lt;<br>'
    """
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def _short(value: str | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
