"""How trainings speak: figures of models side by side, and whether the hardware can be used."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from rich.table import Table

from graphattn.training.metrics import Figure
from graphattn.training.recipe import Hardware
from graphattn.training.runs import quiet

Say = Callable[[Any], None]
"""Receives what a person should read, texts and rich tables."""

_MOST_COLUMNS = 3


def check_hardware(hardware: Hardware) -> None:
    """Check that Lightning knows the accelerator and has it.

    Raises:
        ValueError: it does not, or an unknown word.
    """
    words = {name: value for name, value in dataclasses.asdict(hardware).items() if name != "threads"}
    try:
        with quiet():
            pl.Trainer(**words, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    except (MisconfigurationException, ImportError, ValueError, RuntimeError) as error:
        asked = ", ".join(f"{name} {value}" for name, value in words.items())
        raise ValueError(f"cannot train with {asked}: {str(error).splitlines()[0]}") from None


def tell_figures(found: Mapping[str, Mapping[str, Figure]], title: str, say: Say, what: str = "molecules") -> None:
    """Says the figures of several models, or of several groups of samples, side by side; of more than three one below the other.

    Args:
        found: figures by name, of each model.
        title: what they are figures of.
        say: receives sentences and the table.
        what: the intervals are over.
    """
    say(title)
    say(_rows(found) if len(found) > _MOST_COLUMNS else _columns(found))
    say(f"in brackets: 95 % bootstrap interval over the {what}")


def _columns(found: Mapping[str, Mapping[str, Figure]]) -> Table:
    """A column for each model."""
    table = Table("", *found)
    for measure in next(iter(found.values())):
        row = [column[measure] for column in found.values()]
        bases = {f"{figure.base:.3f}" for figure in row if figure.base is not None}
        common = f"\n(base rate {bases.pop()})" if len(bases) == 1 else ""
        each = [f"\n(base rate {figure.base:.3f})" if figure.base is not None and not common else "" for figure in row]
        table.add_row(measure + common, *(_cell(figure) + base for figure, base in zip(row, each, strict=True)))
    return table


def _rows(found: Mapping[str, Mapping[str, Figure]]) -> Table:
    """A row for each model."""
    first = next(iter(found.values()))
    names = [f"{name}\n(base rate {each.base:.3f})" if each.base is not None else name for name, each in first.items()]
    table = Table("", *names)
    for model, figures in found.items():
        table.add_row(model, *(_cell(figures[name]) for name in first))
    return table


def _cell(figure: Figure) -> str:
    value, _, interval = str(figure._replace(base=None)).partition(" ")
    return f"{value}\n{interval}".strip()
