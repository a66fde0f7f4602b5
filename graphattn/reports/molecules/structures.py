"""Molecules as SVG inside the page, with atoms coloured by what they contribute."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from graphattn.explain.molecules.drawing import colour

WIDTH, HEIGHT = 260, 180
Colour = tuple[float, float, float]


def structure(molecule: Chem.Mol, colours: Mapping[int, Colour] | None = None) -> str:
    """Drawing of a molecule; empty where the system lacks the libraries that RDKit draws with, or RDKit fails on it."""
    try:
        from rdkit.Chem.Draw import rdMolDraw2D

        canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
        options = canvas.drawOptions()
        options.clearBackground = False
        options.padding = 0.08
        options.useBWAtomPalette()
        ready = rdMolDraw2D.PrepareMolForDrawing(molecule, kekulize=False)
        chosen = dict(colours or {})
        canvas.DrawMolecule(ready, highlightAtoms=list(chosen), highlightAtomColors=chosen, highlightBonds=[])
        canvas.FinishDrawing()
    except (ImportError, RuntimeError, ValueError):
        return ""
    text = canvas.GetDrawingText()
    return text[text.index("<svg") :].replace("\n", " ")


def contributions_colours(contributions: NDArray[np.float64]) -> dict[int, Colour]:
    """Red for atoms that raise the prediction, blue for those that lower it, by their share of the largest.

    >>> contributions_colours(np.array([0.2, 0.0]))[1]
    (1.0, 1.0, 1.0)
    """
    scale = max(0.01, float(np.abs(contributions).max(initial=0.0)))
    return {atom: colour(float(value) / scale) for atom, value in enumerate(contributions)}
