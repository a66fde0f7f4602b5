"""Steps are timed in turn after a comparison, and memory is read to the page."""

import sys

import pytest
import torch

from graphattn import memory
from graphattn.bench import interleaved, timing
from graphattn.bench.comparison import BOTH, OURS, Comparison
from graphattn.bench.measure import measure
from graphattn.environment import now


def quiet(text):
    del text


def test_sides_are_timed_in_turn_and_each_follows_each_other_one(monkeypatch):
    monkeypatch.setattr(timing, "_TURN", 0)
    calls, told = [], []
    sides = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = interleaved(sides, rounds=9, tell=told.append)
    assert {side: len(values) for side, values in seconds.items()} == {"a": 9, "b": 9, "c": 9}
    assert min(min(values) for values in seconds.values()) > 0
    assert calls[:3] == ["a", "b", "c"]
    rounds = ["".join(calls[3 * turn :][:3]) for turn in range(1, 10)]
    assert {"".join(sorted(each)) for each in rounds} == {"abc"}
    assert {pair for each in rounds for pair in (each[:2], each[1:])} == {"ab", "ac", "ba", "bc", "ca", "cb"}
    assert told == list(range(9))
    again = calls.copy()
    calls.clear()
    interleaved(sides, rounds=9)
    assert calls == again


def test_short_steps_are_repeated_within_a_turn():
    calls = []
    seconds = interleaved({"short": lambda: calls.append(0)}, rounds=2)
    assert len(calls) == 1 + 2 * (1 + 100)
    assert len(seconds["short"]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a high-water mark that can be set back")
@pytest.mark.parametrize("mib", [16, 64])
def test_peak_memory_is_that_of_the_step_alone(mib):
    torch.ones(256 << 18)  # an earlier peak, which must not count
    kept = torch.ones(32 << 18)
    found = memory.peak(lambda: torch.ones(mib << 18))
    assert found is not None
    assert mib - 1 < found.extra < mib + 8
    assert found.whole > mib + 32
    assert kept.numel()


def test_without_a_high_water_mark_memory_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_SELF", tmp_path / "none")
    assert memory.peak(lambda: pytest.fail("not called")) is None
    assert memory.highest() is None
    (tmp_path / "status").write_text("VmRSS:\t1024 kB\n")
    monkeypatch.setattr(memory, "_SELF", tmp_path)
    assert memory._status("VmRSS") == 1
    with pytest.raises(OSError, match="expected VmHWM in"):
        memory._status("VmHWM")


def test_a_comparison_is_compared_then_measured():
    sides = {"peer": lambda: torch.ones(3), OURS: lambda: torch.ones(3), "slow": lambda: 1 / 0, "not here": torch.ones}
    found = measure(Comparison(BOTH, "", sides, {"large": "too large"}), 3, {"not here": "no compiler"}, quiet)
    assert {side: len(each.ms) for side, each in found.items() if each.ms} == {OURS: 3, "peer": 3}
    assert found["peer"].difference == 0
    assert found["peer"].first_ms > 0
    reasons = {side: each.left_out for side, each in found.items() if each.left_out}
    assert reasons == {
        "slow": "ZeroDivisionError: division by zero",
        "not here": "no compiler",
        "large": "too large",
    }


def test_results_that_differ_are_not_timed_and_ours_may_not_fail():
    sides = {OURS: lambda: torch.ones(2), "peer": lambda: torch.tensor([1.0, 1.01])}
    with pytest.raises(ArithmeticError, match=r"expected peer to differ from ours by at most 0.001, got 0.01"):
        measure(Comparison(BOTH, "", sides), 1, {}, quiet)
    with pytest.raises(ZeroDivisionError):
        measure(Comparison(BOTH, "", {OURS: lambda: 1 / 0}), 1, {}, quiet)


def test_what_can_be_called_once_is_called_once():
    calls = []
    found = measure(Comparison(BOTH, "", {OURS: lambda: calls.append(now())}, once=True), 9, {}, quiet)
    assert len(calls) == 1
    assert len(found[OURS].ms) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a high-water mark that can be set back")
def test_the_memory_of_a_single_call_counts_from_the_beginning():
    before = memory.highest()
    torch.ones(128 << 18)
    found = measure(Comparison(BOTH, "", {OURS: lambda: torch.ones(4)}, once=True), 9, {}, quiet)[OURS]
    assert found.extra_mib < 16
    assert found.peak_mib >= max(before, 128 + 64)
