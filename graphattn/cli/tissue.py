"""Tissue: ``graph``, ``train``, ``predict``, ``evaluate`` and ``explain``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from torch_geometric.data import Data as Graph

    from graphattn.training.telling import Say
    from graphattn.training.tissue.prediction import TissueModelFolder

from graphattn.cli.application import say
from graphattn.cli.options import (
    LAYERS,
    MODELS,
    Accelerator,
    Debug,
    Devices,
    Epochs,
    Formulas,
    Precision,
    Resume,
    Seed,
    Trust,
)

Graphs = Annotated[Path, typer.Argument(metavar="GRAPHS", help="Folder of graphs written by 'graphattn tissue graph'.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder written by 'graphattn tissue train'.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at unusable images instead of setting them aside.")]
Mixed = Annotated[bool, typer.Option("--mixed-patients", help="Images of one patient may have different labels.")]
LABELS = "Table of images, patients and labels."
SPLITS = (
    "patients, folds:5, leave-one-patient-out, random, stratified, or a column of parts, folds, years or groups; "
    "folds:COLUMN tests each of its folds."
)


def graph(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Files of cells, or folders of them.")],
    out: Annotated[Path, typer.Option(help="New folder for graphs and pictures.")] = Path("tissue"),
    builder: Annotated[
        str, typer.Option(help="knn:8, radius:30, radius:5-30, delaunay:60, contact, grid, or file: edges of the file.")
    ] = "knn:8",
    mpp: Annotated[float | None, typer.Option(help="Micrometres per pixel of the coordinates.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the coordinates, um or px, if files do not say it.")] = None,
    image: Annotated[str | None, typer.Option(help="Column of images; inferred if not given.")] = None,
    cell_type: Annotated[str | None, typer.Option(help="Column of cell types; inferred if not given.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the label of an image.")] = None,
    patient: Annotated[str | None, typer.Option(help="Column of patients; inferred if not given.")] = None,
    labels: Annotated[Path | None, typer.Option(help=LABELS)] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Further column of cells, such as a compartment; may be repeated.")
    ] = None,
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
    columns = {"image": image, "cell_type": cell_type, "label": label, "patient": patient, "keep": keep or ()}
    found = survey(files, mpp=mpp, unit=unit, labels=labels, **columns)
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


def train(
    graphs: Graphs,
    out: Annotated[Path, typer.Option(help="New folder for the model.")] = Path("model"),
    labels: Annotated[Path | None, typer.Option(help=LABELS)] = None,
    target: Annotated[str | None, typer.Option(help="Label column; inferred if not given.")] = None,
    group: Annotated[str | None, typer.Option(help="Patient column; images of one patient stay in one part.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="binary, multiclass or regression, inferred if not given; nodes to learn each cell."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="With --task nodes: class of cells: cell_type, a measurement, or a column kept.")
    ] = None,
    split: Annotated[str, typer.Option(help=SPLITS)] = "patients",
    model: Annotated[str, typer.Option(help=f"{MODELS}, or a layer: {LAYERS}.")] = "slide_graph",
    layers: Annotated[int, typer.Option(help="Number of layers.")] = 2,
    channels: Annotated[int, typer.Option(help="Channels of the layers, a multiple of 4.")] = 16,
    loss: Annotated[
        str,
        typer.Option(help="cross_entropy (of values the squared error), ranking of two classes, or cox of survival."),
    ] = "cross_entropy",
    time: Annotated[str | None, typer.Option(help="With --loss cox: column of times.")] = None,
    event: Annotated[
        str | None, typer.Option(help="With --loss cox: column that says whether the event was seen.")
    ] = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    ensemble: Annotated[int, typer.Option(help="Number of ensemble members; their predictions are averaged.")] = 1,
    accelerator: Accelerator = "auto",
    devices: Devices = "1",
    precision: Precision = "32-true",
    resume: Resume = False,
    strict: Strict = False,
    positive: Annotated[str | None, typer.Option(help="Label of the positive class; inferred and reported.")] = None,
    mixed_patients: Mixed = False,
    divide_patients: Annotated[
        bool, typer.Option("--divide-patients", help="Images of one patient may be in several parts.")
    ] = False,
    escape_formulas: Formulas = False,
    baselines: Annotated[bool, typer.Option(help="Compare with models of composition on the same split.")] = True,
    report: Annotated[bool, typer.Option(help="Write a report, report.html, into the folder.")] = True,
    trust: Annotated[bool, typer.Option("--trust", help="Load graphs whose files were changed after saving.")] = False,
    debug: Debug = False,
) -> None:
    """Train a model on GRAPHS and save it in a folder. It is tested on other patients, beside models of composition."""
    from graphattn.training.folder import checks

    checks.check_folder(out, resume)

    from graphattn.reports.tissue import write_report
    from graphattn.training.recipe import Hardware
    from graphattn.training.tissue import dividing, slides, workflow
    from graphattn.training.tissue import plan as planning

    rule, column = dividing.rule_of(split)
    if label is not None and task != "nodes":
        raise ValueError(f"--label {label} names what is learned of cells: expected --task nodes, got --task {task}")
    cells, kind = (label or "cell_type", None) if task == "nodes" else (None, task)
    survival = (time, event) if time and event else None
    wanted = slides.Labels(labels, target, group, column, kind, positive, mixed_patients, cells, survival)
    recipe = planning.recipe(seed, epochs)
    plan = planning.TissuePlan(
        out,
        str(graphs),
        wanted,
        planning.TissueNetwork(model, layers, channels, ensemble, cast("planning.LossName", loss)),
        rule,
        divide_patients,
        recipe,
        Hardware(accelerator, devices, precision),
        baselines,
        strict,
        resume,
        escape_formulas,
        write_report if report else None,
    )
    workflow.train(slides.open_graphs(graphs, trust), plan, say)
    say(f"Saved in {out}. To predict: graphattn tissue predict {out} GRAPHS --out predictions.csv")


def predict(
    model: Model,
    graphs: Graphs,
    out: Annotated[
        Path, typer.Option(help="CSV file to write, - for standard output; of a model of cells a new folder as well.")
    ] = Path("predictions.csv"),
    escape_formulas: Formulas = False,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Predict the images in GRAPHS, or their cells. Writes a row for each, images that cannot be used with the reason.

    A model of cells writes a table (--out cells.csv), or into a folder the classes of each image as GeoJSON for QuPath, CSV and
    picture.
    """
    from graphattn.training.folder import checks

    tell, described = partial(say, err=str(out) == "-"), checks.read_description(model, "graphs")
    of_cells = described.get("level") == "node"
    if not of_cells or str(out) == "-" or out.suffix:
        checks.check_file(out, str(graphs))

    from graphattn.training.tissue import prediction, slides

    fitted = prediction.open_model(model, trust, tell)
    held = slides.open_graphs(graphs, trust)
    if of_cells:
        _of_cells(fitted, held, graphs, out, strict, tell, escape=escape_formulas)
        return
    read, found = prediction.answers(fitted, prediction.read_for(fitted, held, str(graphs), tell), str(graphs))
    slides.tell_set_aside(list(read.refused.values()), tell, strict)
    prediction.write_predictions(fitted, held, read, found, out, escape_formulas)
    where = "standard output" if str(out) == "-" else out
    tell(f"{len(read.graphs):,} of {len(held):,} images predicted, written to {where}")


