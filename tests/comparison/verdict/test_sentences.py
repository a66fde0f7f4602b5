"""The verdict in words: which of four answers, against which baseline, with which cautions."""

import numpy as np
import pytest

from graphattn.comparison.verdict.findings import Findings, best
from graphattn.comparison.verdict.sentences import verdict
from graphattn.comparison.verdict.summary import summary
from tests.comparison.made_records import SETTINGS, failed, made, of_scores, record

TUNED = SETTINGS | {"trials": 5}
GCN = [0.80, 0.84, 0.79, 0.82, 0.81, 0.83, 0.80, 0.82]


def shifted(by, noise=0.002):
    """GCN's scores and others that differ from them by `by`, in turn a little more and less."""
    return [score + by + (noise if place % 2 else -noise) for place, score in enumerate(GCN)]


def said(**scores):
    return verdict(summary(of_scores(gcn=GCN, **scores)))


@pytest.mark.parametrize(
    ("by", "headline", "answer"),
    [
        (0.03, "Attention helps here.", "Attention on edges beats GCN on edges by 0.030 ROC-AUC [0.027, 0.033]"),
        (-0.03, "A GCN does better here.", "GCN on edges beats attention on edges by 0.030 ROC-AUC [0.027, 0.033]"),
        (
            0.001,
            "A GCN would do.",
            "No difference larger than 0.01 ROC-AUC between attention on edges and GCN on edges, probability above 0.99",
        ),
    ],
)
def test_the_answer(by, headline, answer):
    found = said(attention=shifted(by))
    assert found.headline == headline
    assert found.answer.startswith(answer)


def test_what_is_not_decided_says_how_probable_each_answer_is():
    found = said(attention=shifted(0.01, noise=0.03))
    assert found.headline == "Not decided."
    assert found.answer.startswith("Attention on edges minus GCN on edges is 0.010 ROC-AUC [-0.0")
    assert "better by more than 0.01 with probability 0.50, worse by more with 0." in found.answer


def test_the_example_of_one_difference_in_full():
    rows = [record("gcn", "edges", split, score, seconds_per_epoch=1.0) for split, score in enumerate(GCN)]
    rows += [
        record("attention", "full", split, each, seconds_per_epoch=2.3)
        for split, each in enumerate(shifted(0.021, 0.01))
    ]
    found = verdict(summary(rows)).answer
    by = "by 0.021 ROC-AUC [0.008, 0.034] at 2.3 times the time per epoch (p 0.00"
    assert found.startswith(f"Attention on full graphs beats GCN on edges {by}")
    assert found.endswith(", not adjusted: fixed before the fits).")


def test_two_splits_decide_nothing_however_alike_they_are():
    found = verdict(summary(of_scores(gcn=[0.80, 0.84], attention=[0.9, 0.94])))
    assert found.headline == "Not decided."
    assert found.answer.startswith("Attention on edges minus GCN on edges is 0.100 ROC-AUC: 2 splits cannot tell.")
    assert found.effects[0] == "Attention instead of GCN: not decided by 2 splits, 0.100, on edges."


def test_without_a_rope_there_is_no_equality():
    found = verdict(summary(of_scores(gcn=GCN, attention=shifted(0.001, 0.01)), rope=0.0))
    assert found.headline == "Not decided."
    assert "better with probability 0." in found.answer


def test_cells_are_chosen_by_validation_and_compared_on_test_parts():
    scores = {("attention", "edges"): (0.9, 0.80), ("attention", "full"): (0.8, 0.85), ("gcn", "edges"): (0.7, 0.7)}
    rows = [
        record(*configuration, split, test, validation=checked)
        for configuration, (test, checked) in scores.items()
        for split in range(3)
    ]
    asked = Findings(summary(rows)).question
    assert (asked.first.name, asked.second.name) == ("attention on full", "gcn on edges")


def test_without_validation_scores_the_test_score_chooses():
    assert best(summary(of_scores(gcn=[0.7, 0.7], attention=[0.9, 0.9])).models).name == "attention on edges"
    assert best([]) is None


