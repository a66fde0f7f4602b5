"""From saved tissue graphs to a trained, tested and saved model; ``say`` receives what a person should read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.splits import PARTS, Split, hold_out
from graphattn.data.writing import write_csv
from graphattn.models.by_name.whole import architecture
from graphattn.training.curve_drawing import draw_losses
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.folder.checks import check_folder, writing
from graphattn.training.runs import Curves, Interrupted, clear
from graphattn.training.telling import Say, check_hardware
from graphattn.training.tissue.dividing import Division, Images, divide
from graphattn.training.tissue.evaluation import fingerprints
from graphattn.training.tissue.learning import learn, loss_of
from graphattn.training.tissue.plan import TissuePlan, TrainedTissue
from graphattn.training.tissue.problems.base import TissueProblem
from graphattn.training.tissue.problems.labelled_cells import read_cells
from graphattn.training.tissue.problems.survival import read_survival
from graphattn.training.tissue.slides import Labels, read_slides, tell_set_aside
from graphattn.training.tissue.testing import counted, on_folds, on_parts

CURVES, REJECTED = "curves.svg", "rejected.csv"

Floats = NDArray[np.float64]


def train(graphs: Sequence[Data], plan: TissuePlan, say: Say, verbose: bool = True) -> FittedNetwork:
    """Trains on some images, tests on those of other patients beside the baselines, and saves all in ``plan.out``.

    Raises:
        ValueError: a folder that is taken or not writable; images or labels that cannot be learned; parts that divide a patient;
            if ``plan.strict``, images that cannot be used.
        Interrupted: Ctrl-C or SIGTERM; of parts a usable model has been saved, of folds all is there to go on.
    """
    check_folder(plan.out, plan.resume)
    check_hardware(plan.hardware)
    architecture(plan.network.name)
    if (plan.network.loss == "cox") is not (plan.labels.survival is not None):
        raise ValueError("survival needs all three: --loss cox, and the columns --time and --event of the labels")
    problem = read_problem(graphs, plan.labels, plan.source, say)
    loss_of(problem, plan)
    tell_set_aside(problem.set_aside, say, plan.strict)
    division = divide(
        Images(problem.patients, problem.classes, problem.cells), plan.split, plan.recipe.seed, plan.divide_patients
    )
    _tell_division(problem, division, plan, say)
    split = _whole(problem, plan) if division.folds else division.splits[0]
    record = _described(problem, division, plan, split)
    with writing(plan.out, plan.resume):
        if problem.set_aside:
            write_csv(("file", "place", "reason"), problem.set_aside, plan.out / REJECTED, plan.escape_formulas)
            say(f"all that was set aside is listed in {plan.out / REJECTED}")
        tested = on_folds(problem, division, plan, say, verbose) if division.folds else None
        known = record | {"metrics": tested.figures if tested else None}
        model, curves = _final(problem, split, plan, known, say, verbose)
        record |= _chosen(curves)
        if tested is None and len(split.test):
            tested = on_parts(problem, split, model, plan, say)
        draw_losses(curves, plan.out / CURVES)
        record |= {"metrics": tested.figures if tested else None, "curves_drawn": CURVES}
        model.save(plan.out, record)
        clear(plan.out)
        if plan.report is not None:
            plan.report(TrainedTissue(model, problem, division, tested, record), plan.out)
    return model


def read_problem(graphs: Sequence[Data], labels: Labels, source: str, say: Say) -> TissueProblem:
    """What is learned: of each cell where labels are of cells, survival where they are times, else of images.

    Arguments and errors are those of :func:`~graphattn.training.tissue.slides.read_slides`.
    """
    if labels.survival is not None:
        return read_survival(graphs, labels, source, say)
    return (read_slides if labels.cells is None else read_cells)(graphs, labels, source, say)


def _final(
    problem: TissueProblem, split: Split, plan: TissuePlan, record: dict[str, Any], say: Say, verbose: bool
) -> tuple[FittedNetwork, list[Curves]]:
    """The model of the folder; an interrupted one is saved like a finished one."""
    try:
        return learn(problem, split, plan, plan.out, verbose)
    except Interrupted as stop:
        stop.model.save(plan.out, {**record, "interrupted": True})
        say(f"Interrupted. {plan.out} holds the best model so far; the same command with --resume goes on.")
        raise


def _whole(problem: TissueProblem, plan: TissuePlan) -> Split:
    """All images train the model that is saved after folds; a tenth of the patients chooses the epoch."""
    train, validation = hold_out(problem.patients, problem.classes, plan.recipe.seed, grouped=True)
    return Split(train, validation, np.empty(0, dtype=np.int64))


def _tell_division(problem: TissueProblem, division: Division, plan: TissuePlan, say: Say) -> None:
    """Says the parts.

    Raises:
        ValueError: a training part of one class.
    """
    if division.folds:
        say(f"split: {division.rule}, seed {plan.recipe.seed}: {len(division.splits)} models, and one of all images")
    for number, split in enumerate(division.splits, start=1):
        said = problem.lacking(split)
        for each in said if division.folds else ():
            if "training part" in each:
                say(f"fold {number}: {each}")
        if not division.folds:
            sizes = ", ".join(f"{counted(problem, part)} {name}" for name, part in zip(PARTS, split, strict=True))
            say(f"split: {division.rule}, seed {plan.recipe.seed}: {sizes}")
            for each in said:
                say(each)
        if split is division.splits[0] and np.array_equal(split.train, split.validation):
            say("few images: all of the training part choose the epoch as well")


def _described(problem: TissueProblem, division: Division, plan: TissuePlan, split: Split) -> dict[str, Any]:
    """What ``model.json`` says about labels, images and parts; images and patients are counted and not named."""
    task, learned = problem.task, np.concatenate([split.train, split.validation])
    seen = set[str]().union(*fingerprints([problem.graphs[row] for row in learned]))
    sizes = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    if division.folds:
        sizes = {"train": len(problem.graphs), "validation": 0, "test": len(problem.graphs)}
    parameters = {
        "layer": plan.network.name,
        "topology": "edges",
        "channels": plan.network.channels,
        "layers": plan.network.layers,
        "dropout": 0.0,
        "epochs": plan.recipe.epochs,
        "learning_rate": plan.recipe.learning_rate,
        "seed": plan.recipe.seed,
    }
    labels = {"one_dimensional": True} if task.kind == "regression" else {"classes": list(task.classes)}
    return {
        **labels,
        "parameters": parameters,
        "task": task.to_dict(),
        "tissue": problem.form.to_dict(),
        "loss": plan.network.loss,
        **({"survival": list(plan.labels.survival)} if plan.labels.survival else {}),
        "recipe": dataclasses.asdict(plan.recipe),
        "data": {
            "source": plan.source,
            "images": len(problem.graphs),
            "patients": len(set(problem.patients)),
            **({"cells": sum(graph.num_nodes or 0 for graph in problem.graphs)} if problem.level == "node" else {}),
            "set aside": len(problem.set_aside),
        },
        "split": {"rule": division.rule, "seed": plan.recipe.seed, **sizes},
        "seen": sorted(seen),
    }


def _chosen(curves: Sequence[Curves]) -> dict[str, Any]:
    """The epoch that was kept, and all of them, of each member."""
    kept = [each.epochs[each.kept] if each.epochs else {} for each in curves]
    return {
        "training": [
            {"best_epoch": each.kept + 1, "seconds": round(each.seconds, 1), **row}
            for each, row in zip(curves, kept, strict=True)
        ],
        "curves": [each.epochs for each in curves],
    }
