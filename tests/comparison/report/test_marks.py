"""Colours of layers can be told apart, also by who sees no red or no green (Machado et al. 2009)."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from graphattn.comparison.verdict import titles
from graphattn.reports import page

STYLE = (Path(page.__file__).parent / "templates" / "style.css").read_text()
LIGHT, DARK = STYLE.split("prefers-color-scheme: dark")[:2]
EYES = {
    "usual": np.eye(3),
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen(colour, eye):
    """CIE L*a*b*."""
    value = np.array([int(colour[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(np.asarray(EYES[eye]) @ light, 0, 1) / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("style", [LIGHT, DARK], ids=["light", "dark"])
def test_no_two_layers_look_alike(style, eye):
    colours = {name: re.search(rf"--{name}: #([0-9a-f]{{6}})", style)[1] for name in (*titles.LAYERS, "other")}
    apart = {(a, b): np.linalg.norm(seen(colours[a], eye) - seen(colours[b], eye)) for a, b in combinations(colours, 2)}
    assert min(apart.values()) > 20, min(apart, key=apart.get)
