"""The command line: ``graphattn train``, ``predict``, ``evaluate``, ``explain``, ``info``, ``bench``, ``compare``,
``tissue graph``, ``warmup``.

Only options and messages are here. Each command imports what does its work when it runs, so that ``--help`` answers at once.
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

tissue = typer.Typer(no_args_is_help=True, help="Cells of tissue images as graphs.", rich_markup_mode=None)
app.add_typer(tissue, name="tissue")

DATA = "CSV, TSV or SDF file (also .gz), or an embedded set: bbb, solubility."
PROBLEM = f"{DATA[:-1]}, digits, sparse_and, motif, distant, shuffled_edges."
KINDS = "binary, multiclass, multilabel or regression; inferred if not given."
RULES = "scaffold_balanced, scaffold, random, stratified, or a column of parts, folds, years or groups."
SEVERAL = "Target column; may be repeated; inferred if not given."

Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA)]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder written by 'graphattn train'.")]
Smiles = Annotated[str | None, typer.Option(help="SMILES column; inferred if not given.")]
Targets = Annotated[list[str] | None, typer.Option("--target", help=SEVERAL)]
Kind = Annotated[str | None, typer.Option(help=KINDS)]
Rule = Annotated[str | None, typer.Option(help=RULES)]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Epochs = Annotated[int | None, typer.Option(help="Maximum number of epochs.")]
Ensemble = Annotated[int | None, typer.Option(help="Number of ensemble members; their predictions are averaged.")]
Accelerator = Annotated[str, typer.Option(help="Lightning accelerator: auto, cpu, gpu, ...")]
Devices = Annotated[str, typer.Option(help="One device: 1, or the index of a GPU in brackets, as [1].")]
Precision = Annotated[str, typer.Option(help="Lightning precision: 32-true, bf16-mixed, ...")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the interrupted training in --out.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at unusable rows instead of setting them aside.")]
Fragment = Annotated[bool, typer.Option("--largest-fragment", help="Keep the largest fragment of salts and mixtures.")]
Most = Annotated[int | None, typer.Option(min=1, help="Maximum number of atoms of a molecule; 1000 if not given.")]
Formulas = Annotated[
    bool, typer.Option("--escape-formulas", help="Write an apostrophe before cells that a spreadsheet would compute.")
]
Baselines = Annotated[bool, typer.Option(help="Compare with random forests on the same split.")]
Trust = Annotated[bool, typer.Option("--trust", help="Load a model whose files were changed after saving.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the Python traceback of an error.")]


def friendly(command: Callable[..., None]) -> Callable[..., None]:
    """Errors as one or two lines on stderr and an exit status above 0; tracebacks only with ``--debug``."""

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
    """Train, explain and compare graph models: attention is message passing on a graph of your choice."""


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
    positive: Annotated[str | None, typer.Option(help="Label of the positive class; inferred and reported.")] = None,
    flat_duplicates: Annotated[
        bool, typer.Option("--flat-duplicates", help="Stereoisomers count as one molecule.")
    ] = False,
    max_atoms: Most = None,
    escape_formulas: Formulas = False,
    baselines: Baselines = True,
    debug: Debug = False,
) -> None:
    """Train a model on DATA, test it against two random forests and save it in a folder."""
    from graphattn.training.folder import checks

    checks.check_folder(out, resume)

    from graphattn.data.molecules.chemistry import Chemistry
    from graphattn.data.molecules.smiles import MOST_ATOMS
    from graphattn.training.molecules import workflow
    from graphattn.training.recipe import Hardware, MoleculeRecipe

    table, rule = workflow.open_divided(data, smiles, target, split)
    given = {"seed": seed, "epochs": epochs, "members": ensemble}
    recipe = MoleculeRecipe(**{name: value for name, value in given.items() if value is not None})
    hardware = Hardware(accelerator, devices, precision)
    chemistry = Chemistry(largest_fragment, max_atoms=max_atoms or MOST_ATOMS)
    plan = workflow.TrainingPlan(
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
        escape_formulas=escape_formulas,
        positive=positive,
        flat_duplicates=flat_duplicates,
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
    max_atoms: Most = None,
    escape_formulas: Formulas = False,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Predict the molecules in DATA; writes all rows and columns in their order, followed by the predictions."""
    from graphattn.training.folder import checks

    checks.check_file(out, data)
    described = checks.read_description(model)

    from graphattn.data.writing import write_csv
    from graphattn.training.molecules import prediction, saved, workflow

    table = prediction.open_for(described, data, smiles, (), say)
    fitted = saved.load(model, trust)
    frame, rejected = prediction.predict_table(fitted, table, max_atoms)
    workflow.tell_rejected(rejected, say)
    workflow.check_strict(rejected, strict)
    write_csv(list(frame.columns), frame.itertuples(index=False, name=None), out, escape_formulas)
    say(f"{len(frame) - len(rejected):,} of {len(frame):,} rows predicted, written to {out}")


