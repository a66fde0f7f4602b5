import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from graphattn.reports.molecules import plots


def points(text):
    """Of a polyline, from a picture of 100 by 100 to shares."""
    return np.array([[float(each) for each in pair.split(",")] for pair in text.split()]) @ np.diag([0.01, -0.01]) + [
        0,
        1,
    ]


@pytest.fixture
def drawn():
    generator = np.random.default_rng(0)
    positive = generator.random(200) < 0.3
    return np.clip(generator.normal(0.4 + 0.2 * positive, 0.2), 0, 1), positive


def test_the_area_under_the_drawn_curve_is_the_figure(drawn):
    score, positive = drawn
    panel = plots.roc_panel("ROC", {"ours": score, "other": 1 - score}, positive)
    for each, expected in zip(panel.series, (score, 1 - score), strict=True):
        line = points(each.points)
        assert np.trapezoid(line[:, 1], line[:, 0]) == pytest.approx(roc_auc_score(positive, expected), abs=1e-3)


def test_precision_ends_at_the_share_of_positives(drawn):
    score, positive = drawn
    ours, chance = plots.precision_panel("PR", {"ours": score}, positive).series
    line = points(ours.points)
    assert line[-1] == pytest.approx([1, positive.mean()], abs=1e-3)
    assert (np.diff(line[:, 0]) >= 0).all()
    assert points(chance.points)[:, 1] == pytest.approx(positive.mean(), abs=1e-3)


def test_similarities_are_shares_that_add_up_to_1():
    panel = plots.similarity_panel("near", {"test": np.array([0.12, 0.13, 0.52, 1.0])}, 0.3)
    test, edge = panel.series
    line = points(test.points)
    assert line[:, 1].max() * panel.up.high == pytest.approx(0.5, abs=1e-4)
    assert (line[1:, 1] * np.diff(line[:, 0])).sum() * panel.up.high / 0.05 == pytest.approx(1, abs=0.01)
    assert points(edge.points)[:, 0].tolist() == pytest.approx([0.3, 0.3])


def test_values_have_the_lines_of_their_interval():
    panel = plots.values_panel("logS", np.array([0.0, 1.0]), np.array([0.0, 2.0]), 0.5)
    assert [each.name for each in panel.series] == ["test molecules", "", "interval"]
    assert panel.series[0].dots.count("M") == 2
    assert len(plots.values_panel("logS", np.array([0.0]), np.array([1.0]), np.inf).series) == 1


def test_learning_curves_mark_the_epoch_that_was_kept():
    curves = [[{"loss": 1.0, "val_loss": 0.5, "val_score": None}, {"loss": 0.5, "val_loss": 0.4, "val_score": 0.9}]] * 2
    loss, score = plots.learning_panels(curves, [2, 1], "ROC-AUC")
    assert [each.name for each in loss.series] == ["training", "", "validation", ""]
    assert [bool(each.dots) for each in loss.series] == [False, False, True, True]
    assert score.series[0].points.count(",") == 1
    assert plots.learning_panels([[]], [], "R2") == []
    assert score.series[1].dots == ""


def test_thinning_keeps_both_ends():
    found = plots.thinned(5_000, 100)
    assert (len(found), found[0], found[-1]) == (100, 0, 4_999)
    assert plots.thinned(0).tolist() == []
