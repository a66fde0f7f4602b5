import csv

import numpy as np
import pandas as pd
import pytest

from graphattn.data.molecules.chemistry import Chemistry
from graphattn.data.molecules.table import MoleculeTable
from graphattn.explain.molecules import folder
from graphattn.explain.molecules.folder import ExplanationPlan, chemistry_of, table_of, write_explanations
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.calibration import Calibration


def table(smiles, names):
    frame = pd.DataFrame({"smiles": smiles, "name": names}, dtype=str)
    return MoleculeTable(frame, np.arange(2, 2 + len(frame)), "smiles")


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_files_are_named_after_molecules_and_rows_that_cannot_be_drawn_set_aside(model, tmp_path):
    said = []
    given = table(["CCO", "C1CC", "CO", "O"], ["ethanol", "broken", "Ethanol", ""])
    drawings = write_explanations(model(), given, tmp_path / "out", said.append)
    assert [path.name for path in drawings] == ["ethanol.svg", "Ethanol-2.svg", "O.svg"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"grid.svg", "grid.png", "contributions.csv", "rejected.csv", "O.png", "ethanol.png"} <= names
    (aside,) = rows_of(tmp_path / "out" / "rejected.csv")
    assert (aside["line"], aside["smiles"]) == ("3", "C1CC")
    assert "3 molecules drawn" in said[-1]


def test_numbers_have_a_line_for_each_part(model, tmp_path):
    write_explanations(model(), table(["OCC", "C"], ["ethanol", "methane"]), tmp_path, print)
    rows = rows_of(tmp_path / "contributions.csv")
    assert [row["part"] for row in rows] == ["atom"] * 3 + ["bond"] * 2 + ["atom"]
    first = rows[0]
    assert {name: first[name] for name in folder.COLUMNS[:4]} == {
        "molecule": "ethanol",
        "line": "2",
        "smiles": "OCC",
        "target": "probability of y",
    }
    assert (first["name"], first["atoms"], first["agreement"]) == ("O", "0", "1")
    assert float(first["contribution"]) == pytest.approx(0.5 - 1 / (1 + np.e), abs=1e-5)
    assert rows[3]["atoms"] == "0 1"


def test_the_networks_own_probability_stands_beside_the_calibrated_one(model, tmp_path):
    fitted = model()
    fitted.reliability = Reliability((Calibration(2.0, (0.0, 0.0)),), 0.9, ((1.0, 1.0),), (0.5,))
    (drawing,) = write_explanations(fitted, table(["OCO"], ["diol"]), tmp_path, print)
    first = rows_of(tmp_path / "contributions.csv")[0]
    assert (first["prediction"], first["uncalibrated"]) == ("0.880797", "0.731059")
    assert float(first["contribution"]) == pytest.approx(0.731059 - 0.5, abs=1e-5)
    write_explanations(model(), table(["OCO"], ["diol"]), tmp_path / "plain", print)
    assert rows_of(tmp_path / "plain" / "contributions.csv")[0]["uncalibrated"] == ""
    assert drawing.read_bytes() != (tmp_path / "plain" / drawing.name).read_bytes(), "the legend says which it is"


def test_grids_and_tables_of_an_earlier_call_are_gone(model, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "PAGE", 2)
    write_explanations(model(), table(["CCO", "CO", "O", "C1CC"], ["a", "b", "c", "bad"]), tmp_path, print)
    (tmp_path / "grid-of-mine.svg").write_text("kept")
    former = {"grid.svg", "grid.png", "grid-2.svg", "grid-2.png", "rejected.csv"}
    assert former < {path.name for path in tmp_path.iterdir()}
    write_explanations(model(), table(["CN"], ["d"]), tmp_path, print)
    names = {path.name for path in tmp_path.iterdir()}
    assert not former & names
    assert {"a.svg", "d.svg", "contributions.csv", "grid-of-mine.svg"} <= names


def test_one_molecule_that_fails_does_not_end_the_others(model, tmp_path, monkeypatch):
    explain = folder.explain

    def fails(fitted, graph, target):
        if graph["molecule"].GetNumAtoms() == 2:
            raise RuntimeError("no layout")
        return explain(fitted, graph, target)

    monkeypatch.setattr(folder, "explain", fails)
    write_explanations(model(), table(["CCO", "CO", "C"], ["a", "b", "c"]), tmp_path, print)
    (aside,) = rows_of(tmp_path / "rejected.csv")
    assert (aside["line"], aside["reason"]) == ("3", "cannot be explained: RuntimeError: no layout")
    with pytest.raises(ValueError, match=r"none of the 1 molecules can be explained; the first: .* no layout"):
        write_explanations(model(), table(["CO"], ["b"]), tmp_path / "none", print)
    assert not (tmp_path / "none").exists()


def test_strict_allows_no_row_to_be_set_aside(model, tmp_path):
    with pytest.raises(ValueError, match="strict allows none; the first in line 3"):
        write_explanations(
            model(), table(["CCO", "C1"], ["", ""]), tmp_path / "out", print, ExplanationPlan(strict=True)
        )


def test_an_unknown_target_is_refused_before_any_work(model, tmp_path):
    with pytest.raises(ValueError, match="expected one of 'no', 'yes' to explain, got 'maybe'"):
        write_explanations(model(), table(["CCO"], [""]), tmp_path / "out", print, ExplanationPlan("maybe"))
    assert not (tmp_path / "out").exists()


def test_many_molecules_fill_pages(model, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "PAGE", 2)
    monkeypatch.setattr(folder, "SHOWN", 2)
    said = []
    write_explanations(model(), table(["C"] * 5, [""] * 5), tmp_path, said.append, ExplanationPlan(common_scale=True))
    assert sorted(path.name for path in tmp_path.glob("grid*.svg")) == ["grid-2.svg", "grid-3.svg", "grid.svg"]
    assert sorted(path.name for path in tmp_path.glob("C*.svg")) == [
        "C-2.svg",
        "C-3.svg",
        "C-4.svg",
        "C-5.svg",
        "C.svg",
    ]


def test_formulas_are_escaped_if_wanted(model, tmp_path):
    write_explanations(model(), table(["CCO"], ["=cmd()"]), tmp_path, print, ExplanationPlan(escape_formulas=True))
    assert rows_of(tmp_path / "contributions.csv")[0]["molecule"] == "'=cmd()"


def test_smiles_that_cannot_be_read_are_said(model, tmp_path):
    said = []
    given = table_of(["CCO", "C1CC", "C methane"], Chemistry(), said.append)
    assert given.smiles == ["CCO", "C methane"]
    assert given.frame["name"].tolist() == ["", "methane"]
    assert given.line.tolist() == [1, 3]
    assert said == ["left out: RDKit cannot read SMILES 'C1CC': ring 1 is not closed"]
    with pytest.raises(ValueError, match="none of the 2 SMILES can be read"):
        table_of(["C1CC", "C1"], Chemistry(), print)
    assert chemistry_of(model(), 7).max_atoms == 7


def test_agreement_of_members_is_written(model, tmp_path):
    said = []
    write_explanations(model(signs=(1, 1, -1)), table(["CO"], [""]), tmp_path, said.append)
    assert [row["agreement"] for row in rows_of(tmp_path / "contributions.csv")] == ["1", "0.667", "1"]
    assert not list(tmp_path.glob("grid*"))
