"""The command line: ``graphattn train``, ``predict``, ``evaluate``, ``explain``, ``embed``, ``pretrain``, ``compare``,
``bench``, ``info``, ``warmup``, and ``graphattn tissue`` with ``graph``, ``train``, ``predict``, ``evaluate``, ``explain``.

Only options and messages are here, one module a group of commands. Each command imports what does its work when it runs, so that
``--help`` answers at once.
"""

import os

import typer

from graphattn.cli import comparing, machine, molecules, pretraining, tissue, training
from graphattn.cli.application import app, friendly
from graphattn.cli.configuration import with_config

__all__ = ["app", "main"]

for command in (training.train, molecules.predict, molecules.evaluate, molecules.explain, molecules.embed):
    app.command()(friendly(with_config(command)))
for command in (pretraining.pretrain, comparing.compare, machine.bench):
    app.command()(friendly(with_config(command)))
for command in (machine.info, machine.warmup):
    app.command()(friendly(command))

tissues = typer.Typer(no_args_is_help=True, help="Cells of tissue images as graphs.", rich_markup_mode=None)
for command in (tissue.graph, tissue.train, tissue.predict, tissue.evaluate, tissue.explain):
    tissues.command()(friendly(with_config(command)))
app.add_typer(tissues, name="tissue")


def main() -> None:
    """The entry point of the console script."""
    # Threads of torch that wait must not spin, for the cores may be shared. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()
