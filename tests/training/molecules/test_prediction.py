import re

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from graphattn.data.molecules import prepare
from graphattn.data.molecules.table import MoleculeTable
from graphattn.training.molecules.prediction import (
    predict_parts,
    predict_table,
    watching,
    write_predictions,
)
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.domain import Neighbours
from graphattn.training.molecules.saved import FittedModel


def table(**columns):
    frame = pd.DataFrame(columns, dtype=str)
    return MoleculeTable(frame, np.arange(2, 2 + len(frame)), "smiles")


@pytest.mark.parametrize(
    ("kind", "names", "classes", "expected"),
    [
        ("binary", ("y",), ("no", "yes"), ["predicted_y", "probability_no", "probability_yes"]),
        ("multiclass", ("y",), ("a", "b", "c"), ["predicted_y", "probability_a", "probability_b", "probability_c"]),
        ("multilabel", ("p", "q"), ("0", "1"), ["predicted_p", "predicted_q", "probability_p", "probability_q"]),
        ("regression", ("p", "q"), (), ["predicted_p", "predicted_q"]),
    ],
)
def test_columns_of_each_task(make_model, kind, names, classes, expected):
    frame, rejected = predict_table(make_model(kind, names, classes), table(smiles=["CCO", "C"]))
    assert frame.columns.tolist() == ["smiles", *expected, "rejected"]
    assert not rejected
    for name in expected:
        if name.startswith("predicted") and classes:
            assert set(frame[name]) <= set(classes)


def test_class_is_the_likeliest(make_model):
    frame, _ = predict_table(make_model("multiclass", classes=("a", "b", "c")), table(smiles=["CCO", "C", "CCN"]))
    probability = frame[["probability_a", "probability_b", "probability_c"]].astype(float).to_numpy()
    assert frame["predicted_y"].tolist() == ["abc"[k] for k in probability.argmax(1)]


def test_columns_never_replace_those_of_the_input(make_model):
    given = table(smiles=["CCO", "C1CC"], y=["yes", "no"], predicted_y=["a", "b"], predicted_y_2=["c", "d"])
    frame, _ = predict_table(make_model("regression"), given)
    assert frame.columns.tolist() == ["smiles", "y", "predicted_y", "predicted_y_2", "predicted_y_3", "rejected"]
    assert frame.iloc[:, :4].equals(given.frame)
    assert frame["predicted_y_3"][1] == ""


def test_no_class_is_told_where_the_model_gives_no_number(make_model, monkeypatch):
    model = make_model("binary", ("oxygen",), ("no", "yes"))
    monkeypatch.setattr(FittedModel, "predict_each", lambda self, graphs: np.array([[[0.9], [np.nan]]]))
    frame, rejected = predict_table(model, table(smiles=["CCO", "C"]))
    assert frame["predicted_oxygen"].tolist() == ["yes", ""]
    assert frame["probability_yes"].tolist() == [0.9, ""]
    reason = "no prediction: the output of the model is not a finite number"
    assert [(row.line, row.reason, row.text) for row in rejected] == [(3, reason, "C")]


ROWS = ["CCO", "C1CC", "C", "x", "", "CC(=O)[O-].[Na+]", "c1ccccc1", "CCN"]


