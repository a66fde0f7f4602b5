import sys

import pytest

from graphattn.comparison.fits.tuning import tune
from graphattn.comparison.settings import Settings

pytest.importorskip("optuna", reason="needs pip install 'graphattn[compare]'")

SETTINGS = Settings(trials=8)


def bowl(chosen):
    return -((chosen["dropout"] - 0.3) ** 2) - abs(chosen["learning_rate"] - 0.004)


class Counted:
    """Counts calls; is stopped before one of them."""

    def __init__(self, stop=None):
        self.calls, self.stop = [], stop

    def __call__(self, chosen):
        if len(self.calls) == self.stop:
            raise KeyboardInterrupt
        self.calls.append(chosen)
        return bowl(chosen)


def test_the_first_trial_is_the_settings_and_the_best_is_chosen():
    counted = Counted()
    best = tune(SETTINGS, counted, seed=1)
    assert len(counted.calls) == 8
    assert counted.calls[0] == {"learning_rate": 0.002, "weight_decay": 0.01, "dropout": 0.1}
    assert bowl(best) == max(map(bowl, counted.calls)) > bowl(counted.calls[0])
    again = Counted()
    assert tune(SETTINGS, again, seed=1) == best
    assert again.calls == counted.calls


def test_a_run_that_was_stopped_goes_on_as_if_it_was_not(tmp_path):
    whole = Counted()
    best = tune(SETTINGS, whole, seed=1, journal=tmp_path / "a" / "whole.journal")
    journal, first, second = tmp_path / "b.journal", Counted(stop=3), Counted()
    with pytest.raises(KeyboardInterrupt):
        tune(SETTINGS, first, seed=1, journal=journal)
    assert tune(SETTINGS, second, seed=1, journal=journal) == best
    assert first.calls + second.calls == whole.calls
    third = Counted()
    assert tune(SETTINGS, third, seed=1, journal=journal) == best
    assert third.calls == []


def test_a_trial_that_diverges_counts_and_is_not_chosen():
    calls = []

    def some(chosen):
        calls.append(chosen)
        if chosen["dropout"] > 0.1:
            raise ValueError("it diverged")
        return bowl(chosen)

    assert tune(SETTINGS, some, seed=0)["dropout"] <= 0.1
    assert len(calls) == 8


def test_trials_of_which_none_can_be_scored_are_said():
    def none(chosen):
        raise ValueError("it diverged")

    with pytest.raises(ValueError, match="none of 2 trials of tuning can be scored: it diverged"):
        tune(Settings(trials=2), none, seed=0)


def test_settings_outside_of_the_usual_are_tried():
    calls = Counted()
    tune(Settings(trials=1, learning_rate=0.1, weight_decay=0, dropout=0.6), calls, seed=0)
    assert calls.calls[0]["learning_rate"] == 0.1
    assert calls.calls[0]["dropout"] == 0.6
    assert calls.calls[0]["weight_decay"] == 1e-4


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"tuning needs Optuna.*pip install 'graphattn\[compare\]'"):
        tune(SETTINGS, bowl, seed=0)
