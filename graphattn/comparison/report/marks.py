"""The mark of a cell: a colour for its layer, a shape for its topology, the same in every drawing and table."""

from __future__ import annotations

from graphattn.comparison import wording
from graphattn.comparison.report.markup import Markup, element
from graphattn.comparison.rows import Row

_SHAPES = {
    "edges": "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0Z",
    "full": "M-4.1,-4.1H4.1V4.1H-4.1Z",
    "edges+hub": "M0,-5.8L5.8,0L0,5.8L-5.8,0Z",
    "none": "M0,-5.2L5.2,4.2H-5.2Z",
    "shuffled": "M0,5.2L5.2,-4.2H-5.2Z",
}
_OTHER = "M-5,-1.7H-1.7V-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5Z"


def colour(layer: str) -> str:
    """The class of a layer's colour; baselines and unknown layers share one.

    >>> colour("gcn"), colour("random forest")
    ('gcn', 'other')
    """
    return layer if layer in wording.LAYERS else "other"


def mark(row: Row, attributes: dict[str, str | float] | None = None) -> Markup:
    """The mark of a row, around the origin."""
    shape = _SHAPES.get(row.topology, _OTHER)
    return element("path", {"class": f"mark {colour(row.layer)}", "d": shape, **(attributes or {})})


def key(row: Row) -> Markup:
    """The mark as a small picture in front of a name."""
    return element("svg", {"class": "key", "viewBox": "-7 -7 14 14", "aria-hidden": "true"}, mark(row))


def legend(rows: list[Row]) -> Markup:
    """Which colour is which layer, which shape is which topology."""
    layers = wording.in_order((row.layer for row in rows), wording.LAYERS)
    by_topology = {row.topology: row for row in rows}
    topologies = {name: by_topology[name] for name in wording.in_order(by_topology, wording.TOPOLOGIES)}
    swatches = [
        element("li", {}, element("span", {"class": f"swatch {colour(name)}"}), wording.layer(name)) for name in layers
    ]
    shapes = [
        element(
            "li",
            {},
            element("svg", {"class": "key plain", "viewBox": "-7 -7 14 14", "aria-hidden": "true"}, mark(row)),
            wording.topology(name),
        )
        for name, row in topologies.items()
    ]
    return element("ul", {"class": "legend"}, *swatches, *shapes)
