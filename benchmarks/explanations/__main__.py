"""Measures explanations of molecules and prints the tables; README.md in this folder tells how."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.explanations import large
from benchmarks.explanations.hiding import WAYS
from benchmarks.explanations.report import AIM, mean_auc, table
from benchmarks.explanations.toxicophores import Explainer, Setting, by_forest, by_model, measure
from graphattn.json_lines import JsonLines, finished

application = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
RECORDS = Path(__file__).parent / "records.jsonl"
MODELS = Path("runs/explanations")
OURS = "graphattn"
Table = Annotated[Path, typer.Option("--data", help="CSV with the columns smiles and mutagenic (1 or 0).")]
Kept = Annotated[Path, typer.Option("--records", help="File of results; what it has is not computed again.")]
Seeds = Annotated[int, typer.Option(help="Number of splits and models.")]
Epochs = Annotated[int, typer.Option(help="Epochs of training.")]
Models = Annotated[Path, typer.Option(help="Folder where trained models are kept.")]
Members = Annotated[int, typer.Option(help="Members of the ensemble.")]


@application.command()
def toxicophores(
    data: Table,
    records: Kept = RECORDS,
    seeds: Seeds = 3,
    epochs: Epochs = 15,
    members: Members = 1,
    models: Models = MODELS,
) -> None:
    """Do contributions on test molecules point at nitro groups and aromatic amines? Beside random weights and a forest."""
    for seed in range(seeds):
        setting = Setting(data, seed, epochs, members, models)
        explainers = {
            OURS: lambda setting=setting: by_model(setting.model),
            "random weights": lambda setting=setting: by_model(setting.untrained),
            "random forest, ECFP4": lambda setting=setting: by_forest(setting.forest),
        }
        for name, made in explainers.items():
            _kept(records, setting, "test", name, made)
    _print(records, "test")


@application.command()
def hiding(
    data: Table,
    records: Kept = RECORDS,
    seeds: Seeds = 3,
    epochs: Epochs = 15,
    members: Members = 1,
    models: Models = MODELS,
) -> None:
    """Which way to hide an atom points best at these groups, on validation molecules?"""
    for seed in range(seeds):
        setting = Setting(data, seed, epochs, members, models)
        for name, hide in WAYS.items():
            _kept(
                records, setting, "validation", name, lambda hide=hide, setting=setting: by_model(setting.model, hide)
            )
    _print(records, "validation")


@application.command()
def report(records: Kept = RECORDS) -> None:
    """The tables of what has been measured; measures nothing."""
    for part in ("validation", "test"):
        _print(records, part)


@application.command()
def largest(
    model: Annotated[Path, typer.Argument(help="Model folder written by 'graphattn train'.")],
    data: Annotated[str, typer.Argument(help="What it was trained on, such as bbb.")],
) -> None:
    """The largest contribution of an atom in each test molecule: median over these, now and with descriptors held fixed."""
    print(large.largest(model, data))


@application.command()
def memory(
    model: Annotated[Path, typer.Argument(help="Model folder written by 'graphattn train'.")],
    atoms: Annotated[int, typer.Option(help="Heavy atoms of the molecule, a chain with some oxygens.")] = 500,
    bonds: Annotated[
        bool, typer.Option("--bonds", help="Cut its bonds, too; of 500 atoms that takes a quarter of an hour.")
    ] = False,
) -> None:
    """Peak memory of explaining one large molecule."""
    print(large.memory(model, atoms, bonds))


def _kept(records: Path, setting: Setting, part: str, name: str, made: Callable[[], Explainer]) -> None:
    key = {"part": part, "explainer": name, "seed": setting.seed, "epochs": setting.epochs, "members": setting.members}
    finished(records, key, lambda: measure(made(), setting.molecules.mols, setting.cases(part), setting.seed))
    print(f"{part}, seed {setting.seed}: {name}", flush=True)


def _print(records: Path, part: str) -> None:
    found = [each for each in JsonLines(records, dict).values if each["part"] == part]
    if found:
        print(f"\n{part} molecules\n\n{table(found)}")
    if found and part == "test":
        value = mean_auc(found, OURS)
        print(f"\naim of {AIM} {'reached' if value >= AIM else 'missed'}: {value:.3f}")


if __name__ == "__main__":
    application()
