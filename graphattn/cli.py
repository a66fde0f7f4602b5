"""The command line: `graphattn train`, `predict`, `evaluate`, `explain`, `info`, `bench`,
`compare`, `warmup`.

Only options and messages live here; the work is in `graphattn.training`, `graphattn.explain`, `graphattn.data`,
`graphattn.comparison` and `graphattn.backends`, which the commands import when they run, so that `--help` answers at once.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT
from typing import Annotated, Any

import typer

import graphattn
from graphattn.stopping import received, stoppable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

DATA = "CSV, TSV or SDF file (also .gz), or an embedded set: bbb, solubility."
PROBLEM = f"{DATA[:-1]}, digits, sparse_and, motif, distant, shuffled_edges."
KINDS = "binary, multiclass, multilabel or regression; guessed if not given."
RULES = "scaffold_balanced, scaffold, random, stratified, or a column that names the parts."
SEVERAL = "Column to learn; may be repeated; guessed if not given."

Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA)]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder made by 'graphattn train'.")]
Smiles = Annotated[str | None, typer.Option(help="Column of SMILES; guessed if not given.")]
Targets = Annotated[list[str] | None, typer.Option("--target", help=SEVERAL)]
Kind = Annotated[str | None, typer.Option(help=KINDS)]
Rule = Annotated[str | None, typer.Option(help=RULES)]
Seed = Annotated[int, typer.Option(help="Of the split, the weights and the order.")]
Epochs = Annotated[int | None, typer.Option(help="Most passes over the training part.")]
Ensemble = Annotated[int | None, typer.Option(help="Number of models whose predictions are averaged.")]
Accelerator = Annotated[str, typer.Option(help="Passed on to Lightning: auto, cpu, gpu, ...")]
Devices = Annotated[str, typer.Option(help="One device: 1, or the number of a GPU in brackets, as [1].")]
Precision = Annotated[str, typer.Option(help="Passed on to Lightning: 32-true, bf16-mixed, ...")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the interrupted training in --out.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop if a row cannot be used, instead of setting it aside.")]
Fragment = Annotated[bool, typer.Option("--largest-fragment", help="Keep the largest fragment of salts and mixtures.")]
Baselines = Annotated[bool, typer.Option(help="Compare with random forests on the same split.")]
Trust = Annotated[bool, typer.Option("--trust", help="Load a model whose files were changed since it was saved.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show Python's traceback of an error.")]


def friendly(command: Callable[..., None]) -> Callable[..., None]:
    """Errors as one or two lines on stderr and an exit status above 0; tracebacks only with `--debug`."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            with stoppable():
                command(*args, **options)
        except KeyboardInterrupt:
            number = received()
            typer.echo(f"stopped by {'Ctrl-C' if number == SIGINT else number.name}", err=True)
            raise typer.Exit(128 + number) from None
        except Exception as error:
            if options.get("debug") or isinstance(error, typer.Exit):
                raise
            expected = isinstance(error, ValueError | TypeError | OSError | ImportError)
            text = str(error) if expected else f"{type(error).__name__}: {error} (--debug shows where)"
            typer.echo(f"error: {text}", err=True)
            raise typer.Exit(1) from None

    return run


def say(message: Any) -> None:
    """Prints a text or a rich table; square brackets in texts are those of SMILES, not markup."""
    from rich.console import Console

    Console(soft_wrap=isinstance(message, str)).print(message, markup=False, highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"graphattn {graphattn.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Classify molecules, and see which atoms mattered. Attention is message passing; choose the graph."""


@app.command()
@friendly
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="New folder for the model.")] = Path("model"),
    smiles: Smiles = None,
    target: Targets = None,
    task: Kind = None,
    split: Rule = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    ensemble: Ensemble = None,
    accelerator: Accelerator = "auto",
    devices: Devices = "1",
    precision: Precision = "32-true",
    resume: Resume = False,
    strict: Strict = False,
    largest_fragment: Fragment = False,
    baselines: Baselines = True,
    debug: Debug = False,
) -> None:
    """Train a model on DATA, test it beside two random forests, and save it in a folder."""
    from graphattn.training import folders

    folders.check_folder(out, resume)

    from graphattn.training import workflow
    from graphattn.training.inputs import Chemistry
    from graphattn.training.recipe import Hardware, MoleculeRecipe

    table, rule = workflow.open_divided(data, smiles, target, split)
    given = {"seed": seed, "epochs": epochs, "members": ensemble}
    recipe = MoleculeRecipe(**{name: value for name, value in given.items() if value is not None})
    hardware, chemistry = Hardware(accelerator, devices, precision), Chemistry(largest_fragment)
    plan = workflow.Plan(
        out,
        data,
        task,
        rule,
        recipe,
        hardware=hardware,
        chemistry=chemistry,
        compare=baselines,
        strict=strict,
        resume=resume,
    )
    workflow.train(table, plan, say)
    say(f"Saved in {out}. To predict: graphattn predict {out} MOLECULES.csv --out predictions.csv")


