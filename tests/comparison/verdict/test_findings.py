"""Typical outcomes, and whether a reviewer would accept each sentence about them."""

import pytest

from graphattn.comparison.verdict.findings import Findings
from graphattn.comparison.verdict.sentences import verdict
from graphattn.comparison.verdict.summary import summary
from graphattn.training.statistics import holm
from tests.comparison.made_records import failed, made, record

NOISE = [0.004, -0.003, 0.001, -0.004, 0.003, 0.0, -0.002, 0.001]
SPLITS = len(NOISE)


def configuration(layer, mean, topology="edges", noise=1.0, role="model", measure="ROC-AUC", shift=0, **figures):
    """Fits around a mean; every configuration has its own noise."""
    scores = [mean + noise * NOISE[(split + shift) % SPLITS] for split in range(SPLITS)]
    return [
        record(layer, topology, split, score, role=role, measure=measure, validation=score, **figures)
        for split, score in enumerate(scores)
    ]


def baseline(name, mean, **more):
    return configuration(name, mean, topology="", role="baseline", **more)


def told(*configurations, **more):
    return verdict(summary([each for fits in configurations for each in fits], **more))


def test_a_clear_win_says_what_it_costs():
    found = told(
        configuration("attention", 0.90, "full", seconds_per_epoch=2.0, peak_mib=30.0),
        configuration("gcn", 0.85, seconds_per_epoch=1.0, peak_mib=10.0, shift=3),
        baseline("majority", 0.5, noise=0.0),
        baseline("random forest", 0.8, shift=1),
    )
    assert found.headline == "Attention helps here."
    assert "Attention on full graphs beats GCN on edges by 0.050 ROC-AUC [0.0" in found.answer
    assert (
        " at 2 times the time per epoch and 3 times the memory (p < 0.001, not adjusted: fixed before the fits)."
        in found.answer
    )
    assert "beats random forest by 0.100 [0.0" in found.baselines
    assert "and majority by 0.400 [0.3" in found.baselines
    assert found.alarm == ""


def test_what_is_not_decided_has_a_cost_as_well():
    figures = {"seconds_per_epoch": 3.0}, {"seconds_per_epoch": 1.0}
    found = told(
        configuration("attention", 0.86, noise=8, **figures[0]),
        configuration("gcn", 0.85, noise=8, shift=3, **figures[1]),
    )
    assert found.headline == "Not decided."
    assert found.answer.endswith("; the first comes at 3 times the time per epoch.")


@pytest.mark.parametrize(
    ("forest", "headline"),
    [
        (0.95, "Attention helps here, but random forest does better."),
        (0.902, "Attention helps here, but random forest does as well."),
        (0.80, "Attention helps here."),
    ],
)
def test_a_baseline_that_is_no_worse_is_in_the_headline(forest, headline):
    configurations = configuration("attention", 0.90, noise=0.2), configuration("gcn", 0.85, noise=0.2, shift=3)
    assert told(*configurations, baseline("random forest", forest, noise=0.2, shift=1)).headline == headline


def test_a_network_that_is_better_than_both_is_in_the_headline():
    found = told(
        configuration("attention", 0.90),
        configuration("gcn", 0.85, shift=3),
        configuration("gin", 0.95, shift=1),
        configuration("sage", 0.94, shift=2),
    )
    assert found.headline == "Attention helps here, but GIN on edges does better."


def test_several_rivals_stand_in_one_headline():
    found = told(
        configuration("attention", 0.90),
        configuration("gcn", 0.90, shift=3),
        configuration("mlp", 0.95, "none", shift=1),
        baseline("SVC", 0.96, shift=2),
    )
    assert found.headline == "A GCN would do, but SVC and MLP without edges do better."


@pytest.mark.parametrize(
    ("alone", "headline", "edges"),
    [
        (0.80, "A GCN would do.", "Message passing helps: attention on edges beats MLP without edges by 0.100"),
        (
            0.901,
            "A GCN would do, but MLP without edges does as well.",
            "Message passing does not help: no difference larger than 0.01",
        ),
        (
            0.95,
            "A GCN would do, but MLP without edges does better.",
            "Message passing harms: MLP without edges beats attention on edges by 0.050",
        ),
    ],
)
def test_whether_it_helps_that_nodes_hear_each_other(alone, headline, edges):
    found = told(
        configuration("attention", 0.900, noise=0.1),
        configuration("gcn", 0.899, noise=0.1),
        configuration("mlp", alone, "none", shift=1),
    )
    assert found.headline == headline
    assert found.edges.startswith(edges)


def test_shuffled_edges_are_no_way_to_hear():
    found = told(
        configuration("gcn", 0.8),
        configuration("gcn", 0.9, "shuffled", shift=1),
        configuration("mlp", 0.7, "none", shift=2),
    )
    assert found.edges.startswith("Message passing helps: GCN on edges beats MLP without edges")


