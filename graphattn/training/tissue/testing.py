"""Models of tissue on images that they have not seen, beside the baselines."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.data.splits import Split
from graphattn.training.comparing import by_folds, by_patients, few_patients
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.folder.checks import CHECKPOINTS
from graphattn.training.runs import Interrupted
from graphattn.training.telling import Say, tell_figures
from graphattn.training.tissue.dividing import Division
from graphattn.training.tissue.learning import learn
from graphattn.training.tissue.plan import TissuePlan
from graphattn.training.tissue.problems.base import TissueProblem

Floats = NDArray[np.float64]


class Tested(NamedTuple):
    """What a model, which stands first, and its baselines say of the tested images ``rows``, with figures for JSON."""

    rows: NDArray[np.int64]
    said: dict[str, Floats]
    figures: dict[str, Any]
    sentences: list[str]


def on_parts(problem: TissueProblem, split: Split, model: FittedNetwork, plan: TissuePlan, say: Say) -> Tested:
    """Says the figures on the test part, beside the baselines."""
    said = _said(problem, split, model, plan)
    return _told(problem, split.test, said, f"test part, {counted(problem, split.test)}", say)


def on_folds(problem: TissueProblem, division: Division, plan: TissuePlan, say: Say, verbose: bool) -> Tested:
    """Says the figures of all images, each predicted by models that saw none of its patient.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; all is there to go on.
    """
    folds: dict[str, list[Floats]] = {}
    for number, split in enumerate(division.splits, start=1):
        folder = plan.out / CHECKPOINTS / f"fold-{number}"
        try:
            model, _ = learn(problem, split, plan, folder, verbose=False)
        except Interrupted:
            say(f"Interrupted in fold {number} of {len(division.splits)}; the same command with --resume goes on.")
            raise
        for name, each in _said(problem, split, model, plan).items():
            folds.setdefault(name, []).append(each)
        if verbose:
            say(f"fold {number} of {len(division.splits)}: {counted(problem, split.test)} tested")
    tests = [split.test for split in division.splits]
    rows = np.concatenate(tests)
    pooled = {name: np.concatenate(each) for name, each in folds.items()}
    found = _told(problem, rows, pooled, f"{division.rule}, {counted(problem, rows)}, each tested once", say)
    if len(folds) > 1:
        ratio = len(rows) / len(tests) / np.mean([len(split.train) for split in division.splits])
        sentence = by_folds(problem.judge, folds, [problem.truth(test)[0] for test in tests], float(ratio))
        say(sentence)
        found.sentences.append(sentence)
    return found


def _said(problem: TissueProblem, split: Split, model: FittedNetwork, plan: TissuePlan) -> dict[str, Floats]:
    """What a model, and the baselines beside it, say of the test part."""
    baselines = problem.baselines(split, plan.recipe.seed) if plan.compare else {}
    return {plan.network.name: problem.answers(model, split.test), **baselines}


def _told(problem: TissueProblem, rows: NDArray[np.int64], said: dict[str, Floats], title: str, say: Say) -> Tested:
    truth, patients = problem.truth(rows)
    found, sentence = by_patients(problem.judge, said, truth, patients, problem.bases(truth))
    tell_figures(found, title, say, "patients")
    sentences = [sentence] if len(said) > 1 else []
    sentences += filter(None, [few_patients(len(set(patients)))])
    for each in sentences:
        say(each)
    figures = {name: {measure: figure._asdict() for measure, figure in each.items()} for name, each in found.items()}
    return Tested(rows, said, figures, sentences)


def counted(problem: TissueProblem, rows: NDArray[np.int64]) -> str:
    """Images and patients in words."""
    return f"{len(rows):,} images of {len({problem.patients[row] for row in rows}):,} patients"
