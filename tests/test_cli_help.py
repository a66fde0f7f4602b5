import re
from collections.abc import Iterator
from typing import get_args

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from graphattn.cli import app
from graphattn.cli.training import Balance
from graphattn.comparison.splitting import GIVEN
from graphattn.data.splits import SPLITS
from graphattn.models.by_name.layers import LAYERS
from graphattn.models.by_name.whole import TISSUE_MODELS
from graphattn.training.molecules.forests.choosing import Model


def commands(command: TyperCommand | TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*words, name))


def shown(*words):
    result = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}).invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("words", list(commands(get_command(app))), ids=" ".join)
def test_help_fits_80_columns_and_cuts_nothing(words):
    lines = shown(*words).splitlines()
    assert max(map(len, lines)) <= 80
    said = [line for line in lines if not line.startswith("Usage:")]
    cut = [line for line in said if "…" in line or re.search(r"(?<![A-Z])\.\.\.", line)]
    assert not cut


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("train",), SPLITS),
        (("compare",), (*SPLITS, GIVEN, *LAYERS, *TISSUE_MODELS)),
        (("tissue", "train"), (*LAYERS, *TISSUE_MODELS)),
        (("train",), ("binary", "multiclass", "multilabel", "regression", *get_args(Model), *get_args(Balance))),
        (("pretrain",), ("auto", "cpu", "gpu", "32-true", "bf16-mixed")),
    ],
)
def test_allowed_words_are_listed(words, allowed):
    text = " ".join(shown(*words).split())
    assert [word for word in allowed if not re.search(rf"\b{re.escape(word)}\b", text)] == []
