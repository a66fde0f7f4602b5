"""Molecules with coloured atoms, as SVG and PNG, with a legend."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit.Geometry import Point2D

if TYPE_CHECKING:
    from graphattn.explain.molecules.explanation import Explanation

WIDTH, HEIGHT, LEGEND = 640, 480, 130
LEAST_SCALE = 0.01
_CENTRED = 0
_SIZE = (WIDTH, HEIGHT + LEGEND, WIDTH, HEIGHT)
_LOWERS, _RAISES = np.array([0.20, 0.45, 0.80]), np.array([0.85, 0.30, 0.15])


def colour(share: float) -> tuple[float, float, float]:
    """From blue (-1, lowers the prediction) over white (0) to red (1, raises it), as red, green, blue.

    >>> colour(0.0)
    (1.0, 1.0, 1.0)
    """
    end = _RAISES if share > 0 else _LOWERS
    red, green, blue = 1 + abs(float(np.clip(share, -1, 1))) * (end - 1)
    return float(red), float(green), float(blue)


def draw(explanation: "Explanation", path: Path) -> Path:
    """Writes ``path``.svg and ``path``.png and returns the first.

    The colour scale ends at the largest contribution of the molecule, at least at 0.01, so that noise stays pale.

    Raises:
        ImportError: RDKit's drawing library cannot be loaded; names the system's packages.
    """
    rd_draw = _drawing_library()
    svg, png = rd_draw.MolDraw2DSVG(*_SIZE), rd_draw.MolDraw2DCairo(*_SIZE)
    for canvas in (svg, png):
        _paint(canvas, rd_draw, explanation)
    path.with_suffix(".svg").write_text(svg.GetDrawingText(), encoding="utf-8")
    path.with_suffix(".png").write_bytes(png.GetDrawingText())
    return path.with_suffix(".svg")


def _drawing_library() -> Any:
    try:
        from rdkit.Chem.Draw import rdMolDraw2D
    except ImportError as error:
        packages = "libXrender1 libXext6 libX11-6 libexpat1"
        raise ImportError(f"RDKit cannot draw: {error}; on Debian or Ubuntu: apt install {packages}") from error
    return rdMolDraw2D


def _paint(canvas: Any, rd_draw: Any, explanation: "Explanation") -> None:
    """The molecule on top, the legend below."""
    values = explanation.contributions
    scale = max(LEAST_SCALE, float(np.abs(values).max(initial=0.0)))
    colours = {i: colour(float(value) / scale) for i, value in enumerate(values)}
    options = canvas.drawOptions()
    options.useBWAtomPalette()
    options.padding = 0.1
    options.highlightRadius = 0.4
    options.fixedBondLength = 70.0
    molecule = rd_draw.PrepareMolForDrawing(explanation.molecule, kekulize=False)
    canvas.DrawMolecule(
        molecule, highlightAtoms=list(colours), highlightAtomColors=colours, highlightBonds=[], highlightBondColors={}
    )
    _legend(canvas, explanation, scale)
    canvas.FinishDrawing()


def _legend(canvas: Any, explanation: "Explanation", scale: float) -> None:
    """Prediction, colour scale with its ends, what is measured, and what to beware of."""
    left, right, top, steps = 170, WIDTH - 170, HEIGHT + 34, 41
    for i in range(steps):
        canvas.SetColour(colour(2 * i / (steps - 1) - 1))
        start, end = (left + (right - left) * edge / steps for edge in (i, i + 1))
        canvas.DrawRect(Point2D(start, top), Point2D(end, top + 14), rawCoords=True)
    canvas.SetColour((0.0, 0.0, 0.0))
    _write(canvas, f"{_short(explanation.meaning)} = {explanation.prediction:.3f}", WIDTH / 2, HEIGHT + 14, 18)
    for text, x in ((f"-{scale:.2g} lowers", left - 70), (f"raises +{scale:.2g}", right + 70)):
        _write(canvas, text, x, top + 7, 15)
    _write(canvas, "prediction minus prediction with the atom hidden", WIDTH / 2, top + 30, 14)
    for line, note in enumerate(explanation.notes):
        _write(canvas, note, WIDTH / 2, top + 52 + 18 * line, 12)


def _write(canvas: Any, text: str, x: float, y: float, size: int) -> None:
    canvas.SetFontSize(size)
    canvas.DrawString(text, Point2D(x, y), _CENTRED, rawCoords=True)


def _short(text: str, most: int = 50) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
