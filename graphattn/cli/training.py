"""Molecules: ``train``. An option is a type here, a line of the command's signature, and a line of the recipe or the plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphattn.cli.application import say
from graphattn.cli.options import (
    AIMS,
    Accelerator,
    Baselines,
    Columns,
    Data,
    Debug,
    Descriptors,
    Devices,
    Ensemble,
    Epochs,
    Formulas,
    Fragment,
    Kind,
    Most,
    Precision,
    Resume,
    Rule,
    Seed,
    Smiles,
    Strict,
    Targets,
)

if TYPE_CHECKING:
    from graphattn.training.molecules.start import StartingWeights
    from graphattn.training.recipe import MoleculeRecipe

Validation = Annotated[str | None, typer.Option(help="Table of molecules to validate on, with the columns of DATA.")]
Test = Annotated[str | None, typer.Option(help="Table of molecules to test on, with the columns of DATA.")]
Folds = Annotated[
    int | None, typer.Option(min=2, help="Cross-validate, too, over this number of folds, by the split rule.")
]
Weight = Annotated[str | None, typer.Option(help="Column of row weights in the loss.")]
Balance = Literal["balanced", "none"]
ClassWeight = Annotated[Balance, typer.Option(help="Whether rare classes count more in the loss.")]
Positive = Annotated[str | None, typer.Option(help="Label of the positive class; inferred and reported.")]
Flat = Annotated[bool, typer.Option("--flat-duplicates", help="Stereoisomers count as one molecule.")]
Aim = Annotated[str | None, typer.Option(help=f"Aim of the threshold: {AIMS}; the threshold is 0.5 if not given.")]
Coverage = Annotated[float, typer.Option(help="Stated coverage of prediction sets and intervals.")]
Neighbours = Annotated[
    bool, typer.Option(help="Keep the training SMILES in the folder, for nearest molecules and the domain.")
]
Network = Annotated[
    Literal["graph", "forest", "blend", "auto"],
    typer.Option(help="Graph network, forest, their blend, or what inner splits say is best of these."),
]
Begin = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Folder of a pretrained or trained network to start from, pretrained (that of graphattn) or none.",
    ),
]
Freeze = Annotated[bool, typer.Option("--freeze", help="Train only what is behind the readout of --from.")]
Report = Annotated[bool, typer.Option(help="Write a report, report.html, into the folder.")]


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="New folder for the model.")] = Path("model"),
    smiles: Smiles = None,
    target: Targets = None,
    task: Kind = None,
    split: Rule = None,
    validation: Validation = None,
    test: Test = None,
    folds: Folds = None,
    weight: Weight = None,
    class_weight: ClassWeight = "balanced",
    seed: Seed = 0,
    model: Network = "graph",
    start: Begin = None,
    freeze: Freeze = False,
    epochs: Epochs = None,
    ensemble: Ensemble = None,
    accelerator: Accelerator = "auto",
    devices: Devices = "1",
    precision: Precision = "32-true",
    resume: Resume = False,
    strict: Strict = False,
    largest_fragment: Fragment = False,
    positive: Positive = None,
    flat_duplicates: Flat = False,
    max_atoms: Most = None,
    aim: Aim = None,
    coverage: Coverage = 0.9,
    neighbours: Neighbours = True,
    report: Report = True,
    escape_formulas: Formulas = False,
    descriptors: Descriptors = True,
    descriptor: Columns = None,
    baselines: Baselines = True,
    debug: Debug = False,
) -> None:
    """Train a model on DATA, test it and save it in a folder. Two random forests are tested beside it."""
    from graphattn.training.folder import checks

    checks.check_folder(out, resume)

    from graphattn.data.molecules.chemistry import Chemistry
    from graphattn.data.molecules.smiles import MOST_ATOMS
    from graphattn.reports.molecules import write_report
    from graphattn.training.molecules import dividing, workflow
    from graphattn.training.molecules.reliability.measuring import Wanted
    from graphattn.training.recipe import Hardware

    files = {"validation": validation, "test": test}
    table, rule = dividing.open_divided(data, smiles, target, split, weight, descriptors=descriptor, **files)
    plan = workflow.TrainingPlan(
        out,
        data,
        task,
        rule,
        _recipe(seed, epochs, ensemble, class_weight),
        model=model,
        start=_start(start, freeze),
        hardware=Hardware(accelerator, devices, precision),
        chemistry=Chemistry(largest_fragment, max_atoms=max_atoms or MOST_ATOMS),
        descriptors=descriptors,
        compare=baselines,
        strict=strict,
        resume=resume,
        escape_formulas=escape_formulas,
        positive=positive,
        flat_duplicates=flat_duplicates,
        folds=folds or 0,
        wanted=Wanted(aim, coverage, neighbours),
        report=write_report if report else None,
    )
    workflow.train(table, plan, say)
    say(f"Saved in {out}. To predict: graphattn predict {out} MOLECULES.csv --out predictions.csv")


def _start(folder: str | None, freeze: bool) -> "StartingWeights | None":
    from graphattn.training.molecules.start import read_start

    if folder is not None and folder != "none":
        return read_start(folder, freeze)
    if freeze:
        raise ValueError("--freeze keeps the weights of --from MODEL: expected a model to start from, got none")
    return None


def _recipe(seed: int, epochs: int | None, ensemble: int | None, class_weight: Balance) -> "MoleculeRecipe":
    """The recipe with its own defaults where an option was not given."""
    from graphattn.training.recipe import MoleculeRecipe

    balance = 0.0 if class_weight == "none" else None
    given = {"seed": seed, "epochs": epochs, "members": ensemble, "balance": balance}
    return MoleculeRecipe(**{name: value for name, value in given.items() if value is not None})
