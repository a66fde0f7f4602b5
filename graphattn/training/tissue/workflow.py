"""From saved tissue graphs to a trained, tested and saved model; ``say`` receives what a person should read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.splits import PARTS, Split, hold_out
from graphattn.data.tissue.composition import summaries
from graphattn.data.writing import write_csv
from graphattn.models.by_name.whole import architecture
from graphattn.training.curve_drawing import draw_losses
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.folder.checks import CHECKPOINTS, check_folder, writing
from graphattn.training.metrics import Figure
from graphattn.training.runs import Curves, Interrupted, clear
from graphattn.training.telling import Say, check_hardware, tell_figures
from graphattn.training.tissue.baselines import baselines
from graphattn.training.tissue.comparing import FEW_PATIENTS, by_folds, by_patients
from graphattn.training.tissue.dividing import Division, Images, divide, parts_lacking
from graphattn.training.tissue.evaluation import fingerprints
from graphattn.training.tissue.learning import CHANNELS, LAYERS, learn, predictions
from graphattn.training.tissue.plan import TissuePlan
from graphattn.training.tissue.slides import Slides, read_slides, tell_set_aside

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
    architecture(plan.model)
    slides = read_slides(graphs, plan.labels, plan.source, say)
    tell_set_aside(slides.set_aside, say, plan.strict)
    division = divide(
        Images(slides.patients, slides.classes, slides.cells), plan.split, plan.recipe.seed, plan.divide_patients
    )
    _tell_division(slides, division, plan, say)
    tables = summaries(slides.graphs) if plan.compare else {}
    split = _whole(slides, plan) if division.folds else division.splits[0]
    record = _described(slides, division, plan, split)
    with writing(plan.out, plan.resume):
        if slides.set_aside:
            write_csv(("file", "place", "reason"), slides.set_aside, plan.out / REJECTED, plan.escape_formulas)
            say(f"all that was set aside is listed in {plan.out / REJECTED}")
        tested = _of_folds(slides, division, plan, tables, say, verbose) if division.folds else None
        model, curves = _final(slides, split, plan, record | {"metrics": tested}, say, verbose)
        record |= _chosen(curves)
        if tested is None and len(split.test):
            tested = _of_parts(slides, split, model, tables, plan, say)
        draw_losses(curves, plan.out / CURVES)
        model.save(plan.out, record | {"metrics": tested, "curves_drawn": CURVES})
        clear(plan.out)
    return model


def _final(
    slides: Slides, split: Split, plan: TissuePlan, record: dict[str, Any], say: Say, verbose: bool
) -> tuple[FittedNetwork, Curves]:
    """The model of the folder; an interrupted one is saved like a finished one."""
    try:
        return learn(slides, split, plan, plan.out, verbose)
    except Interrupted as stop:
        stop.model.save(plan.out, {**record, "interrupted": True})
        say(f"Interrupted. {plan.out} holds the best model so far; the same command with --resume goes on.")
        raise


def _of_parts(
    slides: Slides, split: Split, model: FittedNetwork, tables: dict[str, Floats], plan: TissuePlan, say: Say
) -> dict[str, Any]:
    """Says the figures on the test part, beside the baselines; returns them for JSON."""
    said = {plan.model: predictions(model, [slides.graphs[row] for row in split.test])}
    said |= baselines(slides.task, tables, slides.y, split, plan.recipe.seed)
    return _told(slides, split.test, said, f"test part, {_counted(slides, split.test)}", say)


def _of_folds(
    slides: Slides, division: Division, plan: TissuePlan, tables: dict[str, Floats], say: Say, verbose: bool
) -> dict[str, Any]:
    """Says the figures of all images, each predicted by models that saw none of its patient; returns them for JSON."""
    folds: dict[str, list[Floats]] = {}
    for number, split in enumerate(division.splits, start=1):
        folder = plan.out / CHECKPOINTS / f"fold-{number}"
        try:
            model, _ = learn(slides, split, plan, folder, verbose=False)
        except Interrupted:
            say(f"Interrupted in fold {number} of {len(division.splits)}; the same command with --resume goes on.")
            raise
        said = {plan.model: predictions(model, [slides.graphs[row] for row in split.test])}
        said |= baselines(slides.task, tables, slides.y, split, plan.recipe.seed)
        for name, each in said.items():
            folds.setdefault(name, []).append(each)
        if verbose:
            say(f"fold {number} of {len(division.splits)}: {_counted(slides, split.test)} tested")
    tests = [split.test for split in division.splits]
    rows = np.concatenate(tests)
    pooled = {name: np.concatenate(each) for name, each in folds.items()}
    found = _told(slides, rows, pooled, f"{division.rule}, {_counted(slides, rows)}, each tested once", say)
    if len(folds) > 1:
        ratio = len(rows) / len(tests) / np.mean([len(split.train) for split in division.splits])
        say(by_folds(slides.task, folds, [slides.y[test].astype(float) for test in tests], float(ratio)))
    return found


def _told(slides: Slides, rows: NDArray[np.int64], said: dict[str, Floats], title: str, say: Say) -> dict[str, Any]:
    patients = [slides.patients[row] for row in rows]
    found, sentence = by_patients(slides.task, said, slides.y[rows].astype(float), patients)
    tell_figures(found, title, say, "patients")
    if len(said) > 1:
        say(sentence)
    if (number := len(set(patients))) < FEW_PATIENTS:
        say(f"{number} patients are few: intervals say little, and are too narrow")
    return {name: {measure: _plain(figure) for measure, figure in each.items()} for name, each in found.items()}


def _plain(figure: Figure) -> dict[str, Any]:
    return figure._asdict()


def _whole(slides: Slides, plan: TissuePlan) -> Split:
    """All images train the model that is saved after folds; a tenth of the patients chooses the epoch."""
    train, validation = hold_out(slides.patients, slides.classes, plan.recipe.seed, grouped=True)
    return Split(train, validation, np.empty(0, dtype=np.int64))


def _tell_division(slides: Slides, division: Division, plan: TissuePlan, say: Say) -> None:
    """Says the parts.

    Raises:
        ValueError: a training part of one class.
    """
    if division.folds:
        say(f"split: {division.rule}, seed {plan.recipe.seed}: {len(division.splits)} models, and one of all images")
    for split in division.splits:
        said = [] if slides.classes is None else parts_lacking(slides.classes, slides.task.classes, split)
        if not division.folds:
            sizes = ", ".join(f"{_counted(slides, part)} {name}" for name, part in zip(PARTS, split, strict=True))
            say(f"split: {division.rule}, seed {plan.recipe.seed}: {sizes}")
            for each in said:
                say(each)
        if split is division.splits[0] and np.array_equal(split.train, split.validation):
            say("few images: all of the training part choose the epoch as well")


def _counted(slides: Slides, rows: NDArray[np.int64]) -> str:
    return f"{len(rows):,} images of {len({slides.patients[row] for row in rows}):,} patients"


def _described(slides: Slides, division: Division, plan: TissuePlan, split: Split) -> dict[str, Any]:
    """What ``model.json`` says about labels, images and parts; images and patients are counted and not named."""
    task, learned = slides.task, np.concatenate([split.train, split.validation])
    seen = set[str]().union(*fingerprints([slides.graphs[row] for row in learned]))
    sizes = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    if division.folds:
        sizes = {"train": len(slides.graphs), "validation": 0, "test": len(slides.graphs)}
    parameters = {
        "layer": plan.model,
        "topology": "edges",
        "channels": CHANNELS,
        "layers": LAYERS,
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
        "tissue": slides.form.to_dict(),
        "recipe": dataclasses.asdict(plan.recipe),
        "data": {
            "source": plan.source,
            "images": len(slides.graphs),
            "patients": len(set(slides.patients)),
            "set aside": len(slides.set_aside),
        },
        "split": {"rule": division.rule, "seed": plan.recipe.seed, **sizes},
        "seen": sorted(seen),
    }


def _chosen(curves: Curves) -> dict[str, Any]:
    """The epoch that was kept, and all of them."""
    row = curves.epochs[curves.kept] if curves.epochs else {}
    return {
        "training": [{"best_epoch": curves.kept + 1, "seconds": round(curves.seconds, 1), **row}],
        "curves": [curves.epochs],
    }