@app.command()
@friendly
def evaluate(
    model: Model,
    data: Data,
    smiles: Smiles = None,
    target: Targets = None,
    max_atoms: Most = None,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Compare predictions for DATA with its labels; molecules of the training set are scored separately."""
    from graphattn.training.folder import checks

    described = checks.read_description(model)

    from graphattn.training.molecules import prediction, saved, workflow

    fitted = saved.load(model, trust)
    table = prediction.open_for(described, data, smiles, target or fitted.task.names, say)
    found, rejected = prediction.evaluate_table(fitted, table, max_atoms)
    workflow.tell_rejected(rejected, say)
    workflow.check_strict(rejected, strict)
    workflow.tell_figures(found, f"{model} on {data}", say)


@app.command()
@friendly
def explain(
    model: Model,
    smiles: Annotated[list[str], typer.Argument(metavar="SMILES...", help="SMILES of the molecules to draw.")],
    out: Annotated[Path, typer.Option(help="Folder for the drawings.")] = Path("atoms"),
    target: Annotated[str | None, typer.Option(help="Target or class to explain.")] = None,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Draw the contribution of each atom to the prediction (SVG and PNG)."""
    from graphattn.training.folder import checks

    described = checks.read_description(model)

    from graphattn.explain.molecules import explain_all
    from graphattn.training.molecules import prediction, saved

    prediction.tell_versions(described, say)
    explain_all(saved.load(model, trust), smiles, out, target, say)


@app.command()
@friendly
def bench(
    case: Annotated[list[str] | None, typer.Option("--case", help="Name of a case; may be repeated.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few cases and rounds: under two minutes on two cores.")
    ] = False,
    large: Annotated[
        bool, typer.Option("--large", help="Only the graph of 1 million nodes and 16 million edges: about 8 GB.")
    ] = False,
    rounds: Annotated[int, typer.Option(help="Number of timed rounds per side.")] = 9,
    threads: Annotated[int, typer.Option(help="Number of threads of torch and of the kernels.")] = 2,
    allocator: Annotated[
        list[str] | None, typer.Option(help="default or tuned (keeps memory); both if not given.")
    ] = None,
    label: Annotated[
        str, typer.Option(help="Label of this run in the records.")
    ] = f"graphattn {graphattn.__version__}",
    json: Annotated[Path | None, typer.Option(help="JSON-lines file of records; an interrupted run resumes.")] = None,
    plot: Annotated[Path | None, typer.Option(help="File for the plot: .svg or .png.")] = None,
    debug: Debug = False,
) -> None:
    """Time kernels and layers against PyG and torch on this machine, after checking that their results agree."""
    from graphattn.bench import command, suite
    from graphattn.bench.cases import LARGE

    plan = suite.BenchPlan(
        LARGE if large else tuple(case or ()), tuple(allocator or suite.ALLOCATORS), threads, rounds, label
    )
    command.bench(plan, json, plot, fast=quick)


@app.command()
@friendly
def compare(
    data: Annotated[str, typer.Argument(metavar="DATA", help=PROBLEM)],
    layers: Annotated[str, typer.Option(help="Comma-separated layer names.")] = "attention,gcn,edgeconv,gin,gat,mlp",
    topologies: Annotated[str, typer.Option(help="Comma-separated topology names.")] = "edges,full,edges+hub",
    out: Annotated[Path, typer.Option(help="Folder of results; an interrupted run resumes.")] = Path("comparison"),
    repeats: Annotated[int, typer.Option(help="Number of random splits.")] = 10,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds per split.")] = None,
    trials: Annotated[int, typer.Option(help="Number of tuning trials per configuration and split.")] = 0,
    epochs: Annotated[int, typer.Option(help="Maximum number of epochs.")] = 60,
    split: Annotated[str | None, typer.Option(help="scaffold_balanced, random, stratified, ..., given.")] = None,
    rope: Annotated[float, typer.Option(help="Largest score difference that counts as practically equivalent.")] = 0.01,
    seed: Seed = 0,
    jobs: Annotated[int | None, typer.Option(help="Number of parallel fits; default 1, with --quick 2.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small version of the comparison, about three minutes.")
    ] = False,
    count: Annotated[int | None, typer.Option(help="Maximum number of graphs, drawn at random.")] = None,
    smiles: Smiles = None,
    target: Annotated[str | None, typer.Option(help="Target column; inferred if not given.")] = None,
    task: Annotated[str | None, typer.Option(help="binary, multiclass or regression; inferred if not given.")] = None,
    group: Annotated[str | None, typer.Option(help="Group column; rows of one group stay in one part.")] = None,
    debug: Debug = False,
) -> None:
    """Compare layers and topologies on the same data and budget, and write a report."""
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


@tissue.command("graph")
@friendly
def tissue_graph(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Files of cells, or folders of them.")],
    out: Annotated[Path, typer.Option(help="New folder for graphs and pictures.")] = Path("tissue"),
    builder: Annotated[
        str, typer.Option(help="knn:8, radius:30, radius:5-30, delaunay:60, contact or grid.")
    ] = "knn:8",
    mpp: Annotated[float | None, typer.Option(help="Micrometres per pixel of the coordinates.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the coordinates, um or px, if files do not say it.")] = None,
    image: Annotated[str | None, typer.Option(help="Column of images; inferred if not given.")] = None,
    cell_type: Annotated[str | None, typer.Option(help="Column of cell types; inferred if not given.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the label of an image.")] = None,
    patient: Annotated[str | None, typer.Option(help="Column of patients; inferred if not given.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Table of images, patients and labels.")] = None,
    pictures: Annotated[bool, typer.Option(help="Draw each image.")] = True,
    debug: Debug = False,
) -> None:
    """Join neighbouring cells of images to graphs.

    Writes the graphs, a picture of each image, and a table of what was set aside.
    """
    from rich.progress import track

    from graphattn.data.tissue import builder as built_by
    from graphattn.data.tissue import survey
    from graphattn.explain.tissue_folder import REJECTED, summary, write_tissue

    build = built_by(builder)
    found = survey(
        files, mpp=mpp, unit=unit, image=image, cell_type=cell_type, label=label, patient=patient, labels=labels
    )
    for note in found.notes:
        say(note)
    written = write_tissue(found, build, out, pictures=pictures)
    graphs = list(track(written, "images", len(found.graphs), disable=not pictures, transient=True))
    say(summary(graphs))
    for each in found.set_aside[:5]:
        say(f"set aside: {each}")
    if found.set_aside:
        say(f"{len(found.set_aside):,} set aside, all in {out / REJECTED}")
    say(f"{len(graphs):,} graphs in {out / 'graphs'}: graphattn.data.load_graphs({str(out / 'graphs')!r})")


@app.command()
@friendly
def warmup(debug: Debug = False) -> None:
    """Compile the kernels for this machine now, so that the first training need not wait."""
    from rich.progress import track

    from graphattn.bench.warmup import warm_up

    say(str(warm_up(functools.partial(track, description="Kernels", transient=True))))


def main() -> None:
    """The entry point of the console script."""
    # Threads of torch that wait must not spin, for the cores may be shared. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()
