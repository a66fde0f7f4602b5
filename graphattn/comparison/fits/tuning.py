"""As many trials for every layer, inside each training part: the validation part chooses, the test part is not touched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from graphattn.comparison.settings import Settings

Chosen = dict[str, float]

RATES = (3e-4, 1e-2)
DECAYS = (1e-4, 1e-1)
DROPOUTS = (0.0, 0.4)


def tune(settings: Settings, validated: Callable[[Chosen], float], seed: int, journal: Path | None = None) -> Chosen:
    """The learning rate, the weight decay and the dropout of the trial with the best validation score.

    The first trial is that of the settings, so that tuning never does worse on the validation part than leaving it; the others
    are proposed by the tree-structured Parzen estimator (Bergstra et al., 2011), through Optuna. A journal makes it resumable at
    the grain of one trial, with the result of a run that was not stopped. A trial that raises ``ValueError`` has been tried.

    Args:
        settings: the number of trials, and what the first one is.
        validated: trains with what was chosen, and returns the score on the validation part.
        seed: of the proposals.
        journal: file of trials, made where it is not there.

    Raises:
        ImportError: Optuna is not installed.
        ValueError: no trial can be scored, with the last reason.

    >>> first = {"learning_rate": 0.002, "weight_decay": 0.01, "dropout": 0.1}
    >>> tune(Settings(trials=2), lambda chosen: -abs(chosen["learning_rate"] - 0.002), seed=0) == first
    True
    """
    optuna = library()
    with _quiet(optuna):
        study = optuna.create_study(
            storage=_storage(optuna, journal), study_name="tuning", direction="maximize", load_if_exists=True
        )
        for stopped in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(stopped.number, state=optuna.trial.TrialState.FAIL)
        while (done := _done(study)) < settings.trials:
            _try(optuna, study, settings, validated, seed + done)
        scored = [each for each in study.trials if each.value is not None]
    if not scored:
        reasons = [each.user_attrs["reason"] for each in study.trials if "reason" in each.user_attrs]
        raise ValueError(
            f"none of {settings.trials} trials of tuning can be scored: {reasons[-1] if reasons else 'no trial'}"
        )
    return dict(max(scored, key=lambda trial: (trial.value, -trial.number)).params)


def _try(optuna: Any, study: Any, settings: Settings, validated: Callable[[Chosen], float], seed: int) -> None:
    # A sampler for each trial: what is proposed depends on the trials before, not on whether the run was stopped between them.
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5)
    if not _done(study):
        # No decay at all has no logarithm: it is tried as the least there is.
        decay = settings.weight_decay or DECAYS[0]
        first = {"learning_rate": settings.learning_rate, "weight_decay": decay, "dropout": settings.dropout}
        study.enqueue_trial(first)
    trial = study.ask()
    chosen = {
        "learning_rate": trial.suggest_float("learning_rate", *_with(RATES, settings.learning_rate), log=True),
        "weight_decay": trial.suggest_float("weight_decay", *_with(DECAYS, settings.weight_decay), log=True),
        "dropout": trial.suggest_float("dropout", *_with(DROPOUTS, settings.dropout)),
    }
    try:
        study.tell(trial, validated(chosen))
    except ValueError as error:
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _with(span: tuple[float, float], value: float) -> tuple[float, float]:
    """The span, wide enough for the settings."""
    return min(span[0], value) if value > 0 else span[0], max(span[1], value)


def _done(study: Any) -> int:
    """Trials that have been scored or have failed, and not those that were stopped."""
    return sum(trial.value is not None or "reason" in trial.user_attrs for trial in study.trials)


def _storage(optuna: Any, journal: Path | None) -> Any:
    if journal is None:
        return None
    journal.parent.mkdir(parents=True, exist_ok=True)
    backend = import_module("optuna.storages.journal").JournalFileBackend(str(journal))
    return optuna.storages.JournalStorage(backend)


def library() -> Any:
    """Optuna.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return import_module("optuna")
    except ImportError:
        raise ImportError("tuning needs Optuna, which is not installed: pip install 'graphattn[compare]'") from None


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
