"""Trained models of molecules at work: ``predict``, ``evaluate``, ``explain`` and ``embed``."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from graphattn.cli.application import say
from graphattn.cli.options import Data, Debug, Formulas, Model, Most, Smiles, Strict, Targets, Trust


def predict(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV file to write; - for standard output.")] = Path("predictions.csv"),
    smiles: Smiles = None,
    threshold: Annotated[
        float | None, typer.Option(help="Probability above which a label is positive; the model's own if not given.")
    ] = None,
    max_atoms: Most = None,
    escape_formulas: Formulas = False,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Predict the molecules in DATA. All rows and columns are written in their order, followed by the predictions."""
    from graphattn.training.folder import checks

    tell = partial(say, err=str(out) == "-")
    checks.check_file(out, data)
    described = checks.read_description(model)

    from graphattn.training.molecules import prediction, saved

    table = prediction.open_for(described, data, smiles, (), tell)
    fitted = saved.load(model, trust)
    written = {"max_atoms": max_atoms, "strict": strict, "escape": escape_formulas}
    prediction.write_predictions(fitted, table, out, tell, threshold=threshold, **written)


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
    """Compare predictions for DATA with its labels. Molecules of the training set are scored separately."""
    from graphattn.training.folder import checks

    described = checks.read_description(model)

    from graphattn.data.reading import named
    from graphattn.training import telling
    from graphattn.training.molecules import evaluation, prediction, saved

    fitted = saved.load(model, trust)
    table = prediction.open_for(described, data, smiles, target or fitted.task.names, say)
    evaluation.tell_truths(fitted.task, table, say)
    with prediction.watching(fitted, table, say, max_atoms=max_atoms, strict=strict) as watch:
        found = evaluation.evaluate_table(fitted, table, max_atoms, watch)
    telling.tell_figures(found.figures, f"{model} on {named(Path(data))}", say)
    evaluation.tell_reliability(fitted, found, say)


def explain(
    model: Model,
    molecules: Annotated[
        list[str],
        typer.Argument(
            metavar="MOLECULES...", help="SMILES, each with a name behind a blank if you like, or one file."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the drawings and numbers.")] = Path("atoms"),
    target: Annotated[str | None, typer.Option(help="Target or class to explain.")] = None,
    smiles: Smiles = None,
    name: Annotated[str | None, typer.Option(help="Column that names the molecules; inferred if not given.")] = None,
    bonds: Annotated[bool, typer.Option("--bonds", help="Colour bonds, too.")] = False,
    common_scale: Annotated[
        bool, typer.Option("--common-scale", help="One scale of colours for all molecules.")
    ] = False,
    max_atoms: Most = None,
    escape_formulas: Formulas = False,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Draw what parts of molecules contribute to predictions. Those of atoms, bonds and fragments are listed (CSV)."""
    from graphattn.training.folder import checks

    checks.check_drawings(out)
    described = checks.read_description(model)

    from graphattn.data.molecules.embedded import names_a_table
    from graphattn.explain.molecules import folder
    from graphattn.training.molecules import prediction, saved

    fitted = saved.load(model, trust)
    if len(molecules) == 1 and names_a_table(molecules[0]):
        table = prediction.open_for(described, molecules[0], smiles, (), say)
    else:
        prediction.tell_versions(described, say)
        table = folder.table_of(molecules, folder.chemistry_of(fitted, max_atoms), say)
    plan = folder.ExplanationPlan(target, name, bonds, common_scale, max_atoms, strict, escape_formulas)
    folder.write_explanations(fitted, table, out, say, plan)


def embed(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV or NPZ file to write.")] = Path("embeddings.csv"),
    smiles: Smiles = None,
    max_atoms: Most = None,
    strict: Strict = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Write fingerprints that the network has learned. They are what it reads of molecules in front of its last layers."""
    from graphattn.training.folder import checks

    checks.check_file(out, data)
    described = checks.read_description(model)

    from graphattn.training.molecules import embedding, prediction, saved

    embedding.check_suffix(out)
    table = prediction.open_for(described, data, smiles, (), say)
    embedding.write_embeddings(saved.load(model, trust), table, out, say, max_atoms=max_atoms, strict=strict)
