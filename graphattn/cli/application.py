"""The application that commands are added to, what wraps each of them, and how they speak."""

import functools
from collections.abc import Callable
from signal import SIGINT
from typing import Annotated, Any

import typer

import graphattn
from graphattn.stopping import received, stoppable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


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
            if options.get("debug") or isinstance(error, typer.Exit | BrokenPipeError):  # such as of | head
                raise
            expected = isinstance(error, ValueError | TypeError | OSError | ImportError)
            text = str(error) if expected else f"{type(error).__name__}: {error} (--debug shows where)"
            typer.echo(f"error: {text}", err=True)
            raise typer.Exit(1) from None

    return run


def say(message: Any, err: bool = False) -> None:
    """Prints a text or a rich table, or on stderr; square brackets in texts are those of SMILES, not markup."""
    from rich.console import Console

    Console(soft_wrap=isinstance(message, str), stderr=err).print(message, markup=False, highlight=False)


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
