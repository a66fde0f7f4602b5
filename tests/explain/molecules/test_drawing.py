import builtins

import numpy as np
import pytest
from matplotlib import image
from rdkit import Chem

from graphattn.explain.molecules.drawing import HEIGHT, LEGEND, WIDTH, colour, draw
from graphattn.explain.molecules.explanation import Explanation, MoleculePart


def explanation(smiles="CCO", values=None, notes=()):
    molecule = Chem.MolFromSmiles(smiles)
    values = np.zeros(molecule.GetNumAtoms()) if values is None else np.array(values)
    parts = tuple(MoleculePart("atom", "C", (atom,), float(value), 1.0) for atom, value in enumerate(values))
    return Explanation(molecule, parts, 0.75, "y: probability of BBB+ <&>", notes)


def test_colours_run_from_blue_over_white_to_red():
    blue, red = colour(-1), colour(1)
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert colour(5.0) == red
    assert colour(0.5) == pytest.approx((1 + np.array(red)) / 2)


@pytest.mark.parametrize("smiles", ["CCO", "C", "[Na+].[Cl-]", "C" * 60])
def test_both_files_are_written(tmp_path, smiles):
    path = draw(explanation(smiles), tmp_path / "molecule")
    assert path == tmp_path / "molecule.svg"
    assert path.read_text().startswith("<?xml")
    assert image.imread(tmp_path / "molecule.png").shape[:2] == (HEIGHT + LEGEND, WIDTH)


def share(path, wanted, rows):
    """Share of the pixels in `rows` of a PNG that have the colour `wanted`."""
    pixels = image.imread(path)[rows, :, :3]
    return (np.abs(pixels - np.array(wanted)) < 0.02).all(-1).mean()


def test_atoms_have_the_colour_of_their_contribution(tmp_path):
    molecule, legend = slice(0, HEIGHT), slice(HEIGHT, None)
    draw(explanation(values=[0.2, 0.0, -0.2]), tmp_path / "both")
    draw(explanation(values=[0.2, 0.0, 0.0]), tmp_path / "red")
    assert share(tmp_path / "both.png", colour(1), molecule) > 0.002
    assert share(tmp_path / "both.png", colour(-1), molecule) > 0.002
    assert share(tmp_path / "red.png", colour(-1), molecule) == 0
    assert share(tmp_path / "red.png", colour(-1), legend) > 0.001


def test_noise_stays_pale(tmp_path):
    draw(explanation(values=[1e-5, 0.0, -1e-5]), tmp_path / "noise")
    assert share(tmp_path / "noise.png", colour(1), slice(0, HEIGHT)) == 0


def test_notes_are_written_below(tmp_path):
    rows = slice(HEIGHT + 75, None)
    draw(explanation(), tmp_path / "plain")
    draw(explanation(notes=("This model is weak.",)), tmp_path / "noted")
    assert share(tmp_path / "plain.png", (1, 1, 1), rows) == 1
    assert share(tmp_path / "noted.png", (1, 1, 1), rows) < 1


def test_missing_system_libraries_are_named(monkeypatch, tmp_path):
    original = builtins.__import__

    def without(name, *args, **options):
        if name == "rdkit.Chem.Draw":
            raise ImportError("libXrender.so.1: cannot open shared object file")
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"libXrender.so.1.*apt install libXrender1 libXext6 libX11-6 libexpat1"):
        draw(explanation(), tmp_path / "molecule")
