"""What fits amount to: which are compared with which, what is left out and counted, what may not be mixed."""

import random
from dataclasses import replace

import numpy as np
import pytest

from graphattn.comparison.verdict.summary import summary
from graphattn.training.statistics import holm, interval, paired
from tests.comparison.made_records import failed, flat, made, of_scores, record

ATTENTION, GCN = "attention on edges", "gcn on edges"


def test_rows_are_ranked_and_have_the_corrected_interval():
    found = summary(of_scores(gcn=[0.7, 0.8, 0.75], attention=[0.8, 0.82, 0.9]))
    assert [row.name for row in found.rows] == [ATTENTION, GCN]
    assert found.ratio == pytest.approx(100 / 800)
    assert found.rows[1].score == pytest.approx(interval([0.7, 0.8, 0.75], 0.125))


@pytest.mark.parametrize(
    ("measure", "scores", "ends"),
    [
        ("ROC-AUC", [0.99, 0.6], (0.0, 1.0)),
        ("accuracy", [0.2, 0.02, 0.01], (0.0, 0.4)),
        ("R2", [0.9, -0.9], (-12.8, 1.0)),
    ],
)
def test_an_interval_ends_where_scores_do(measure, scores, ends):
    (row,) = summary([record("gcn", "edges", split, each, measure=measure) for split, each in enumerate(scores)]).rows
    assert row.score[1:] == pytest.approx(ends, abs=0.1)


def test_pairs_are_of_equal_splits():
    found = summary(of_scores(gcn=[0.7, 0.8, 0.75], attention=[0.8, 0.82, 0.9]), rope=0.02)
    assert flat(found.pair(ATTENTION, GCN).difference) == pytest.approx(
        flat(paired([0.1, 0.02, 0.15], 0.125, rope=0.02))
    )
    assert found.pair(GCN, ATTENTION).difference == found.pair(ATTENTION, GCN).difference.reversed()
    with pytest.raises(KeyError):
        found.pair(GCN, GCN)


def test_order_of_records_does_not_matter():
    records = made(splits=3, seeds=2)
    shuffled = random.sample(records, len(records))
    ours, theirs = summary(records), summary(shuffled)
    assert [row.name for row in ours.rows] == [row.name for row in theirs.rows]
    assert [pair.difference for pair in ours.pairs] == [pair.difference for pair in theirs.pairs]
    assert ours.effects == theirs.effects


def test_pairs_are_adjusted_together():
    found = summary(made(splits=4))
    assert len(found.pairs) == 19 * 18 / 2
    assert [pair.p_holm for pair in found.pairs] == holm([pair.difference.p for pair in found.pairs])


def test_seeds_of_a_split_are_no_new_data():
    fits = [
        record("gcn", "edges", split, 0.7 + 0.01 * split + 0.02 * seed, seed=seed)
        for split in range(2)
        for seed in range(3)
    ]
    fits += [record("gin", "edges", split, 0.7, seed=seed) for split in range(2) for seed in range(3)]
    found = summary(fits)
    assert found.rows[0].score == pytest.approx(interval([0.72, 0.73], 0.125))
    assert flat(found.pair(GCN, "gin on edges").difference) == pytest.approx(flat(paired([0.02, 0.03], 0.125)))


def test_of_one_split_seeds_are_what_is_repeated():
    fits = [record(layer, "edges", 0, 0.7 + 0.02 * seed, seed=seed) for layer in ("gcn", "gin") for seed in range(3)]
    found = summary(fits)
    assert (found.unit, found.ratio) == ("seed", 0.0)
    assert found.rows[0].score == pytest.approx(interval([0.7, 0.72, 0.74], 0.0))


def test_a_pair_leaves_out_what_one_of_the_two_lacks():
    fits = of_scores(gcn=[0.7, 0.8, 0.75], attention=[0.8, 0.82])
    fits.append(failed("attention", "edges", 2, "diverged"))
    pair = summary(fits).pair(ATTENTION, GCN)
    assert (pair.left_out, pair.difference.resamplings) == (1, 2)
    assert pair.difference.mean == pytest.approx(0.06)


def test_a_split_where_both_failed_is_counted_once():
    fits = of_scores(gcn=[0.7, 0.8], attention=[0.8, 0.82])
    fits += [failed(layer, "edges", 2, "out of memory") for layer in ("gcn", "attention")]
    assert summary(fits).pair(ATTENTION, GCN).left_out == 1


def test_a_cell_that_always_failed_stands_last_and_is_in_no_pair():
    found = summary([*of_scores(gcn=[0.7, 0.8]), failed("attention", "edges", 0, "diverged")])
    assert [row.name for row in found.rows] == [GCN, ATTENTION]
    assert len(found.rows[1].failed) == 1
    assert np.isnan(found.rows[1].score.mean)
    assert found.pairs == ()


def test_a_score_that_is_no_number_is_a_failure():
    found = summary([*of_scores(gcn=[0.7, 0.8]), record("gcn", "edges", 2, float("nan"))])
    assert (len(found.rows[0].fits), len(found.rows[0].failed)) == (2, 1)


def test_a_fit_that_was_tried_again_counts_as_it_ended():
    fits = [failed("gcn", "edges", 0, "out of memory"), *of_scores(gcn=[0.7, 0.8])]
    found = summary(fits)
    assert (len(found.rows[0].fits), len(found.rows[0].failed)) == (2, 0)


