"""The kernel benchmark measures equal results and prints what it measured."""

import pandas as pd
import pytest
import torch

from tests.benchmarks.kernels.__main__ import KEYS, rows_of, table, timed
from tests.benchmarks.kernels.cases import CASES, Case, grid


def test_steps_are_timed_in_turn_after_a_comparison():
    calls = []

    def step(name, value):
        return lambda: calls.append(name) or torch.tensor(value)

    seconds = timed(Case("x", {"graphattn": step("a", 1.0), "peer": step("b", 1.0)}), rounds=3)
    assert calls[-6:] == ["a", "b"] * 3
    assert {who: len(values) for who, values in seconds.items()} == {"graphattn": 3, "peer": 3}
    with pytest.raises(AssertionError):
        timed(Case("x", {"graphattn": step("a", 1.0), "peer": step("b", 2.0)}), rounds=1)


def test_the_table_has_ratios_of_medians_and_their_spread(tmp_path):
    rows = [
        ("default", 2, "sum", who, turn, ms)
        for who, all_ms in (("graphattn", (1, 2, 4)), ("PyG", (8, 6, 4)))
        for turn, ms in enumerate(all_ms)
    ]
    text = table(pd.DataFrame(rows, columns=[*KEYS, "ms"]))
    assert "| sum | PyG | default | 2 | 3 | 2.00 | 6.00 | 3.00 | 1.00 to 8.00 |" in text
    assert len(rows_of(tmp_path).frame()) == 0


def test_a_case_of_the_real_table_agrees_with_its_peers():
    assert set(CASES) >= {"layers", "sums", "complete", "grid"}
    (case,) = grid(side=5, channels=3)
    assert set(timed(case, rounds=1)) == {"graphattn", "torch conv2d"}
