"""From a table of molecules to a trained, tested and saved model, and from a model to predictions.

Both the command line and scripts use these functions; ``say`` receives what a person should read, texts and rich tables.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from graphattn.data.molecules.chemistry import Chemistry, attach, attach_fingerprints, describe
from graphattn.data.molecules.prepare import Molecules, Rejected, checked, collect, report, write_rejected
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.molecules.smiles import LARGE, flat_smiles, large_molecules
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.splits import PARTS, Split
from graphattn.data.tasks import Kind, guess_task, is_told_by_words
from graphattn.training.curve_drawing import draw_training
from graphattn.training.folder.checks import CHECKPOINTS, check_folder, writing
from graphattn.training.folder.choice import choice_sentences
from graphattn.training.molecules.crossing import cross_validate
from graphattn.training.molecules.dividing import (
    DEFAULT_RULE,
    check_classes,
    divide,
    divide_folds,
    inner_splits,
    tell_lacking,
    tell_shared,
)
from graphattn.training.molecules.forests.choosing import Chosen, Learner, Model
from graphattn.training.molecules.judging import Trained, judge, predicted
from graphattn.training.molecules.reliability.measuring import Wanted
from graphattn.training.molecules.saved import NETWORK, FittedModel
from graphattn.training.molecules.start import StartingWeights
from graphattn.training.recipe import Architecture, Hardware, MoleculeRecipe
from graphattn.training.runs import Interrupted, clear
from graphattn.training.telling import Say, check_hardware

CURVES = "curves.svg"


@dataclass(frozen=True)
class TrainingPlan:
    """What ``train`` does with a table.

    ``source`` names the data on the card; ``kind`` of task is guessed if it is None; ``split`` is one of ``SPLITS``, or "column"
    for the table's own; ``folds``, if any, are tested once each by models of their own. ``start`` has weights to begin with.
    ``report`` is called with what was trained and the folder, after all is saved.
    """

    out: Path
    source: str = ""
    kind: Kind | str | None = None
    split: str = DEFAULT_RULE
    recipe: MoleculeRecipe = field(default_factory=MoleculeRecipe)
    architecture: Architecture = field(default_factory=Architecture)
    model: Model = "graph"
    start: StartingWeights | None = None
    hardware: Hardware = field(default_factory=Hardware)
    chemistry: Chemistry = field(default_factory=Chemistry)
    descriptors: bool = True
    compare: bool = True
    strict: bool = False
    resume: bool = False
    escape_formulas: bool = False
    positive: str | None = None
    flat_duplicates: bool = False
    wanted: Wanted = field(default_factory=Wanted)
    folds: int = 0
    report: Callable[[Trained, Path], object] | None = None


def train(table: MoleculeTable, plan: TrainingPlan, say: Say, verbose: bool = True) -> FittedModel:
    """Trains on a part of ``table``, tests on another beside the baselines, and saves all in ``plan.out``.

    Raises:
        ValueError: a folder that is taken or not writable; labels that cannot be learned; if ``plan.strict``, rows that
            cannot be used.
        Interrupted: Ctrl-C or SIGTERM; a usable model has been saved.
    """
    check_folder(plan.out, plan.resume)
    check_hardware(plan.hardware)
    for note in table.notes:
        say(note)
    molecules = labelled(table, plan, say)
    plan.wanted.check(molecules.task)
    split, rule = divide(molecules, table, plan.split, plan.recipe.seed)
    check_classes(molecules, split)
    tell_lacking(molecules, split, say)
    tell_shared(molecules, split, say)
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in zip(PARTS, split, strict=True))
    say(f"split: {rule}, seed {plan.recipe.seed}: {sizes}")
    folds = _folds(molecules, table, plan)
    values = _with_columns(molecules, table, plan, say)
    record = described(table, molecules, split, rule, plan)
    with writing(plan.out, plan.resume):
        draws = _draws(molecules, table, split, plan)
        model, beside = _fit(molecules, split, draws, plan, record, verbose, say)
        title = f"test part, {len(split.test):,} molecules, split: {rule}, seed {plan.recipe.seed}"
        found = judge(model, molecules, split, plan.wanted, values if plan.compare else None, title, say, beside)
        if model.networks:
            draw_training(model, plan.out / CURVES)
            model.record["curves_drawn"] = CURVES
        model.save(plan.out)
        if folds is not None:
            model.record["folds"] = _cross(molecules, table, *folds, plan, values, say)
            model.save(plan.out)
        clear(plan.out)
    if plan.report is not None:
        plan.report(Trained(model, molecules, split, found), plan.out)
    return model


def _with_columns(
    molecules: Molecules, table: MoleculeTable, plan: TrainingPlan, say: Say
) -> NDArray[np.float32] | None:
    """Gives the graphs what a model reads beside them; returns all descriptors, which the baselines read, if any are computed."""
    values = None
    if plan.descriptors or plan.compare:
        say(f"computing {len(DESCRIPTOR_NAMES)} RDKit descriptors of {len(molecules.graphs):,} molecules")
        values = describe(molecules.mols)
    if plan.descriptors or molecules.descriptor_columns:
        attach(molecules.graphs, values if plan.descriptors else None)
    if plan.model != "graph":
        attach_fingerprints(molecules.graphs, molecules.mols)
    own = table.descriptors
    return values if values is None or own is None else np.hstack([values, own[molecules.row]])


def labelled(table: MoleculeTable, plan: TrainingPlan, say: Say) -> Molecules:
    """The molecules of ``table`` with their labels; says the task and which rows are left out, and why.

    Raises:
        ValueError: labels that cannot be learned; no row that can be used; if ``plan.strict``, one that cannot.
    """
    tell_large(table, plan.chemistry.max_atoms, say)
    table = checked(table, plan.chemistry)
    task, sentence = guess_task(table.targets, cast(Kind | None, plan.kind), plan.positive)
    say(sentence)
    if (
        len(task.classes) == 2
        and task.kind != "multiclass"
        and not plan.positive
        and not is_told_by_words(task.classes)
    ):
        say(
            f"{task.classes[1]!r} is positive only because it comes last in the alphabet; --positive names the positive class"
        )
    for gap in task.gaps(table.targets):
        say(gap)
    molecules = collect(table, task, chemistry=plan.chemistry, flat=plan.flat_duplicates)
    tell_stereo(molecules, plan.flat_duplicates, say)
    tell_rejected(molecules.rejected, say)
    check_strict(molecules.rejected, plan.strict)
    return molecules


def tell_large(table: MoleculeTable, most: int, say: Say) -> None:
    """Says which molecules of up to ``most`` atoms are so large that they take long, if any are."""
    if found := large_molecules(table.smiles, most):
        row, atoms = next(iter(found.items()))
        number = f"{len(found):,} molecule{'s' * (len(found) > 1)} of more than {LARGE} heavy atoms"
        first = f"the first, of {atoms:,}, in {table.where(row)}"
        say(f"{number} will take long, as time and memory grow with the square of the atoms: {first}")


def tell_stereo(molecules: Molecules, flat: bool, say: Say) -> None:
    """Says how many molecules are another one but for stereo, if any are, and whether these count as one."""
    different, without = set(molecules.smiles), {flat_smiles(molecule) for molecule in molecules.mols}
    if twins := len(different) - len(without):
        so = "count as one molecule" if flat else "count as different; with --flat-duplicates they are one"
        say(f"molecules that differ from another in stereo only: {twins:,}; they {so}")


def tell_rejected(rejected: Sequence[Rejected], say: Say) -> None:
    """Says which rows are left out, if any."""
    if rejected:
        say(report(list(rejected)))


def check_strict(rejected: Sequence[Rejected], strict: bool, of: int | None = None) -> None:
    """Check that none of the first rows, ``of`` in number, or of all was rejected where ``strict`` forbids it.

    Raises:
        ValueError: one was.
    """
    if strict and rejected:
        first = rejected[0]
        where = f"the first in {first.where}: {first.reason}"
        count = f"{len(rejected):,}" + (f" of the first {of:,}" if of is not None else "")
        raise ValueError(f"rows that cannot be used: {count}, and strict allows none; {where}")


def described(
    table: MoleculeTable, molecules: Molecules, split: Split, rule: str, plan: TrainingPlan
) -> dict[str, Any]:
    """What ``model.json`` says about the data and the split. Molecules are named by a hash of their SMILES."""
    data = {
        "source": plan.source,
        **{part: name for part, name in zip(("validation", "test"), table.files[1:], strict=False) if name},
        "smiles": table.smiles_column,
        **({"weight": table.weight_column} if table.weight_column is not None else {}),
        "rows": len(table.frame),
        "rejected": len(molecules.rejected),
    }
    sizes = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    lines = {part: [int(table.line[molecules.row[i]]) for i in getattr(split, part)] for part in sizes}
    seen = [fingerprint(molecules.smiles[i]) for i in (*split.train, *split.validation)]
    return {
        "data": data,
        "chemistry": dataclasses.asdict(plan.chemistry),
        "split": {"rule": rule, "seed": plan.recipe.seed, **sizes},
        "lines": lines,
        "seen": sorted(set(seen)),
    }


def fingerprint(smiles: str) -> str:
    """A short hash of a canonical SMILES, by which a model knows the molecules it was trained on."""
    return hashlib.sha256(smiles.encode()).hexdigest()[:12]


def _fit(
    molecules: Molecules,
    split: Split,
    draws: Sequence[Split],
    plan: TrainingPlan,
    record: dict[str, Any],
    verbose: bool,
    say: Say,
) -> Chosen:
    """Trains; an interrupted model is saved like a finished one."""
    if molecules.rejected:
        write_rejected(molecules.rejected, plan.out / "rejected.csv", plan.escape_formulas)
        say(f"the rows set aside are listed in {plan.out / 'rejected.csv'}")
    if draws:
        say(
            f"choosing by {len(draws)} inner splits of the training part: each is one more training of the graph network"
        )
    try:
        chosen = _learned(molecules, split, draws, plan, plan.out, verbose)
    except Interrupted as stop:
        stop.model.record |= {**record, "interrupted": True}
        stop.model.descriptor_names = _names(molecules, plan)
        stop.model.save(plan.out)
        say(f"Interrupted. {plan.out} holds the best model so far; the same command with --resume goes on.")
        raise
    chosen.model.record |= record
    for sentence in choice_sentences(chosen.model.record):
        say(sentence)
    return chosen


def _learned(
    molecules: Molecules, split: Split, draws: Sequence[Split], plan: TrainingPlan, folder: Path, verbose: bool
) -> Chosen:
    """A model of the training and the validation part, with its checkpoints in ``folder``."""
    assert molecules.task is not None
    architecture = plan.architecture.to_dict() if plan.start is None else None
    learner = Learner(molecules.task, plan.recipe, architecture, plan.start, plan.hardware, verbose)
    train, validation = ([molecules.graphs[i] for i in part] for part in (split.train, split.validation))
    begun = plan.resume and (folder == plan.out or (folder / CHECKPOINTS).is_dir())
    chosen = learner.fit(plan.model, (train, validation), draws, folder, begun)
    chosen.model.descriptor_names = _names(molecules, plan)
    return chosen


def _names(molecules: Molecules, plan: TrainingPlan) -> tuple[str, ...]:
    """Descriptors that a model reads: those of RDKit, then columns of the table."""
    return (*(DESCRIPTOR_NAMES if plan.descriptors else ()), *molecules.descriptor_columns)


def _folds(molecules: Molecules, table: MoleculeTable, plan: TrainingPlan) -> tuple[list[Split], str] | None:
    """The parts of each fold, which can all be learned, if folds are wanted."""
    if not plan.folds:
        return None
    splits, rule = divide_folds(molecules, table, plan.split, plan.folds, plan.recipe.seed)
    for split in splits:
        check_classes(molecules, split)
    return splits, rule


def _cross(
    molecules: Molecules,
    table: MoleculeTable,
    splits: list[Split],
    rule: str,
    plan: TrainingPlan,
    values: NDArray[np.float32] | None,
    say: Say,
) -> dict[str, Any]:
    """The figures of folds, for ``model.json``; forests stand beside the model where the plan compares."""
    compared = values if plan.compare else None

    def learn(split: Split, folder: Path) -> Mapping[str, NDArray[np.float64]]:
        try:
            model, _ = _learned(molecules, split, _draws(molecules, table, split, plan), plan, folder, verbose=False)
            own, *others = predicted(model, molecules, split, compared).items()
        except KeyboardInterrupt:  # also while forests are fitted
            say(f"Interrupted. {plan.out} holds the model; the same command with --resume goes on with the folds.")
            raise
        return {NETWORK if plan.model == "graph" else plan.model: own[1], **dict(others)}

    return cross_validate(molecules, splits, rule, plan.out, learn, say)


def _draws(molecules: Molecules, table: MoleculeTable, split: Split, plan: TrainingPlan) -> list[Split]:
    """The inner splits by which a model is chosen, if one is."""
    return inner_splits(molecules, table, split.train, plan.split, plan.recipe.seed) if plan.model == "auto" else []
