import re
import sys

import numpy as np
import pytest
from rdkit import Chem

from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.reports.molecules import errors, page
from graphattn.reports.molecules.errors import error_of, worst
from graphattn.reports.molecules.page import write_report
from graphattn.training.molecules.judging import Trained
from graphattn.training.molecules.reliability.domain import Neighbours


def headings(text):
    return re.findall(r"<h2>(.*?)</h2>", text)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_every_kind_of_task_has_its_sections(make_trained, tmp_path, kind):
    trained = make_trained(kind)
    text = write_report(trained, tmp_path).read_text(encoding="utf-8")
    assert headings(text) == [
        "Data",
        "Split and leak check",
        "Figures",
        "Predictions on the test part",
        "How far to rely on it",
        "Errors, worst first",
        "Atoms",
        "Embedding",
        "Learning curve",
        "How it was made",
    ]
    assert text.count("Predicted and true classes") == {"binary": 3, "multiclass": 3, "multilabel": 6}.get(kind, 0)
    # The leak check, the map and two learning curves; ROC, precision and calibration of each class, or a drawing of each value.
    assert text.count('<svg class="plot"') == 4 + {"binary": 3, "multiclass": 9, "multilabel": 6, "regression": 2}[kind]
    assert text.count('<div class="structure"><svg') == 2 * errors.MOST + page.EXPLAINED
    assert "unreadable SMILES: ring 1 is not closed" in text
    assert "No molecule stands in two parts." in text
    assert "no <b>" not in text
    assert "http" not in re.sub(r"xmlns(:\w+)?='[^']*'", "", text)


def test_without_a_test_part_there_are_no_figures(make_trained, tmp_path):
    trained = make_trained("binary", test=0)
    text = write_report(trained, tmp_path).read_text(encoding="utf-8")
    assert headings(text) == [
        "Data", "Split and leak check", "How far to rely on it", "Atoms", "Embedding", "Learning curve", "How it was made",
    ]  # fmt: skip
    assert "There was no test part, so that no figures are known." in text


def test_without_kept_neighbours_the_leak_check_is_made_all_the_same(make_trained, tmp_path):
    text = write_report(make_trained("binary", neighbours=False), tmp_path).read_text(encoding="utf-8")
    assert "Nearest training molecule" in text
    assert "edge of the domain" not in text
    assert "The training molecules are not kept" in text


def test_molecules_in_two_parts_are_counted(make_trained, tmp_path):
    trained = make_trained("binary")
    leaking = Split(
        trained.split.train, trained.split.validation, np.append(trained.split.test[:-2], trained.split.train[:2])
    )
    text = write_report(Trained(trained.model, trained.molecules, leaking, trained.predictions), tmp_path).read_text()
    assert "2 molecules stand in more than one part." in text


def test_systems_that_cannot_draw_have_texts(make_trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit.Chem.Draw", None)
    monkeypatch.delattr("rdkit.Chem.Draw", raising=False)
    text = write_report(make_trained("binary"), tmp_path).read_text(encoding="utf-8")
    assert '<div class="structure"><svg' not in text
    assert "True: " in text


def test_worst_come_first_and_bring_their_neighbours(make_trained):
    trained = make_trained("binary")
    rows = [int(row) for row in trained.split.train]
    near = Neighbours.of([trained.molecules.smiles[i] for i in rows], [trained.molecules.mols[i] for i in rows])
    found = worst(trained, near, most=20)
    every = error_of(trained.model.task, trained.own, trained.truth)[:, 0]
    smiles = [trained.molecules.smiles[int(row)] for row in trained.split.test]
    assert [each.smiles for each in found] == [smiles[i] for i in np.argsort(-every, kind="stable")]
    training = {trained.molecules.smiles[i]: i for i in rows}
    for each in found:
        place, similarity = near.nearest([Chem.MolFromSmiles(each.smiles)])
        assert (near.smiles[place[0]], similarity[0]) == (each.near_smiles, each.similarity)
        assert each.near_truth == trained.model.task.classes[training[each.near_smiles] % 2]


def test_errors_of_values_are_in_deviations_and_gaps_stay_gaps():
    task = Task("regression", ("u", "v"))
    found = error_of(task, np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, np.nan], [4.0, 2.0]]))
    assert found[:, 0].tolist() == [0.5, 1.5]
    assert np.isnan(found[0, 1])