def test_without_gcn_attention_is_compared_with_the_best_of_all_others():
    found = verdict(summary(of_scores(gin=GCN, sage=shifted(-0.1), attention=shifted(0.03))))
    assert found.answer.startswith("Attention on edges beats GIN on edges")
    found = verdict(summary(of_scores(gin=GCN, attention=shifted(0.001))))
    assert found.headline == "GIN would do."


def test_without_attention_the_best_two_are_compared():
    found = verdict(summary(of_scores(gin=GCN, sage=shifted(-0.03), edgeconv=shifted(-0.1))))
    assert found.headline == "GIN on edges is best."
    assert found.answer.startswith("GIN on edges beats GraphSAGE on edges")


def test_one_network_alone_is_compared_with_nothing():
    found = verdict(summary(of_scores(gcn=[0.8, 0.82, 0.81])))
    assert found.headline == "Nothing to compare."
    assert found.answer == "GCN on edges reaches 0.810 ROC-AUC [0.781, 0.839]; it is the only network with a score."


def test_where_every_network_failed():
    found = str(verdict(summary([failed("gcn", "edges", 0, "diverged"), failed("attention", "edges", 0, "diverged")])))
    assert found.startswith("Nothing to compare. No network has a score.")
    assert "2 of 2 fits failed" in found


def baselines(**scores):
    rows = [*of_scores(gcn=GCN, attention=shifted(0.03))]
    rows += [
        record(name, "", split, each, role="baseline")
        for name, values in scores.items()
        for split, each in enumerate(values)
    ]
    return verdict(summary(rows)).baselines


def test_a_baseline_that_is_as_good_is_said_first():
    assert baselines(forest=shifted(0.031)).startswith("A baseline is as good as the best network: attention on edges")
    assert baselines(forest=shifted(0.06)).startswith("A baseline is better than the best network: attention on edges")
    text = baselines(forest=shifted(0.031), majority=[0.5] * 8)
    assert "equals forest (-0.001 [" in text
    assert text.index("equals forest") < text.index("beats majority by 0.344 [")


def test_a_baseline_that_is_beaten_or_undecided():
    text = baselines(forest=shifted(0.0), other=shifted(0.02, 0.03))
    assert text.startswith(
        "Attention on edges, the best network by validation score (0.844 ROC-AUC), is not shown to differ from other (0.010 ["
    )
    assert text.endswith("and beats forest by 0.030 [0.030, 0.030].")


def test_main_effects_are_a_sentence_each():
    found = verdict(summary(made(splits=6, noise=0.002)))
    assert len(found.effects) == 4 + 2 + 2
    assert found.effects[0].startswith("Attention instead of GCN: better, 0.02")
    assert "on average over edges, full graphs and edges + hub (p < 0.001 after Holm)" in found.effects[0]
    assert found.effects[5].startswith(
        "Edges + hub instead of edges: no difference larger than 0.01, probability above 0.99 (0.00"
    )
    assert found.effects[7].startswith(
        "Attention instead of GCN, on edges + hub more than on edges: no difference larger than 0.01"
    )


def controlled(scores, bound):
    permuted = [record("gcn", "full", split, each, role="permuted", chance=bound) for split, each in enumerate(scores)]
    (found,) = verdict(summary([*of_scores(gcn=GCN), *permuted])).controls
    return found


def test_controls_fall_within_their_bound_or_not():
    assert (
        controlled([0.5, 0.55], [0.4, 0.6]) == "GCN on full graphs, labels permuted: 0.525 ROC-AUC on average, "
        "within the bound for chance (0.400 to 0.600) in all 2 fits."
    )
    assert "0.600 ROC-AUC on average, OUTSIDE the bound for chance (0.400 to 0.600) in 1 of 2 fits" in controlled(
        [0.5, 0.7], [0.4, 0.6]
    )
    assert "no bound for chance was written down" in controlled([0.5, 0.7], [])
    assert controlled([-2.0], [-np.inf, 0.1]).endswith("within the bound for chance (up to 0.100) in its one fit.")


