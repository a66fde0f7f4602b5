from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from graphattn.data.molecules import prepare
from graphattn.data.molecules.table import MoleculeTable
from graphattn.training.molecules.evaluation import evaluate_table, tell_reliability, tell_truths
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.domain import Neighbours
from graphattn.training.molecules.workflow import fingerprint

ROWS = ["CCO", "C1CC", "CCN", "", "x", "CCC", "C", "CN"]


def table(**columns):
    frame = pd.DataFrame(columns, dtype=str)
    return MoleculeTable(frame, np.arange(2, 2 + len(frame)), "smiles")


def test_evaluation_groups_molecules_by_whether_they_were_seen(make_model):
    model = make_model("binary", classes=("0", "1"))
    model.record["seen"] = [fingerprint("CCO"), fingerprint("C")]
    rows = MoleculeTable(
        pd.DataFrame({"smiles": ["OCC", "C", "CCN", "CCC", "C1CC"], "label": ["1", "0", "1", "0", "1"]}),
        np.arange(2, 7),
        "smiles",
        ("label",),
    )
    found, rejected, *_ = evaluate_table(model, rows)
    assert list(found) == ["all 4 molecules", "2 molecules not trained on"]
    assert [row.line for row in rejected] == [6]
    model.record["seen"] = []
    assert list(evaluate_table(model, rows)[0]) == ["all 4 molecules"]
    model.record["seen"] = [fingerprint(smiles) for smiles in ("CCO", "C", "CCN", "CCC")]
    assert list(evaluate_table(model, rows)[0]) == ["4 molecules, ALL TRAINED ON"]


def test_words_that_say_yes_and_no_are_the_classes_1_and_0_and_this_is_said(make_model):
    rows, said = (
        replace(table(smiles=["C", "CC", "CCC", "CCCC"], y=["TRUE", "false", "1", "x"]), target_columns=("y",)),
        [],
    )
    model = make_model("binary", classes=("0", "1"))
    tell_truths(model.task, rows, said.append)
    assert said == ["2 cells say 'TRUE' and 'false', read as '0' and '1'"]
    found, rejected, *_ = evaluate_table(model, rows)
    assert list(found) == ["all 3 molecules"]
    assert [one.line for one in rejected] == [5]
    tell_truths(make_model("binary", classes=("FALSE", "TRUE")).task, rows, said.append)
    assert len(said) == 1


def test_contradictory_rows_count_in_evaluation(make_model):
    rows = MoleculeTable(pd.DataFrame({"smiles": ["OCC", "CCO"], "y": ["1", "0"]}), np.arange(2, 4), "smiles", ("y",))
    found, rejected, *_ = evaluate_table(make_model("binary", classes=("0", "1")), rows)
    assert list(found) == ["all 2 molecules"]
    assert not rejected


def test_another_number_of_targets_is_refused(make_model):
    rows = MoleculeTable(pd.DataFrame({"smiles": ["C"], "y": ["1"]}), np.array([2]), "smiles", ("y",))
    with pytest.raises(ValueError, match=r"the model predicts 2 targets \('p', 'q'\), the data name 1"):
        evaluate_table(make_model("multilabel", ("p", "q"), ("0", "1")), rows)


def test_figures_do_not_depend_on_the_parts_of_a_table(make_model, monkeypatch):
    model = make_model("binary", classes=("0", "1"))
    given = replace(table(smiles=ROWS, y=list("10101010")), target_columns=("y",))
    whole, aside, *_ = evaluate_table(model, given)
    monkeypatch.setattr(prepare, "_MOST_ROWS", 1)
    counts = []
    found, rejected, *_ = evaluate_table(model, given, watch=lambda rows, bad: counts.append((rows, len(bad))))
    assert rejected == aside
    assert counts == [(1, int(row in (1, 3, 4))) for row in range(8)]
    (before,), (after,) = whole.values(), found.values()
    assert after["ROC-AUC"].value == pytest.approx(before["ROC-AUC"].value)


def test_coverage_threshold_and_domain_are_measured_on_molecules_that_were_not_trained_on(make_model):
    model, texts = make_model("binary", classes=("no", "yes")), ["CCO", "CCN", "CCCC", "c1ccccc1"]
    near = Neighbours.of(texts[:1], [Chem.MolFromSmiles("CCO")])
    # One class is in every set, the other in none; every probability is above the threshold.
    model.reliability = Reliability((None,), 0.9, ((1.0, 0.0),), (0.0,), "mcc", 0.2, near)
    model.record["seen"] = [fingerprint("CCO")]
    rows = replace(table(smiles=texts, y=["yes", "no", "no", "yes"]), target_columns=("y",))
    found = evaluate_table(model, rows)
    assert found.part == "3 molecules not trained on"
    (coverage,) = found.measured["coverage"]
    assert (coverage["molecules"], coverage["classes"]) == (3, (1.0, 0.0))
    assert found.measured["threshold"][0]["sensitivity"] == 1.0
    assert found.measured["threshold"][0]["specificity"] == 0.0
    assert [found.measured["domain"][side]["molecules"] for side in ("in", "out")] == [2, 1]
    said = []
    tell_reliability(model, found, said.append)
    part = "the 3 molecules not trained on"
    assert f"of {part} (3 labelled) 66.7 % are covered (100.0 % of 'no', 0.0 % of 'yes')" in said[1]
    assert f"on {part} sensitivity 1.000, specificity 0.000" in said[2]
    assert f"of {part} 2 in (" in said[-1]
    assert "and 1 out (" in said[-1]


def test_intervals_are_measured_too(make_model):
    model = make_model("regression")
    model.reliability = Reliability((), 0.9, ((1e9,),), ())
    rows = replace(table(smiles=["C", "CC"], y=["1", "2"]), target_columns=("y",))
    said = []
    tell_reliability(model, evaluate_table(model, rows), said.append)
    assert "of the 2 molecules (2 labelled) 100.0 % are covered." in said[0]


def test_a_model_without_reliability_says_so(make_model):
    rows, said = replace(table(smiles=["C", "CC"], y=["1", "2"]), target_columns=("y",)), []
    found = evaluate_table(make_model("regression"), rows)
    assert found.measured is None
    tell_reliability(make_model("regression"), found, said.append)
    assert said == ["The model has no calibration, prediction sets, threshold or domain: it was saved without them."]