@pytest.mark.parametrize(
    ("measure", "floor", "level"), [("ROC-AUC", "majority", 0.5), ("R2", "mean", -0.01), ("accuracy", "majority", 0.34)]
)
def test_where_everything_is_at_chance_nothing_is_said_to_do(measure, floor, level):
    configurations = (
        configuration("attention", level, noise=5, measure=measure),
        configuration("gcn", level + 0.001, noise=5, shift=2, measure=measure),
    )
    found = told(*configurations, baseline(floor, level, noise=0.0, measure=measure))
    assert found.headline == "Neither is shown to beat guessing."
    assert found.answer == (
        f"Neither attention on edges ({level:.3f} {measure}) nor GCN on edges ({level + 0.001:.3f} {measure}) is shown to beat "
        f"the {floor} ({level:.3f}): there is nothing to compare."
    )
    assert found.edges == ""
    found = told(
        *configurations,
        configuration("mlp", level, "none", measure=measure),
        baseline(floor, level, noise=0.0, measure=measure),
    )
    assert found.edges == ""


def test_a_regression_worse_than_the_mean_is_no_win_for_the_less_bad():
    found = told(
        configuration("attention", -0.2, measure="R2"),
        configuration("gcn", -0.9, measure="R2", shift=3),
        baseline("mean", -0.01, measure="R2", shift=1),
        baseline("ridge", 0.6, measure="R2", shift=2),
    )
    assert found.headline == "Neither is shown to beat guessing, but ridge does better."
    assert found.baselines.startswith("A baseline is better than the best network: attention on edges")


def test_one_that_learned_is_enough():
    found = told(
        configuration("attention", 0.9),
        configuration("gcn", 0.5, noise=5, shift=2),
        baseline("majority", 0.5, noise=0.0),
    )
    assert found.headline == "Attention helps here."


def test_two_splits_do_not_say_that_nothing_was_learned():
    fits = [*configuration("attention", 0.5)[:2], *configuration("gcn", 0.5)[:2], *baseline("majority", 0.5)[:2]]
    assert verdict(summary(fits)).headline == "Not decided."


def test_where_everything_is_right_the_task_is_too_easy():
    found = told(
        configuration("attention", 1.0, noise=0.0),
        configuration("gcn", 1.0, noise=0.0),
        baseline("SVC", 1.0, noise=0.0),
        baseline("majority", 0.5),
    )
    assert found.headline == "A GCN would do, but SVC does as well."
    assert found.answer.startswith(
        "No difference larger than 0.01 ROC-AUC between attention on edges and GCN on edges, the same score on each of 8 splits."
    )
    assert "Both are within 0.01 of the best possible score: this task is too easy to tell them apart." in found.answer


def test_equal_below_the_top_is_not_too_easy():
    assert (
        "too easy"
        not in told(configuration("attention", 0.98, noise=0.1), configuration("gcn", 0.98, noise=0.1, shift=1)).answer
    )


def test_a_control_outside_its_bound_is_said_before_anything_else():
    leaking = configuration("gcn", 0.7, role="permuted", chance=[0.3, 0.65]) + configuration(
        "attention", 0.5, role="permuted", chance=[0.3, 0.65]
    )
    said = str(verdict(summary([*configuration("attention", 0.9), *configuration("gcn", 0.9), *leaking])))
    assert said.startswith(
        "DO NOT BELIEVE THESE SCORES YET: with permuted labels GCN on edges reached 0.704 ROC-AUC, outside the bound for chance "
        "of 0.300 to 0.650, in all 8 fits."
    )
    assert said.count("OUTSIDE") == 1


def test_a_control_far_below_its_bound_is_one_outside():
    below = [record("gcn", "edges", 0, 0.2, role="permuted", chance=[0.3, 0.7])]
    assert "reached 0.200 ROC-AUC, outside" in verdict(summary([*configuration("gcn", 0.9), *below])).alarm


@pytest.mark.parametrize(("measure", "bound"), [("ROC-AUC", [0.0, 1.0]), ("R2", [-float("inf"), 1.0])])
def test_a_bound_that_excludes_nothing_says_nothing(measure, bound):
    control = configuration("gcn", 0.5, role="permuted", measure=measure, chance=bound)
    (said,) = told(configuration("gcn", 0.9, measure=measure), control).controls
    assert said.endswith("the test parts are too small for a bound for chance, so that this control says nothing.")


def test_words_need_a_p_that_was_adjusted():
    """Each of three effects alone has an interval without 0, p 0.04; of three together that is no finding, and words say so."""
    configurations = [
        configuration("gcn", 0.9, noise=0.0),
        *(configuration(layer, 0.9036) for layer in ("gin", "sage", "gat")),
    ]
    found = summary([each for fits in configurations for each in fits], rope=0.0)
    assert [effect.difference.interval.low > 0 for effect in found.effects] == [True] * 3
    for said in verdict(found).effects:
        assert (
            "instead of GCN: not decided, 0.004 [0.000, 0.007], on edges (the interval, of this comparison alone, "
            in said
        )
        assert said.endswith("excludes 0, but p is 0.12 after Holm over 3 comparisons).")


