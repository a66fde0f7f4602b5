"""The machine itself: ``bench``, ``info`` and ``warmup``."""

import functools
from pathlib import Path
from typing import Annotated

import typer

import graphattn
from graphattn.cli.application import say
from graphattn.cli.options import Debug


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
    """Time kernels and layers against PyG and torch on this machine. That their results agree is checked before."""
    from graphattn.bench import command, suite
    from graphattn.bench.cases import LARGE

    plan = suite.BenchPlan(
        LARGE if large else tuple(case or ()), tuple(allocator or suite.ALLOCATORS), threads, rounds, label
    )
    command.bench(plan, json, plot, fast=quick)


def info(
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="Folder of a saved model.")] = None,
    debug: Debug = False,
) -> None:
    """Show what is installed, or what a saved model is and how good. Lists versions, devices, backends and data sets."""
    if model is not None:
        from rich.markdown import Markdown

        from graphattn.training.folder.card import card_of

        lines = card_of(model).splitlines()
        say(Markdown("\n".join(line for line in lines if not line.startswith("!["))))
        return

    from graphattn.environment import environment

    say(environment())


def warmup(debug: Debug = False) -> None:
    """Compile the kernels for this machine now. The first training need not wait for them then."""
    from rich.progress import track

    from graphattn.bench.warmup import warm_up

    say(str(warm_up(functools.partial(track, description="Kernels", transient=True))))