def test_missing_controls_are_named():
    assert said(attention=shifted(0.0)).controls == ("No fit had permuted labels: there is no control.",)
    (found,) = verdict(
        summary([*of_scores(gcn=GCN), record("gcn", "edges", 0, None, role="permuted", status="failed")])
    ).controls
    assert found == "GCN on edges, labels permuted: every fit failed."


@pytest.mark.parametrize(
    ("figures", "caution"),
    [
        ({"parameters": 50_000}, "Parameter counts are not within 5 % of each other: 40,000 to 50,000."),
        (
            {"epochs": 60, "kept": 60},
            "8 of 16 fits were best at the last epoch they were allowed: more may help attention on edges.",
        ),
        ({"settings": TUNED | {"depth": 9}}, "Settings were not the same for all fits; the protocol says which."),
        ({"batch_size": 32}, "8 fits ran out of memory and used smaller batches."),
    ],
)
def test_cautions_are_read_from_the_records(figures, caution):
    usual = {"parameters": 40_000, "epochs": 30, "kept": 20, "batch_size": 64, "settings": TUNED}
    rows = [record("gcn", "edges", split, each, **usual) for split, each in enumerate(GCN)]
    assert verdict(summary(rows)).cautions == ()
    rows += [record("attention", "edges", split, each, **(usual | figures)) for split, each in enumerate(GCN)]
    assert verdict(summary(rows)).cautions == (caution,)


def test_settings_that_were_read_from_a_file_are_the_same():
    rows = [
        record("gcn", "edges", split, each, settings=TUNED | {"fractions": (0.8, 0.1, 0.1)})
        for split, each in enumerate(GCN)
    ]
    rows += [record("attention", "edges", split, each, settings=TUNED) for split, each in enumerate(GCN)]
    assert verdict(summary(rows)).cautions == ()


@pytest.mark.parametrize(
    ("splits", "seeds", "said"),
    [
        (
            1,
            1,
            "There is one split and one seed only: nothing is known about other splits or seeds, and nothing is decided.",
        ),
        (2, 1, "Only 2 splits: nothing is decided."),
        (4, 1, "Only 4 splits: intervals are wide, and little can be decided."),
        (1, 3, "There is one split only: intervals are over seeds and say nothing about other splits."),
    ],
)
def test_how_little_is_known_of_few_splits(splits, seeds, said):
    fits = [record("gcn", "edges", split, 0.8, seed=seed) for split in range(splits) for seed in range(seeds)]
    assert verdict(summary(fits)).cautions == (said,)


def test_more_epochs_do_not_help_what_is_at_the_top():
    last = {"epochs": 60, "kept": 60, "settings": TUNED}
    fits = [record("gcn", "edges", split, 0.995, **last) for split in range(8)]
    assert verdict(summary(fits)).cautions == ()


def test_what_was_stopped_is_named():
    fits = [*of_scores(gcn=GCN, attention=GCN[:5]), failed("attention", "edges", 5, "diverged")]
    assert "The comparison is not finished: there are 6 to 8 fits of each network." in verdict(summary(fits)).cautions


def test_few_splits_and_one_split_are_named():
    assert verdict(summary(of_scores(gcn=GCN[:3]))).cautions == (
        "Only 3 splits: intervals are wide, and little can be decided.",
    )
    (caution,) = verdict(summary([record("gcn", "edges", 0, 0.8, seed=seed) for seed in range(6)])).cautions
    assert caution.startswith("There is one split only: intervals are over seeds")


def test_the_text_begins_with_the_answer_and_the_baselines():
    text = str(verdict(summary(made(splits=6))))
    first, effects, controls, cautions = text.split("\n\n")
    assert first.startswith("Attention helps here. Attention on ")
    assert "random forest" in first
    assert effects.startswith("Attention instead of GCN")
    assert controls.startswith("GCN on edges, labels permuted")
    assert cautions.startswith("Nothing was tuned")


def test_names_that_are_not_ours_are_said_as_they_are():
    found = said(mine=shifted(0.02))
    assert found.answer.startswith("Mine on edges beats GCN on edges by 0.020")
    assert found.headline == "mine on edges is best.".capitalize()