def test_a_baseline_is_undecided_for_a_reason_where_its_interval_excludes_0():
    """Of the best network's comparisons with a forest and five other networks, that with the forest alone would be a finding."""
    others = [configuration(layer, 0.909, shift=k) for k, layer in enumerate(("gcn", "gin", "sage", "edgeconv", "mlp"))]
    found = told(configuration("attention", 0.91), *others, baseline("random forest", 0.905, shift=4), rope=0.0)
    assert (
        "is not shown to differ from random forest (0.005 [0.001, 0.009]; the interval, of this comparison alone, excludes 0, "
        "but p is 0.13 after Holm over 5 comparisons)"
    ) in found.baselines
    assert "random forest" not in found.headline


def test_a_baseline_better_than_one_of_the_question_but_not_than_the_best_network_is_in_no_headline():
    """As on digits: EdgeConv is the best network; the SVC beats attention, but is not shown to beat EdgeConv."""
    found = told(
        configuration("attention", 0.90),
        configuration("gcn", 0.85, shift=3),
        configuration("edgeconv", 0.905, noise=3, shift=1),
        baseline("SVC", 0.915, shift=2),
        rope=0.001,
    )
    assert found.headline == "Attention helps here."
    assert found.baselines.startswith(
        "EdgeConv on edges, the best network by validation score (0.905 ROC-AUC), is not shown"
    )


@pytest.mark.parametrize("seed", range(12))
def test_headline_text_and_figure_have_one_finding_of_a_pair(seed):
    records = made(splits=5, noise=0.01, seed=seed, better={"edgeconv": 0.02})
    found = Findings(summary(records))
    said, words = verdict(found.summary), {"worse": "loses to", "equal": "equals", "better": "beats"}
    for pair in found.against:
        if pair.second.role == "baseline":
            before = said.baselines.partition(pair.second.title)[0]
            last = max(("loses to", "equals", "is not shown to differ from", "beats"), key=before.rfind)
            assert last == words.get(pair.finding, "is not shown to differ from")
            better = f"{pair.second.title} does better" in said.headline
            assert better == (pair.finding == "worse" and pair.second.layer != "majority")
    assert {pair.family for pair in found.against} == {0, len(found.family)}
    p = {pair.second.name: pair.difference.p for pair in found.against if pair.family}
    assert list(found.family.items()) == list(zip(p, holm(list(p.values())), strict=True))


def test_a_cell_that_nearly_always_failed_is_not_the_best_of_its_kind():
    lucky = [
        *configuration("attention", 0.99, "full")[:1],
        *(failed("attention", "full", split, "diverged") for split in range(1, 8)),
    ]
    found = told(lucky, configuration("attention", 0.9), configuration("gcn", 0.8, shift=2))
    assert found.answer.startswith("Attention on edges beats GCN on edges")
    assert any("7 of 24 fits failed (7 of attention on full)" in each for each in found.cautions)


def test_what_was_left_out_of_a_pair_is_said():
    lacking = [*configuration("attention", 0.9)[:7], failed("attention", "edges", 7, "diverged")]
    assert told(lacking, configuration("gcn", 0.8, shift=2)).answer.endswith(
        " (without 1 place where a fit has no score)."
    )


def test_attention_that_is_told_more_is_compared_without_that_as_well():
    configurations = configuration("edge_attention", 0.9, "full"), configuration("gcn", 0.85, shift=3)
    found = told(*configurations, configuration("attention", 0.8, shift=1))
    assert found.headline == "Attention with edge terms helps here."
    assert (
        "Attention with edge terms on full graphs is given features of edges and distances, GCN on edges is not; "
        "without them, GCN on edges beats attention on edges by 0.050 ROC-AUC [0.0"
    ) in found.answer
    assert told(*configurations).answer.endswith("GCN on edges is not.")
    assert (
        "is given"
        not in told(
            configuration("attention", 0.9), configuration("gcn", 0.85, shift=3), configuration("edge_attention", 0.8)
        ).answer
    )


@pytest.mark.parametrize(
    ("attention", "headline"),
    [
        (0.9, "Attention helps on this one split."),
        (0.8, "A GCN does better on this one split."),
        (0.85, "A GCN would do on this one split."),
    ],
)
def test_what_is_known_of_one_split_only_is_said_of_it(attention, headline):
    fits = [record("attention", "edges", 0, attention + noise, seed=seed) for seed, noise in enumerate(NOISE)]
    fits += [record("gcn", "edges", 0, 0.85 + noise, seed=seed) for seed, noise in enumerate(NOISE[1:] + NOISE[:1])]
    assert verdict(summary(fits)).headline == headline