def test_a_baseline_without_seeds_meets_the_mean_of_seeds():
    fits = [record("gcn", "edges", split, 0.8 + 0.02 * seed, seed=seed) for split in range(2) for seed in range(2)]
    fits += [record("random forest", "", split, 0.75 + 0.1 * split, role="baseline") for split in range(2)]
    pair = summary(fits).pair(GCN, "random forest")
    assert flat(pair.difference) == pytest.approx(flat(paired([0.06, -0.04], 0.125)))
    assert pair.left_out == 0


def test_permuted_labels_are_no_row_of_the_table():
    found = summary([*of_scores(gcn=[0.7, 0.8]), record("gcn", "edges", 0, 0.5, role="permuted")])
    assert [row.role for row in found.rows] == ["model"]
    assert [row.name for row in found.controls] == ["gcn on edges, labels permuted"]


def test_main_effects_are_of_averages_over_the_other_factor():
    scores = {("gcn", "edges"): [0.70, 0.72], ("gcn", "full"): [0.74, 0.70], ("attention", "edges"): [0.80, 0.78]}
    scores |= {("attention", "full"): [0.90, 0.88], ("mlp", "none"): [0.5, 0.5]}
    found = summary(
        [
            record(*configuration, split, each)
            for configuration, both in scores.items()
            for split, each in enumerate(both)
        ]
    )
    effects = {(effect.kind, effect.first, effect.second): effect for effect in found.effects}
    assert set(effects) == {
        ("layer", "attention", "gcn"),
        ("topology", "full", "edges"),
        ("interaction", "full", "edges"),
    }
    layer = effects["layer", "attention", "gcn"]
    assert layer.over == ("edges", "full")
    assert flat(layer.difference) == pytest.approx(flat(paired([0.85 - 0.72, 0.83 - 0.71], 0.125)))
    assert flat(effects["topology", "full", "edges"].difference) == pytest.approx(
        flat(paired([0.82 - 0.75, 0.79 - 0.75], 0.125))
    )


def test_an_interaction_is_a_difference_of_differences():
    scores = {
        ("gcn", "edges"): [0.70, 0.72, 0.7],
        ("gcn", "full"): [0.74, 0.70, 0.7],
        ("attention", "edges"): [0.80, 0.78, 0.8],
    }
    scores |= {("attention", "full"): [0.90, 0.88, 0.9]}
    found = summary(
        [record(*configuration, split, each) for configuration, all in scores.items() for split, each in enumerate(all)]
    )
    effect = found.effects[-1]
    assert (effect.kind, effect.first, effect.second, effect.over) == (
        "interaction",
        "full",
        "edges",
        ("attention", "gcn"),
    )
    assert flat(effect.difference) == pytest.approx(flat(paired([0.16 - 0.10, 0.18 - 0.06, 0.2 - 0.1], 0.125)))


def test_effects_of_a_kind_are_adjusted_together():
    found = summary(made(splits=4))
    for kind in ("layer", "topology", "interaction"):
        effects = [effect for effect in found.effects if effect.kind == kind]
        assert len(effects) == {"layer": 4, "topology": 2, "interaction": 2}[kind]
        assert [effect.p_holm for effect in effects] == holm([effect.difference.p for effect in effects])


def test_an_effect_leaves_out_a_split_where_any_cell_failed():
    fits = of_scores(gcn=[0.7, 0.8, 0.75], attention=[0.8, 0.82])
    (effect,) = summary([*fits, failed("attention", "edges", 2, "diverged")]).effects
    assert (effect.left_out, effect.difference.resamplings) == (1, 2)


def test_without_gcn_layers_are_compared_with_the_first():
    (effect,) = summary(of_scores(gin=[0.7, 0.8], attention=[0.8, 0.82])).effects
    assert (effect.first, effect.second) == ("gin", "attention")


def test_validation_and_medians():
    fits = [
        record("gcn", "edges", split, 0.8, validation=0.7 + 0.1 * split, seconds_per_epoch=[1.0, 2.0, 9.0][split])
        for split in range(3)
    ]
    (row,) = summary(fits).rows
    assert (row.validation, row.median("seconds_per_epoch")) == pytest.approx((0.8, 2.0))


def test_a_single_fit():
    found = summary([record("gcn", "edges", 0, 0.8)])
    assert found.rows[0].score.mean == 0.8
    assert np.isnan(found.rows[0].score.low)
    assert (found.pairs, found.effects) == ((), ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measure": "R2"}, r"got 2 measures: R2, ROC-AUC"),
        ({"problem": "other"}, r"got 2 problems: made up, other"),
    ],
)
def test_what_may_not_be_mixed(change, said):
    with pytest.raises(ValueError, match=said):
        summary([record("gcn", "edges", 0, 0.8), record("gcn", "edges", 1, 0.8, **change)])


def test_other_data_under_the_same_name_are_refused():
    first = record("gcn", "edges", 0, 0.8)
    other = replace(first, fit=replace(first.fit, split_hash="other", data_hash="another"))
    with pytest.raises(ValueError, match="got 2 data: 5eed0fda7a00, another"):
        summary([first, other])


def test_no_records_and_records_without_sizes_are_refused():
    with pytest.raises(ValueError, match="got 0 problems: no record"):
        summary([])
    with pytest.raises(ValueError, match=r"expected records with train_size and test_size.*got none"):
        summary([record("gcn", "edges", split, 0.8, train_size=0, test_size=0) for split in range(2)])
