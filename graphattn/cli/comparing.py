"""``graphattn compare``: layers and topologies on the same data."""

from pathlib import Path
from typing import Annotated

import typer

from graphattn.cli.application import say
from graphattn.cli.options import LAYERS, MODELS, PROBLEM, Debug, Seed, Smiles


def compare(
    data: Annotated[str, typer.Argument(metavar="DATA", help=PROBLEM)],
    layers: Annotated[
        str, typer.Option(help=f"Comma-separated names: {LAYERS}; of tissue also {MODELS}.")
    ] = "attention,gcn,edgeconv,gin,gat,mlp",
    topologies: Annotated[str, typer.Option(help="Comma-separated topology names.")] = "edges,full,edges+hub",
    out: Annotated[Path, typer.Option(help="Folder of results; an interrupted run resumes.")] = Path("comparison"),
    repeats: Annotated[int, typer.Option(help="Number of random splits.")] = 10,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds per split.")] = None,
    trials: Annotated[int, typer.Option(help="Number of tuning trials per configuration and split.")] = 0,
    epochs: Annotated[int, typer.Option(help="Maximum number of epochs.")] = 60,
    split: Annotated[str | None, typer.Option(help="scaffold_balanced, scaffold, random, stratified or given.")] = None,
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
    group: Annotated[
        str | None, typer.Option(help="Group column or attribute of graphs; rows of one group stay in one part.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Compare layers and topologies on the same data and budget. The results are written as a report."""
    from graphattn.comparison import command, settings

    options = command.ComparisonOptions(
        data, smiles, target, task, group, count, command.names(layers), command.names(topologies)
    )
    given = settings.Settings(repeats, seeds, split, trials=trials, epochs=epochs, seed=seed, rope=rope)
    command.run(options, given, out, jobs, quick, say)