def test_predictions_do_not_depend_on_the_parts_of_a_table(make_model, monkeypatch):
    model, given = make_model("multiclass", classes=("a", "b", "c")), table(smiles=ROWS)
    whole, aside = predict_table(model, given)
    for rows in (1, 3):
        monkeypatch.setattr(prepare, "_MOST_ROWS", rows)
        parts = list(predict_parts(model, given))
        assert len(parts) == -(-len(ROWS) // rows)
        frame, rejected = predict_table(model, given)
        assert rejected == aside
        assert [(one.row, one.line, one.text) for one in rejected] == [(row, row + 2, ROWS[row]) for row in (1, 3, 4)]
        number = [name for name in whole if name.startswith("probability")]
        alike = pd.testing.assert_frame_equal
        alike(frame.drop(columns=number), whole.drop(columns=number))
        alike(frame[number].replace("", -1).astype(float), whole[number].replace("", -1).astype(float))


def test_large_molecules_are_read_few_at_a_time(make_model, monkeypatch):
    monkeypatch.setattr(prepare, "_MOST_PAIRS", 60)
    given = table(smiles=["C" * 5, "C" * 5, "C" * 5, "C" * 20, "C", "C"])
    assert [len(part.frame) for part in predict_parts(make_model("regression"), given)] == [2, 1, 1, 2]


def test_a_file_of_predictions_is_whole_or_not_there(make_model, monkeypatch, tmp_path):
    monkeypatch.setattr(prepare, "_MOST_ROWS", 2)
    model, out, said = make_model("regression"), tmp_path / "out.csv", list[object]()
    write_predictions(model, table(smiles=ROWS), out, said.append)
    written = pd.read_csv(out, keep_default_na=False)
    assert written["smiles"].tolist() == ROWS
    assert [bool(reason) for reason in written["rejected"]] == [row in (1, 3, 4) for row in range(8)]
    assert said[-1] == f"5 of 8 rows predicted, written to {out}"
    assert re.fullmatch(r"8 rows in [\d.]+ s, [\d,.]+ per second", said[-2])
    before = out.read_bytes()
    sound = table(smiles=["C", "CC", "CCC", "x", "C", "C"])
    message = r"rows that cannot be used: 1 of the first 4, and strict allows none; the first in line 5: unreadable"
    with pytest.raises(ValueError, match=message):
        write_predictions(model, sound, out, said.append, strict=True)
    with pytest.raises(ValueError, match=r"none of the 3 rows can be used: 2 unreadable SMILES, 1 empty SMILES"):
        write_predictions(model, table(smiles=["x", "C1CC", ""]), tmp_path / "never.csv", said.append)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert out.read_bytes() == before


def test_an_interruption_leaves_no_part_of_a_file(make_model, monkeypatch, tmp_path):
    monkeypatch.setattr(prepare, "_MOST_ROWS", 1)
    model, times = make_model("regression"), iter([0, KeyboardInterrupt])
    original = FittedModel.predict_each

    def predict(self, graphs):
        if next(times):
            raise KeyboardInterrupt
        return original(self, graphs)

    monkeypatch.setattr(FittedModel, "predict_each", predict)
    with pytest.raises(KeyboardInterrupt):
        write_predictions(model, table(smiles=["C", "CC"]), tmp_path / "out.csv", print)
    assert not list(tmp_path.iterdir())


def test_the_bar_is_shown_on_a_terminal_only(make_model, monkeypatch, capsys):
    model, given = make_model("regression"), table(smiles=["C"] * 10)
    for is_terminal in (True, False):
        monkeypatch.setenv("FORCE_COLOR" if is_terminal else "NO_COLOR", "1")
        with watching(model, given, lambda said: None) as watch:
            watch(4, [])
            watch(6, [])
        monkeypatch.delenv("FORCE_COLOR", raising=False)
        assert ("10/10" in capsys.readouterr().err) == is_terminal


def test_what_is_not_known_is_told_and_molecules_out_of_the_domain_are_counted(make_model, tmp_path):
    model, said = make_model("binary", classes=("no", "yes")), []
    write_predictions(model, table(smiles=["CCO"]), tmp_path / "out.csv", said.append)
    assert said[0] == (
        "the model was saved without calibration, prediction sets and domain: its probabilities are not calibrated"
    )
    near = Neighbours.of(["CCO"], [Chem.MolFromSmiles("CCO")])
    model.reliability = Reliability((None,), 0.9, ((0.9, 0.9),), (0.0,), "mcc", 0.5, near)
    said.clear()
    write_predictions(model, table(smiles=["CCO", "x", "c1ccccc1", "CCCl"]), tmp_path / "out.csv", said.append)
    assert said[0] == "probabilities of 'y' are not calibrated: too few validation molecules of a class"
    assert said[-1] == "2 molecules are out of the domain: their nearest training molecule has a similarity below 0.500"
    written = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert written["nearest_smiles"].tolist() == ["CCO", "", "CCO", "CCO"]
    assert written["domain"].tolist() == ["in", "", "out", "out"]
    assert set(written["predicted_y"]) == {"yes", ""}
    write_predictions(model, table(smiles=["CCO"]), tmp_path / "out.csv", said.append, threshold=1.0)
    assert pd.read_csv(tmp_path / "out.csv")["predicted_y"].tolist() == ["no"]
    with pytest.raises(ValueError, match=r"expected a threshold between 0 and 1, got -0\.1"):
        write_predictions(model, table(smiles=["CCO"]), tmp_path / "never.csv", said.append, threshold=-0.1)
    assert not (tmp_path / "never.csv").exists()


def test_large_molecules_are_named_before_they_take_long(make_model):
    given, said = table(smiles=["CCO", "C" * 501, "C" * 1001, "N" * 600]), list[object]()
    with watching(make_model("regression"), given, said.append):
        (note,) = said
        assert str(note).startswith("2 molecules of more than 500 heavy atoms will take long, as time and memory grow ")
        assert str(note).endswith("the first, of 501, in line 3")
    with watching(make_model("regression"), given, said.append, max_atoms=400):
        assert len(said) == 2
