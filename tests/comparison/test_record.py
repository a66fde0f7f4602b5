"""All fits in one table, with what repeats a row."""

import pandas as pd

from graphattn.comparison.record import table
from tests.comparison.made_records import failed, made, record


def test_a_row_for_each_fit_and_a_column_for_all_that_repeats_it():
    records = [*made(splits=2), failed("gat", "full", 7, "diverged, in epoch 3")]
    found = table(records)
    assert len(found) == len(records)
    needed = {
        "problem",
        "layer",
        "topology",
        "role",
        "split",
        "seed",
        "split_hash",
        "data_hash",
        "version_torch",
        "setting_epochs",
    }
    assert needed <= set(found.columns)
    assert found.iloc[-1][["status", "reason"]].tolist() == ["failed", "diverged, in epoch 3"]
    assert pd.isna(found.iloc[-1]["score"])


def test_numbers_by_layer_have_a_column_each():
    found = table(
        [record("gcn", "edges", 0, 0.8, learned={"entropy": [0.9, 0.5], "reach": 1.5}, chosen={"dropout": 0.1})]
    )
    assert found[["learned_entropy_1", "learned_entropy_2", "learned_reach", "chosen_dropout"]].iloc[0].tolist() == [
        0.9,
        0.5,
        1.5,
        0.1,
    ]


def test_bounds_of_controls_are_two_columns():
    found = table([record("gcn", "edges", 0, 0.5, role="permuted", chance=[0.4, 0.6]), record("gcn", "edges", 0, 0.8)])
    assert found["chance_high"].fillna(-1).tolist() == [0.6, -1]


def test_a_file_of_it_reads_back(tmp_path):
    found = table(made(splits=2))
    found.to_csv(tmp_path / "results.csv", index=False)
    again = pd.read_csv(tmp_path / "results.csv")
    assert again["score"].tolist() == found["score"].tolist()
    assert again["setting_fractions"][0] == "[0.8, 0.1, 0.1]"


def test_columns_of_a_kind_stand_together():
    kinds = [
        name.partition("_")[0]
        for name in table(made(splits=2)).columns
        if name.startswith(("learned_", "setting_", "version_"))
    ]
    assert kinds == sorted(kinds)


def test_no_records_are_an_empty_table():
    assert len(table([])) == 0
