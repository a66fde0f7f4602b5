"""Molecules without labels: ``pretrain``."""

from pathlib import Path
from typing import Annotated

import typer

from graphattn.cli.application import say
from graphattn.cli.options import (
    DATA,
    Accelerator,
    Debug,
    Devices,
    Fragment,
    Most,
    Precision,
    Resume,
    Seed,
    Smiles,
)


def pretrain(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help=f"SMILES: {DATA}")],
    out: Annotated[Path, typer.Option(help="New folder for the network.")] = Path("pretrained"),
    smiles: Smiles = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="File whose molecules are left out, such as test sets; may be repeated.")
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=20, help="Maximum number of SMILES, drawn at random; all if not given.")
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Number of times each molecule is learned from.")] = 5,
    channels: Annotated[int, typer.Option(min=1, help="Channels of an atom.")] = 128,
    heads: Annotated[int, typer.Option(min=1, help="Attention heads.")] = 8,
    layers: Annotated[int, typer.Option(min=1, help="Blocks.")] = 4,
    totals: Annotated[int, typer.Option(min=0, help="Sums over atoms that join the readout.")] = 128,
    start: Annotated[
        Path | None, typer.Option("--from", help="Pretrained network to go on from; its sizes are taken.")
    ] = None,
    seed: Seed = 0,
    accelerator: Accelerator = "auto",
    devices: Devices = "1",
    precision: Precision = "32-true",
    threads: Annotated[int, typer.Option(min=1, help="Threads of training; each number gives bits of its own.")] = 1,
    resume: Resume = False,
    largest_fragment: Fragment = False,
    max_atoms: Most = None,
    debug: Debug = False,
) -> None:
    """Teach a network what molecules are, from molecules without labels. It learns descriptors, fragments, hidden atoms."""
    from graphattn.training.folder import checks

    checks.check_folder(out, resume)

    import dataclasses

    from graphattn.data.molecules.chemistry import Chemistry
    from graphattn.data.molecules.smiles import MOST_ATOMS
    from graphattn.training.pretraining import workflow
    from graphattn.training.recipe import Architecture, Hardware

    plan = workflow.PretrainingPlan(
        out,
        passes,
        most,
        smiles,
        tuple(exclude or ()),
        start,
        Architecture(channels=channels, heads=heads, layers=layers, totals=totals),
        dataclasses.replace(workflow.RECIPE, seed=seed),
        Hardware(accelerator, devices, precision, threads),
        Chemistry(largest_fragment, max_atoms=max_atoms or MOST_ATOMS),
        resume,
    )
    workflow.pretrain(files, plan, say)
    say(f"Saved in {out}. To start from it: graphattn train MOLECULES.csv --from {out}")
