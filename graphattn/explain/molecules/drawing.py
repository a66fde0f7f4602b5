"""Molecules with coloured atoms and bonds, as SVG and PNG: one with its legend, or a grid of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Geometry import Point2D

from graphattn.data.wording import shortened
from graphattn.explain.molecules.explanation import Explanation

WIDTH, HEIGHT, LEGEND = 640, 480, 150
PANEL, ROW, COLUMNS = 300, 270, 4
LEAST_SCALE = 0.01
UNSURE = 0.75
"""Share of members below which the sign of a contribution is not to be relied on: such atoms are marked with a question mark."""

_CENTRED = 0
_LOWERS, _RAISES = np.array([0.20, 0.45, 0.80]), np.array([0.85, 0.30, 0.15])


def colour(share: float) -> tuple[float, float, float]:
    """From blue (-1, lowers the prediction) over white (0) to red (1, raises it), as red, green, blue.

    >>> colour(0.0)
    (1.0, 1.0, 1.0)
    """
    end = _RAISES if share > 0 else _LOWERS
    red, green, blue = 1 + abs(float(np.clip(share, -1, 1))) * (end - 1)
    return float(red), float(green), float(blue)


@dataclass(frozen=True)
class Palette:
    """What is coloured: atoms, and bonds where these are wanted; ``scale`` is the end of the colours.

    Where it is None, the scale ends at the largest contribution of what is drawn, at least at 0.01, so that noise stays pale.
    """

    bonds: bool = False
    scale: float | None = None

    def of(self, explanations: Sequence[Explanation]) -> Palette:
        """The same with an end of the scale.

        >>> Palette().of([]).scale
        0.01
        """
        kinds = ("atom", "bond") if self.bonds else ("atom",)
        values = [abs(part.contribution) for each in explanations for part in each.parts if part.kind in kinds]
        return self if self.scale is not None else replace(self, scale=max([LEAST_SCALE, *values]))

    def colours(self, explanation: Explanation, kind: str) -> dict[int, tuple[float, float, float]]:
        """Of atoms or bonds, by their positions."""
        values = explanation.of(kind) if kind == "atom" or self.bonds else []
        return {position: colour(float(value) / (self.scale or 1.0)) for position, value in enumerate(values)}


def draw(explanation: Explanation, path: Path, palette: Palette | None = None) -> Path:
    """Write ``path``.svg and ``path``.png, and return the first.

    Args:
        explanation: of one molecule.
        path: without a suffix; dots in its name stay.
        palette: atoms alone, on a scale of their own, if not given.

    Raises:
        ImportError: RDKit's drawing library cannot be loaded; names the system's packages.
    """
    library, size = _drawing_library(), (WIDTH, HEIGHT + LEGEND, WIDTH, HEIGHT)
    palette = (palette or Palette()).of([explanation])
    svg, png = library.MolDraw2DSVG(*size), library.MolDraw2DCairo(*size)
    for canvas in (svg, png):
        canvas.drawOptions().fixedBondLength = 60.0
        _molecules(canvas, library, [explanation], palette, [""])
        _legend(canvas, explanation, palette)
        canvas.FinishDrawing()
    return _written(path, svg, png)


def draw_grid(
    explanations: Sequence[Explanation], names: Sequence[str], path: Path, palette: Palette | None = None
) -> Path:
    """Write ``path``.svg and ``path``.png with all molecules side by side, in the colours of one scale.

    Args:
        explanations: at least one.
        names: written under the molecules, above their predictions.
        path: without a suffix.
        palette: atoms alone, if not given.

    Raises:
        ImportError: RDKit's drawing library cannot be loaded; names the system's packages.
    """
    library = _drawing_library()
    palette = (palette or Palette()).of(explanations)
    columns = min(COLUMNS, len(explanations))
    width, height = max(2, columns) * PANEL, -(-len(explanations) // columns) * ROW
    common = len({each.meaning for each in explanations}) == 1
    legends = [_caption(name, each, common) for name, each in zip(names, explanations, strict=True)]
    size = (width, height + 70, width // columns, ROW)
    svg, png = library.MolDraw2DSVG(*size), library.MolDraw2DCairo(*size)
    for canvas in (svg, png):
        canvas.drawOptions().legendFontSize = 16
        _molecules(canvas, library, explanations, palette, legends)
        canvas.SetOffset(0, 0)
        _bar(canvas, palette, width / 2, height + 34)
        _write(canvas, shortened(explanations[0].meaning, 80) if common else "", width / 2, height + 14, 16)
        canvas.FinishDrawing()
    return _written(path, svg, png)


def _caption(name: str, explanation: Explanation, common: bool) -> str:
    """Name and prediction; where molecules are explained by different outputs, also which one it is."""
    value = f"{explanation.prediction:.3f}"
    return (
        f"{shortened(name, 30)}: {value}"
        if common
        else f"{shortened(name, 30)}\n{shortened(explanation.meaning, 30)}: {value}"
    )


def _written(path: Path, svg: Any, png: Any) -> Path:
    drawn = path.with_name(f"{path.name}.svg")
    drawn.write_text(svg.GetDrawingText(), encoding="utf-8")
    path.with_name(f"{path.name}.png").write_bytes(png.GetDrawingText())
    return drawn


def _drawing_library() -> Any:
    try:
        from rdkit.Chem.Draw import rdMolDraw2D
    except ImportError as error:
        packages = "libXrender1 libXext6 libX11-6 libexpat1"
        raise ImportError(f"RDKit cannot draw: {error}; on Debian or Ubuntu: apt install {packages}") from error
    return rdMolDraw2D


def _molecules(
    canvas: Any, library: Any, explanations: Sequence[Explanation], palette: Palette, legends: Sequence[str]
) -> None:
    options = canvas.drawOptions()
    options.useBWAtomPalette()
    options.padding, options.highlightRadius, options.highlightBondWidthMultiplier = 0.1, 0.4, 14
    options.annotationFontScale = 0.7
    atoms, bonds = ([palette.colours(each, kind) for each in explanations] for kind in ("atom", "bond"))
    canvas.DrawMolecules(
        [library.PrepareMolForDrawing(_marked(each), kekulize=False) for each in explanations],
        highlightAtoms=list(map(list, atoms)),
        highlightBonds=list(map(list, bonds)),
        highlightAtomColors=atoms,
        highlightBondColors=bonds,
        legends=list(legends),
    )


def _marked(explanation: Explanation) -> Chem.Mol:
    """The molecule with a question mark at atoms about whose sign members do not agree."""
    molecule = Chem.Mol(explanation.molecule)
    for part in explanation.parts:
        if part.kind == "atom" and part.agreement < UNSURE:
            molecule.GetAtomWithIdx(part.atoms[0]).SetProp("atomNote", "?")
    return molecule


def _legend(canvas: Any, explanation: Explanation, palette: Palette) -> None:
    """Prediction, colours with their ends, what is measured, the fragments that matter most, and what to beware of."""
    middle = WIDTH / 2
    _write(canvas, f"{shortened(explanation.meaning)} = {explanation.prediction:.3f}", middle, HEIGHT + 14, 18)
    _bar(canvas, palette, middle, HEIGHT + 34)
    lines = ["prediction minus prediction with the atom hidden" + ", or the bond cut" * palette.bonds]
    if explanation.uncalibrated is not None:
        lines = [f"{lines[0]}, not calibrated: of {explanation.uncalibrated:.3f}"]
    fragments = [part for part in explanation.parts if part.kind not in ("atom", "bond")]
    strongest = sorted(fragments, key=lambda part: -abs(part.contribution))[:3]
    named = ", ".join(f"{shortened(part.name, 22)} {part.contribution:+.2f}" for part in strongest)
    lines += [f"fragments: {named}"] if named else []
    if explanation.members > 1:
        atoms = [part.agreement >= UNSURE for part in explanation.parts if part.kind == "atom"]
        lines += [
            f"{explanation.members} models agree on the sign of {sum(atoms)} of {len(atoms)} atoms; others have a ?"
        ]
    for line, text in enumerate((*lines, *explanation.notes)):
        _write(canvas, text, middle, HEIGHT + 64 + 19 * line, 13)


def _bar(canvas: Any, palette: Palette, middle: float, top: float) -> None:
    """Colours from the one end of the scale to the other, a line of a pixel for each."""
    width = 300
    for x in range(width):
        canvas.SetColour(colour(2 * x / (width - 1) - 1))
        canvas.DrawRect(
            Point2D(middle - width / 2 + x, top), Point2D(middle - width / 2 + x + 1, top + 14), rawCoords=True
        )
    canvas.SetColour((0.0, 0.0, 0.0))
    for text, x in ((f"-{palette.scale:.2g} lowers", -70), (f"raises +{palette.scale:.2g}", 70)):
        _write(canvas, text, middle + (x / abs(x)) * width / 2 + x, top + 7, 15)


def _write(canvas: Any, text: str, x: float, y: float, size: int) -> None:
    canvas.SetColour((0.0, 0.0, 0.0))
    canvas.SetFontSize(size)
    canvas.DrawString(text, Point2D(x, y), _CENTRED, rawCoords=True)
