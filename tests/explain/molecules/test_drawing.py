import builtins

import numpy as np
import pytest
from matplotlib import image
from rdkit import Chem

from graphattn.explain.molecules.drawing import HEIGHT, LEGEND, ROW, WIDTH, Palette, colour, draw, draw_grid
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
    assert share(tmp_path / "red.png", colour(-1), legend) > 0.0005


def test_noise_stays_pale(tmp_path):
    draw(explanation(values=[1e-5, 0.0, -1e-5]), tmp_path / "noise")
    assert share(tmp_path / "noise.png", colour(1), slice(0, HEIGHT)) == 0


def test_notes_are_written_below(tmp_path):
    rows = slice(HEIGHT + 85, None)
    draw(explanation(), tmp_path / "plain")
    draw(explanation(notes=("This model is weak.",)), tmp_path / "noted")
    assert share(tmp_path / "plain.png", (1, 1, 1), rows) == 1
    assert share(tmp_path / "noted.png", (1, 1, 1), rows) < 1


def test_a_scale_can_be_common(tmp_path):
    draw(explanation(values=[0.2, 0.0, -0.1]), tmp_path / "own")
    draw(explanation(values=[0.2, 0.0, -0.1]), tmp_path / "common", Palette(scale=0.8))
    assert share(tmp_path / "own.png", colour(1), slice(0, HEIGHT)) > 0.002
    assert share(tmp_path / "common.png", colour(1), slice(0, HEIGHT)) == 0
    assert share(tmp_path / "common.png", colour(0.25), slice(0, HEIGHT)) > 0.002


def test_bonds_are_coloured_if_wanted(tmp_path):
    found = explanation(values=[0.0, 0.0, 0.0])
    found = found._replace(
        parts=(
            *found.parts,
            MoleculePart("bond", "C-C", (0, 1), -0.3, 1.0),
            MoleculePart("bond", "C-O", (1, 2), 0, 1.0),
        )
    )
    draw(found, tmp_path / "atoms")
    draw(found, tmp_path / "bonds", Palette(bonds=True))
    assert share(tmp_path / "atoms.png", colour(-1), slice(0, HEIGHT)) == 0
    assert share(tmp_path / "bonds.png", colour(-1), slice(0, HEIGHT)) > 0.002
    assert Palette(bonds=True).of([found]).scale == 0.3
    assert Palette().of([found]).scale == 0.01


def test_colours_of_the_bar_are_continuous(tmp_path):
    draw(explanation(values=[0.2, 0.0, -0.2]), tmp_path / "bar")
    line = image.imread(tmp_path / "bar.png")[HEIGHT + 41, WIDTH // 2 - 150 : WIDTH // 2 + 150, :3]
    assert np.abs(np.diff(line, axis=0)).max() < 0.03
    assert len(np.unique(line, axis=0)) > 100


def test_atoms_about_which_members_do_not_agree_are_marked(tmp_path):
    sure, unsure = explanation(values=[0.2, 0.0, 0.0]), explanation(values=[0.2, 0.0, 0.0])
    parts = (unsure.parts[0]._replace(agreement=0.5), *unsure.parts[1:])
    draw(sure._replace(members=4), tmp_path / "sure")
    draw(unsure._replace(members=4, parts=parts), tmp_path / "unsure")
    rows = slice(0, HEIGHT)
    assert not np.array_equal(image.imread(tmp_path / "sure.png")[rows], image.imread(tmp_path / "unsure.png")[rows])


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (4, 1), (5, 2)])
def test_a_grid_has_a_row_for_four(tmp_path, count, rows):
    every = [explanation(values=[0.1 * place, 0.0, 0.0]) for place in range(count)]
    path = draw_grid(every, ["a"] * count, tmp_path / "grid")
    assert path.name == "grid.svg"
    assert image.imread(tmp_path / "grid.png").shape[0] == ROW * rows + 70


def test_a_grid_says_which_outputs_are_explained_where_they_differ(tmp_path):
    one, other = explanation(), explanation()._replace(meaning="y: probability of low")
    draw_grid([one, one], ["a", "b"], tmp_path / "same")
    draw_grid([one, other], ["a", "b"], tmp_path / "differ")
    same, differ = (image.imread(tmp_path / f"{name}.png")[..., :3].sum(axis=2) < 1 for name in ("same", "differ"))
    assert same[ROW:].sum() > differ[ROW:].sum()  # below the molecules
    assert same[:ROW].sum() < differ[:ROW].sum()


def test_dots_in_names_stay(tmp_path):
    assert draw(explanation(), tmp_path / "drug 1.5").name == "drug 1.5.svg"
    assert (tmp_path / "drug 1.5.png").exists()


def test_missing_system_libraries_are_named(monkeypatch, tmp_path):
    original = builtins.__import__

    def without(name, *args, **options):
        if name == "rdkit.Chem.Draw":
            raise ImportError("libXrender.so.1: cannot open shared object file")
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"libXrender.so.1.*apt install libXrender1 libXext6 libX11-6 libexpat1"):
        draw(explanation(), tmp_path / "molecule")
