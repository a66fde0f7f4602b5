"""From a table of molecules to a trained, tested and saved model, and from a model to predictions.

Both the command line and scripts use these functions; ``say`` receives what a person should read, texts and rich tables.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from graphattn.data.molecules.chemistry import Chemistry, attach, describe
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import Molecules, Rejected, checked, collect, report, write_rejected
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.molecules.smiles import LARGE, flat_smiles, large_molecules
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.split_columns import split_by_column
from graphattn.data.splits import PARTS, SPLITS, Split, random, stratified
from graphattn.data.tasks import Kind, guess_task, is_told_by_words
from graphattn.data.wording import listed
from graphattn.training.curve_drawing import draw_training
from graphattn.training.folder.checks import check_folder, writing
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.molecules.judging import Trained, judge, labels_of
from graphattn.training.molecules.reliability.measuring import Wanted
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import Architecture, Hardware, MoleculeRecipe
from graphattn.training.runs import Interrupted, clear
from graphattn.training.telling import Say, check_hardware

CURVES = "curves.svg"


@dataclass(frozen=True)
class TrainingPlan:
    """What ``train`` does with a table.

    ``source`` names the data on the card; ``kind`` of task is guessed if it is None; ``split`` is one of ``SPLITS``, or "column"
    for the table's own. ``report`` is called with what was trained and the folder, after all is saved.
    """

    out: Path
    source: str = ""
    kind: Kind | str | None = None
    split: str = "scaffold_balanced"
    recipe: MoleculeRecipe = field(default_factory=MoleculeRecipe)
    architecture: Architecture = field(default_factory=Architecture)
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
    split, rule = divide(molecules, table, plan)
    check_classes(molecules, split)
    tell_lacking(molecules, split, say)
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in zip(PARTS, split, strict=True))
    say(f"split: {rule}, seed {plan.recipe.seed}: {sizes}")
    values = None
    if plan.descriptors or plan.compare:
        say(f"computing {len(DESCRIPTOR_NAMES)} RDKit descriptors of {len(molecules.graphs):,} molecules")
        values = describe(molecules.mols)
    if plan.descriptors and values is not None:
        attach(molecules.graphs, values)
    record = described(table, molecules, split, rule, plan)
    with writing(plan.out, plan.resume):
        model = _fit(molecules, split, plan, record, verbose, say)
        title = f"test part, {len(split.test):,} molecules, split: {rule}, seed {plan.recipe.seed}"
        found = judge(model, molecules, split, plan.wanted, values if plan.compare else None, title, say)
        draw_training(model, plan.out / CURVES)
        model.record["curves_drawn"] = CURVES
        model.save(plan.out)
        clear(plan.out)
    if plan.report is not None:
        plan.report(Trained(model, molecules, split, found), plan.out)
    return model


def open_divided(
    data: str, smiles: str | None, targets: Sequence[str] | None, split: str | None, weight: str | None = None
) -> tuple[MoleculeTable, str]:
    """The table that ``data`` names, and what ``TrainingPlan.split`` is to be for it.

    ``split`` is one of ``SPLITS`` or a column; None means the table's own column if it has one, else the default rule.
    Raises as ``open_table`` does.
    """
    table = open_table(
        data, smiles=smiles, targets=targets or None, split=() if split in SPLITS else split, weight=weight
    )
    if split in SPLITS:
        return table, str(split)
    return table, "column" if table.split_column else TrainingPlan.split


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
        first = f"the first, of {atoms:,}, in line {table.line[row]}"
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
        where = f"the first in line {first.line}: {first.reason}"
        count = f"{len(rejected):,}" + (f" of the first {of:,}" if of is not None else "")
        raise ValueError(f"rows that cannot be used: {count}, and strict allows none; {where}")


def divide(molecules: Molecules, table: MoleculeTable, plan: TrainingPlan) -> tuple[Split, str]:
    """The parts and the name of the rule: the column of the table, or ``plan.split``.

    Where the column names no validation part, a tenth of the training part becomes it. Raises as the rules do, and
    ``ValueError`` for a rule there is not.
    """
    seed = plan.recipe.seed
    y = labels_of(molecules)
    if plan.split != "column":
        if plan.split not in SPLITS:
            raise ValueError(f"there is no split {plan.split!r}: expected a column of the data or {', '.join(SPLITS)}")
        return SPLITS[plan.split](molecules.keys, y, seed=seed), plan.split
    cells = [str(cell) for cell in table.frame[table.split_column].iloc[molecules.row]]
    split, how = split_by_column(cells, table.line[molecules.row].tolist(), molecules.keys, seed)
    rule = f"column {table.split_column!r}" + (f" ({how})" if how != "as it says" else "")
    if len(split.validation):
        return split, rule
    single = molecules.task is not None and molecules.task.kind in ("binary", "multiclass")
    hold_out = stratified if single else random
    smiles = [molecules.keys[i] for i in split.train]
    inner = hold_out(smiles, y[split.train], fractions=(0.9, 0.1, 0.0), seed=seed)
    return Split(split.train[inner.train], split.train[inner.validation], split.test), f"{rule}, validation at random"


def check_classes(molecules: Molecules, split: Split) -> None:
    """Check that the training part has several classes.

    Raises:
        ValueError: it has molecules of one class only.
    """
    task, y = molecules.task, labels_of(molecules)[split.train]
    if task is None or task.kind == "regression":
        return
    for column, name in enumerate(task.names):
        found = np.unique(y[~np.isnan(y[:, column]), column]).astype(int)
        if len(found) < 2:
            only = f"one class only, {task.classes[found[0]]!r}" if len(found) else "no labels"
            raise ValueError(f"target {name!r}: the training part ({len(y)} molecules) has {only}; try another --split")


def tell_lacking(molecules: Molecules, split: Split, say: Say) -> None:
    """Says which classes the validation and test parts lack: ROC-AUC is then undefined, or of the other classes alone."""
    task, y = molecules.task, labels_of(molecules)
    if task is None or task.kind == "regression":
        return
    for part, rows in zip(PARTS[1:], split[1:], strict=True):
        for column, name in enumerate(task.names if len(rows) else ()):
            found = set(y[rows, column].tolist())
            lacking = [label for number, label in enumerate(task.classes) if number not in found]
            if lacking:
                say(
                    f"warning: the {part} part has no {listed(lacking, 'or')} of target {name!r}: ROC-AUC is "
                    f"{'undefined' if len(lacking) > len(task.classes) - 2 else 'that of the other classes'} there; "
                    "--split stratified has all classes in all parts"
                )


def described(
    table: MoleculeTable, molecules: Molecules, split: Split, rule: str, plan: TrainingPlan
) -> dict[str, Any]:
    """What ``model.json`` says about the data and the split. Molecules are named by a hash of their SMILES."""
    data = {
        "source": plan.source,
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
    molecules: Molecules, split: Split, plan: TrainingPlan, record: dict[str, Any], verbose: bool, say: Say
) -> FittedModel:
    """Trains; an interrupted model is saved like a finished one."""
    assert molecules.task is not None
    graphs = molecules.graphs
    if molecules.rejected:
        write_rejected(molecules.rejected, plan.out / "rejected.csv", plan.escape_formulas)
        say(f"the rows set aside are listed in {plan.out / 'rejected.csv'}")
    names = DESCRIPTOR_NAMES if plan.descriptors else ()
    try:
        model = fit_molecules(
            [graphs[i] for i in split.train],
            [graphs[i] for i in split.validation],
            molecules.task,
            architecture=plan.architecture.to_dict(),
            recipe=plan.recipe,
            hardware=plan.hardware,
            folder=plan.out,
            resume=plan.resume,
            verbose=verbose,
        )
    except Interrupted as stop:
        stop.model.record |= {**record, "interrupted": True}
        stop.model.descriptor_names = names
        stop.model.save(plan.out)
        say(f"Interrupted. {plan.out} holds the best model so far; the same command with --resume goes on.")
        raise
    model.record |= record
    model.descriptor_names = names
    return model