def evaluate(
    model: Model,
    graphs: Graphs,
    labels: Annotated[Path | None, typer.Option(help=LABELS)] = None,
    target: Annotated[str | None, typer.Option(help="Label column; that of training if not given.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Patient column; patients seen in training are scored apart.")
    ] = None,
    mixed_patients: Mixed = False,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Compare predictions for GRAPHS with their labels. Images of patients seen in training are scored separately."""
    from graphattn.training.folder import checks

    checks.read_description(model, "graphs")

    from graphattn.training import telling
    from graphattn.training.tissue import evaluation, prediction, slides

    fitted = prediction.open_model(model, trust, say)
    wanted = slides.Labels(labels, target, group, mixed_patients=mixed_patients)
    found = evaluation.evaluate(fitted, slides.open_graphs(graphs, trust), wanted, str(graphs), say, strict)
    telling.tell_figures(found, f"{model} on {graphs}", say, "patients")


def explain(
    model: Model,
    graphs: Graphs,
    out: Annotated[Path, typer.Option(help="New folder for pictures and tables.")] = Path("explained"),
    image: Annotated[
        list[str] | None, typer.Option(help="Image to explain; may be repeated; all if not given.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of images to draw on.")] = None,
    target: Annotated[str | None, typer.Option(help="Class to explain; the positive one if not given.")] = None,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Draw what each cell contributes, or the classes of cells. It is written for QuPath (GeoJSON), TIAViz and as CSV, too."""
    from graphattn.training.folder import checks

    checks.read_description(model, "graphs")

    from rich.progress import track

    from graphattn.explain.tissue_scores import explain_images, table_of
    from graphattn.training.tissue import prediction, slides

    fitted = prediction.open_model(model, trust, say)
    held = slides.open_graphs(graphs, trust)
    held = slides.of_images(held, image) if image else held
    if fitted.network.level == "node":
        _of_cells(fitted, held, graphs, out, strict, say, images=images, target=target)
        return
    read, _ = prediction.answers(fitted, prediction.read_for(fitted, held, str(graphs), say), str(graphs))
    slides.tell_set_aside(list(read.refused.values()), say, strict)
    written = explain_images(fitted, held, read, out, images=images, target=target, say=say)
    say(table_of(list(track(written, "images", len(read.graphs), transient=True))))
    say(f"{len(read.graphs):,} of {len(held):,} images explained in {out}")


def _of_cells(
    fitted: "TissueModelFolder",
    held: "list[Graph]",
    source: Path,
    out: Path,
    strict: bool,
    tell: "Say",
    *,
    images: Path | None = None,
    target: str | None = None,
    escape: bool = False,
) -> None:
    """Classes of cells: a table where ``out`` is a file, else a folder of pictures and of files for viewers."""
    from rich.progress import track

    from graphattn.explain.tissue_cells import draw_classes, table_of_classes
    from graphattn.training.tissue import cell_prediction, prediction, slides

    read = prediction.read_for(fitted, held, str(source), tell)
    slides.tell_set_aside(list(read.refused.values()), tell, strict)
    cells = sum(graph.num_nodes or 0 for graph in read.graphs)
    if str(out) == "-" or out.suffix:
        cell_prediction.write_cells(fitted, held, read, out, escape)
    else:
        drawn = draw_classes(fitted, held, read, out, images=images, target=target, say=tell)
        tell(table_of_classes(fitted, list(track(drawn, "images", len(read.graphs), transient=True))))
    where = "standard output" if str(out) == "-" else out
    tell(f"{cells:,} cells of {len(read.graphs):,} of {len(held):,} images named, written to {where}")
