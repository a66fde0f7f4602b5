"""Learning curves, ROC curves, confusions, predicted against true values, and rows that are always wrong."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from graphattn.comparison.report.fits import GRID, always_wrong, confusion, learning_curves, predictions, roc
from graphattn.comparison.report.tables import always_wrong as table
from graphattn.comparison.verdict.summary import summary
from tests.comparison.made_records import record


def predicted(rows, true, outputs):
    return {"row": rows, "true": true, "predicted": outputs}


def fit(layer, split, rows, true, outputs, **more):
    return record(
        layer,
        "edges" if more.get("role") != "baseline" else "",
        split,
        0.7,
        predictions=predicted(rows, true, outputs),
        **more,
    )


def test_a_roc_curve_has_the_area_of_the_score():
    draw = np.random.default_rng(0)
    fits = [predicted([], [0.0, 1.0] * 40, (draw.normal(size=80) + [0, 1] * 40).tolist()) for _ in range(3)]
    expected = np.mean([roc_auc_score(each["true"], each["predicted"]) for each in fits])
    assert np.trapezoid(roc(fits), GRID) == pytest.approx(expected, abs=0.01)
    assert roc(fits)[-1] == 1


def test_a_confusion_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    fits = [
        predicted([], draw.integers(0, 4, 50).astype(float).tolist(), draw.integers(0, 4, 50).astype(float).tolist())
        for _ in range(2)
    ]
    true, said = (np.concatenate([each[name] for each in fits]) for name in ("true", "predicted"))
    assert confusion(fits, 4) == pytest.approx(confusion_matrix(true, said, normalize="true"))


def test_learning_curves_share_their_axes_and_count_what_is_missing():
    curves = {"loss": [1.0, 0.5, 0.04], "val_loss": [1.1, 0.9, 0.95]}
    fits = [record("gcn", "edges", split, 0.8, curves=curves, epochs=3, kept=2 + split) for split in range(2)]
    found = learning_curves(summary([*fits, record("gin", "edges", 0, 0.7)]).models)
    (panel,) = found.panels
    assert (panel.row.layer, panel.kept, found.missing) == ("gcn", (2, 3), 1)
    assert len(panel.training) == len(panel.validation) == 2
    assert found.up.logarithmic
    assert panel.training[0].split()[0] == f"{found.across.at(1):.4g},{found.up.down(1.0, 100):.4g}"


@pytest.mark.parametrize(("measure", "kind"), [("ROC-AUC", "ROC"), ("accuracy", "classes"), ("R2", "values")])
def test_predictions_are_shown_by_the_kind_of_target(measure, kind):
    fits = [
        fit("gcn", split, [0, 1, 2, 3], [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], measure=measure)
        for split in range(3)
    ]
    found = predictions(summary([*fits, record("gin", "edges", 0, 0.5, measure=measure)]))
    assert (found.kind, found.missing, [panel.row.layer for panel in found.panels]) == (kind, 1, ["gcn"])
    if kind == "classes":
        assert found.panels[0].shares == [[1.0, 0.0], [0.5, 0.5]]
    if kind == "values":
        assert found.panels[0].points.count("M") == 12


def test_rows_wrong_in_every_fit_of_every_network():
    fits = [
        fit("gcn", 0, [3, 5, 8], [1.0, 0.0, 1.0], [-1.0, 2.0, 1.0]),
        fit("gin", 0, [3, 5, 8], [1.0, 0.0, 1.0], [-0.1, -2.0, 1.0]),
    ]
    fits += [fit("gcn", 1, [3, 9], [1.0, 0.0], [-1.0, 2.0]), fit("gin", 1, [3, 9], [1.0, 0.0], [-1.0, 3.0])]
    fits += [
        fit("forest", 0, [3, 5], [1.0, 0.0], [1.0, 1.0], role="baseline"),
        fit("forest", 1, [9], [0.0], [1.0], role="baseline"),
    ]
    # Permuted labels are no truth.
    fits.append(fit("gcn", 0, [8], [0.0], [1.0], role="permuted"))
    found, tested = always_wrong(summary(fits))
    assert tested == 4
    assert [(each.row, each.true, each.predicted, each.fits, each.right) for each in found] == [
        (3, 1.0, 0.0, 4, ["forest"]),
        (9, 0.0, 1.0, 2, []),
    ]


def test_always_wrong_rows_have_their_own_names():
    fits = [fit("gcn", 0, [0, 1], [1.0, 0.0], [-1.0, 2.0])]
    made = table(summary(fits), ["CCO", "c1ccccc1"], ["inert", "active"])
    assert [[entry.text for entry in line] for line in made.lines] == [
        ["CCO", "active", "inert", "1", "none"],
        ["c1ccccc1", "inert", "active", "1", "none"],
    ]
    assert made.caption == "2 of 2 rows of test parts have a wrong class in every fit of every network"
    unnamed = table(summary(fits), [], [])
    assert [entry.text for entry in unnamed.lines[0]] == ["row 0", "class 1", "class 0", "1", "none"]
    assert table(summary([record("gcn", "edges", 0, 0.7)]), [], []) is None


def test_values_are_wrong_beyond_one_standard_deviation():
    true = [0.0, 1.0, 2.0, 3.0]
    fits = [fit("gcn", 0, [0, 1, 2, 3], true, [0.5, 2.3, 2.0, 1.0], measure="R2")]
    found, _ = always_wrong(summary(fits))
    assert np.std(true) == pytest.approx(1.118, abs=1e-3)
    assert [(each.row, each.predicted) for each in found] == [(3, 1.0), (1, 2.3)]