@app.command()
@friendly
def predict(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("predictions.csv"),
    smiles: Smiles = None,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Predict the molecules in DATA: all its rows and columns in their order, predictions in columns behind."""
    from graphattn.training import folders

    folders.check_file(out, data)
    folders.read_description(model)

    from graphattn.data.embedded import open_table
    from graphattn.training import prediction, saved, workflow

    table = open_table(data, smiles=smiles, targets=())
    fitted = saved.load(model, trust)
    frame, rejected = prediction.predict_table(fitted, table)
    workflow.tell_rejected(rejected, say)
    workflow.check_strict(rejected, strict)
    frame.to_csv(out, index=False)
    say(f"{len(frame) - len(rejected):,} of {len(frame):,} rows predicted, written to {out}")


@app.command()
@friendly
def evaluate(
    model: Model,
    data: Data,
    smiles: Smiles = None,
    target: Targets = None,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Compare predictions for DATA with its labels; tells apart molecules that MODEL was trained on."""
    from graphattn.training import folders

    folders.read_description(model)

    from graphattn.data.embedded import open_table
    from graphattn.training import prediction, saved, workflow

    fitted = saved.load(model, trust)
    table = open_table(data, smiles=smiles, targets=target or fitted.task.names)
    found, rejected = prediction.evaluate_table(fitted, table)
    workflow.tell_rejected(rejected, say)
    workflow.check_strict(rejected, strict)
    workflow.tell_figures(found, f"{model} on {data}", say)


@app.command()
@friendly
def explain(
    model: Model,
    smiles: Annotated[list[str], typer.Argument(metavar="SMILES...", help="Molecules to draw.")],
    out: Annotated[Path, typer.Option(help="Folder for the drawings.")] = Path("atoms"),
    target: Annotated[str | None, typer.Option(help="Target or class to explain.")] = None,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Draw which atoms of each molecule mattered (SVG and PNG)."""
    from graphattn.training import folders

    folders.read_description(model)

    from graphattn.explain.molecules import explain_all
    from graphattn.training import saved

    explain_all(saved.load(model, trust), smiles, out, target, say)


@app.command()
@friendly
def bench(
    case: Annotated[list[str] | None, typer.Option("--case", help="One case by name; may be repeated.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few cases and rounds: under two minutes on two cores.")
    ] = False,
    large: Annotated[bool, typer.Option("--large", help="Only a million nodes, 16 million edges: about 8 GB.")] = False,
    rounds: Annotated[int, typer.Option(help="Times that each side is timed.")] = 9,
    threads: Annotated[int, typer.Option(help="Threads of torch and of the kernels.")] = 2,
    allocator: Annotated[
        list[str] | None, typer.Option(help="default, tuned (keeps memory); both if not given.")
    ] = None,
    label: Annotated[
        str, typer.Option(help="Names this attempt in the records.")
    ] = f"graphattn {graphattn.__version__}",
    json: Annotated[Path | None, typer.Option(help="File of records, one a line; goes on where it stopped.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture to draw: .svg, .png.")] = None,
    debug: Debug = False,
) -> None:
    """Time kernels and layers against PyG and torch on this machine, after comparing their results."""
    from graphattn.bench import command, suite
    from graphattn.bench.cases import LARGE

    plan = suite.Plan(
        LARGE if large else tuple(case or ()), tuple(allocator or suite.ALLOCATORS), threads, rounds, label
    )
    command.bench(plan, json, plot, fast=quick)


@app.command()
@friendly
def compare(
    data: Annotated[str, typer.Argument(metavar="DATA", help=PROBLEM)],
    layers: Annotated[str, typer.Option(help="Names between commas.")] = "attention,gcn,edgeconv,gin,gat,mlp",
    topologies: Annotated[str, typer.Option(help="Names between commas.")] = "edges,full,edges+hub",
    out: Annotated[Path, typer.Option(help="Folder of results; a stopped run goes on.")] = Path("comparison"),
    repeats: Annotated[int, typer.Option(help="Times that the data are divided anew.")] = 10,
    seeds: Annotated[int | None, typer.Option(help="Fits of each layer on each division.")] = None,
    trials: Annotated[int, typer.Option(help="Of tuning, as many for each layer, in each training part.")] = 0,
    epochs: Annotated[int, typer.Option(help="Most passes over the training part.")] = 60,
    split: Annotated[str | None, typer.Option(help="scaffold_balanced, random, stratified, ..., given.")] = None,
    rope: Annotated[float, typer.Option(help="Differences of scores up to this are none in practice.")] = 0.01,
    seed: Seed = 0,
    jobs: Annotated[int | None, typer.Option(help="Fits at a time: 1, or 2 in a quick run, if not given.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small version, about three minutes.")] = False,
    count: Annotated[int | None, typer.Option(help="At most so many graphs, drawn at random.")] = None,
    smiles: Smiles = None,
    target: Annotated[str | None, typer.Option(help="Column to learn; guessed if not given.")] = None,
    task: Annotated[str | None, typer.Option(help="binary, multiclass or regression; guessed if not given.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of groups; rows of one group stay in one part.")] = None,
    debug: Debug = False,
) -> None:
    """Compare layers on graphs on the same data and budget: attention or a GCN? Writes a report."""
    from graphattn.comparison import command, settings

    options = command.ComparisonOptions(
        data, smiles, target, task, group, count, command.names(layers), command.names(topologies)
    )
    given = settings.Settings(repeats, seeds, split, trials=trials, epochs=epochs, seed=seed, rope=rope)
    command.run(options, given, out, jobs, quick, say)


@app.command()
@friendly
def info(debug: Debug = False) -> None:
    """Show versions, devices, backends and embedded data sets."""
    from graphattn.environment import environment

    say(environment())


@app.command()
@friendly
def warmup(debug: Debug = False) -> None:
    """Compile the kernels for this machine now, so that the first training does not wait for them."""
    from rich.progress import track

    from graphattn.bench.warmup import warm_up

    say(str(warm_up(functools.partial(track, description="Kernels", transient=True))))


def main() -> None:
    """The entry point of the console script."""
    # Threads of torch that wait must not spin, for the cores may be shared. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()
