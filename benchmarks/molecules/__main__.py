"""Measures graphattn and its peers on molecules and prints the tables; README.md in this folder tells how."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.molecules import bbb as bbb_table
from benchmarks.molecules import epoch as epoch_table
from benchmarks.molecules import epoch_profile, figure
from benchmarks.molecules import forests as forests_table
from benchmarks.molecules import solubility as solubility_table
from benchmarks.molecules import timing as timing_table
from benchmarks.molecules.chemprop import Chemprop
from benchmarks.molecules.forest import Forest, ecfp4_and_descriptors
from benchmarks.molecules.graphattn_model import Graphattn
from benchmarks.molecules.model import OURS, HoldOut, Model
from graphattn.bench import records
from graphattn.data.molecules.fingerprints import count_fingerprints, fingerprints
from graphattn.training.recipe import MoleculeRecipe

application = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
Folder = Annotated[Path, typer.Option("--results", help="Where rows and tables are kept.")]
Names = Annotated[
    list[str] | None, typer.Option("--model", help="What to measure; may be repeated. Default: all but chemprop.")
]
Executable = Annotated[Path | None, typer.Option("--chemprop", help="chemprop's command, in its own environment.")]
Threads = Annotated[int, typer.Option(help="Threads of the forests.")]
First = Annotated[int, typer.Option("--first", help="Seed of the first split.")]
MEMBERS = 3
RESULTS = Path("runs/benchmarks")
FORESTS = Path(__file__).parent / "attempts" / "forests.jsonl"
ATTEMPTS = Path(__file__).parent / "attempts" / "epoch.jsonl"
BBB = ("forest ecfp4", "forest ecfp4+descriptors", *OURS)
TIMING = ("chemprop", *OURS)
SOLUBILITY = ("forest count ecfp4", "forest ecfp4+descriptors", *OURS)


@application.command()
def bbb(
    results: Folder = RESULTS,
    model: Names = None,
    first: First = 0,
    seeds: Annotated[int, typer.Option(help="Number of splits.")] = 10,
    chemprop: Executable = None,
    threads: Threads = 1,
) -> None:
    """Test ROC-AUC on bbb, scaffold-balanced, paired by split; skips what has been measured."""
    bbb_table.run({name: _made(name, chemprop, threads) for name in model or BBB}, range(first, first + seeds), results)
    _tell(results / "bbb.md", bbb_table.tables(results))


@application.command()
def solubility(
    results: Folder = RESULTS,
    model: Names = None,
    repeats: Annotated[int, typer.Option(help="Times that the five folds are drawn.")] = 2,
    open_test: Annotated[bool, typer.Option("--open-test", help="Predict the given test part; once.")] = False,
    threads: Threads = 1,
) -> None:
    """Accuracy and ROC-AUC on solubility by repeated cross-validation; skips what has been measured."""
    models = {name: _made(name, None, threads) for name in model or SOLUBILITY}
    models = {name: HoldOut(made) if isinstance(made, Graphattn) else made for name, made in models.items()}
    if open_test:
        solubility_table.open_test(models, results)
    else:
        solubility_table.run(models, repeats, results)
    _tell(results / "solubility.md", solubility_table.tables(results))


@application.command()
def timing(
    chemprop: Annotated[Path, typer.Option("--chemprop", help="chemprop's command, in its own environment.")],
    results: Folder = RESULTS,
    model: Annotated[
        list[str] | None, typer.Option(help="What to time; may be repeated. Default: not the forests.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    rounds: Annotated[int, typer.Option(help="Times that each model is trained.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of every model.")] = 2,
) -> None:
    """Training time on one split of bbb, each model in a fresh process, interleaved; for a quiet machine."""
    timing_table.run(model or TIMING, ["--chemprop", str(chemprop.absolute())], seed, rounds, threads, results)
    _tell(results / "timing.md", timing_table.tables(results))


@application.command()
def forests(
    data: Annotated[
        list[str] | None, typer.Option(help="Embedded set or file; may be repeated; none prints tables.")
    ] = None,
    first: First = 100,
    seeds: Annotated[int, typer.Option(help="Number of splits.")] = 5,
    path: Annotated[Path, typer.Option("--records", help="File that the records are added to.")] = FORESTS,
) -> None:
    """Validation scores of the forests that `--model forest` chooses among; skips what has been measured."""
    for name in data or []:
        forests_table.run(name, range(first, first + seeds), path)
    print(forests_table.tables(path) or "Nothing has been measured.")


@application.command()
def epoch(
    before: Annotated[str, typer.Option("--before", help="A commit of this repository, from e9e003a on.")],
    label: Annotated[str, typer.Option(help="Says what was tried.")] = "",
    rounds: Annotated[int, typer.Option(help="Epochs of each side.")] = 9,
    threads: Annotated[int, typer.Option(help="With one, CPU seconds are compared; with more, seconds.")] = 1,
    molecules: Annotated[int | None, typer.Option(help="Only so many of bbb, to try it out.")] = None,
    attempts: Annotated[Path, typer.Option(help="File that the records are added to.")] = ATTEMPTS,
) -> None:
    """One training epoch on bbb at a commit and as it is now, in turn, each in a process of its own."""
    try:
        found = epoch_table.measure(before, epoch_table.Plan(label, rounds, threads, molecules))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--before") from None
    records.append(attempts, found)
    print(f"{epoch_table.table(found)}\n\n{epoch_table.where(found)}")


@application.command(name="attempts")
def attempts_(
    files: Annotated[list[Path] | None, typer.Argument(help="Files of records; those of `epoch` if not given.")] = None,
) -> None:
    """All attempts at the epoch with their dates; measures nothing."""
    found = [each for file in files or [ATTEMPTS] for each in records.read(file)]
    print(f"{epoch_table.table(found)}\n\n{epoch_table.where(found)}" if found else "Nothing has been measured.")


@application.command()
def profile(
    threads: Annotated[int, typer.Option(help="Threads of torch and of the kernels.")] = 1,
    molecules: Annotated[int | None, typer.Option(help="Only so many of bbb, to try it out.")] = None,
) -> None:
    """What the time of a training epoch on bbb goes into: operators and their shares."""
    print(epoch_profile.table(threads, molecules))


@application.command()
def report(results: Folder = RESULTS) -> None:
    """The tables of what has been measured so far, and a picture (bbb.png); measures nothing."""
    _tell(results / "bbb.md", bbb_table.tables(results))
    if len(rows := bbb_table.results(results).frame()):
        figure.draw(rows, results / "bbb.png")
    _tell(results / "solubility.md", solubility_table.tables(results))
    _tell(results / "timing.md", timing_table.tables(results))


def _made(name: str, chemprop: Path | None, threads: int) -> Model:
    models: dict[str, Callable[[], Model]] = {
        "forest ecfp4": partial(Forest, fingerprints, threads),
        "forest ecfp4+descriptors": partial(Forest, ecfp4_and_descriptors, threads),
        "forest count ecfp4": partial(Forest, count_fingerprints, threads),
        "graphattn": partial(Graphattn, MoleculeRecipe()),
        "graphattn ensemble": partial(Graphattn, MoleculeRecipe(members=MEMBERS)),
    }
    if chemprop is not None:
        models["chemprop"] = partial(Chemprop, chemprop)
    if name not in models:
        hint = " (give --chemprop, the path of its command)" if name == "chemprop" else ""
        raise typer.BadParameter(f"there is no model {name!r}{hint}; there are {', '.join(models)}")
    return models[name]()


def _tell(path: Path, text: str) -> None:
    """Prints tables, if there are any, and writes them beside the rows they come from."""
    if not text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    application()
