import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from graphattn.cli.application import friendly
from graphattn.cli.configuration import to_toml, with_config


def learn(
    data: Annotated[str, typer.Argument()],
    out: Annotated[Path, typer.Option()] = Path("model"),
    target: Annotated[list[str] | None, typer.Option("--target")] = None,
    class_weight: Annotated[Literal["balanced", "none"], typer.Option()] = "balanced",
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    coverage: Annotated[float, typer.Option()] = 0.9,
    descriptors: Annotated[bool, typer.Option()] = True,
    resume: Annotated[bool, typer.Option("--resume")] = False,
    debug: Annotated[bool, typer.Option("--debug")] = False,
) -> None:
    """Learn."""
    if data == "stopped":
        raise KeyboardInterrupt
    if data == "wrong":
        raise ValueError("wrong data")
    out.mkdir(exist_ok=True)
    if data != "empty":
        (out / "model.json").write_text("{}")
    typer.echo(json.dumps([data, target, class_weight, epochs, coverage, descriptors]))


app = typer.Typer(rich_markup_mode=None)
app.command()(friendly(with_config(learn)))
app.command(name="other")(friendly(with_config(learn)))


def run(*words):
    return CliRunner().invoke(app, ["learn", *map(str, words)])


@pytest.fixture
def config(tmp_path):
    def written(text):
        (tmp_path / "options.toml").write_text(text)
        return tmp_path / "options.toml"

    return written


def test_options_come_from_the_file_and_the_command_line_wins(config, tmp_path):
    text = 'data = "a.csv"\ntarget = ["y", "z"]\nclass-weight = "none"\nepochs = 3\ncoverage = 1\ndescriptors = false\n'
    given = ["--config", config(text), "--out", tmp_path / "model"]
    assert json.loads(run(*given).stdout) == ["a.csv", ["y", "z"], "none", 3, 1.0, False]
    found = run("b.csv", *given, "--epochs", 4, "--descriptors", "--target", "w")
    assert json.loads(found.stdout) == ["b.csv", ["w"], "none", 4, 1.0, True]


def test_underscores_are_hyphens_and_one_text_is_a_list(config, tmp_path):
    found = run("a", "--config", config('class_weight = "none"\ntarget = "y"'), "--out", tmp_path / "model")
    assert json.loads(found.stdout) == ["a", ["y"], "none", None, 0.9, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "epoch = 3",
            "learn has no option 'epoch'. Did you mean epochs? It has data, out, target, class-weight, epochs,",
        ),
        ("debug = true", "learn has no option 'debug'."),
        ("epochs = '3'", 'expected epochs as a whole number, got "3"'),
        ("epochs = true", "expected epochs as a whole number, got true"),
        ("coverage = [0.9]", "expected coverage as a number, got [0.9]"),
        ("descriptors = 1", "expected descriptors as true or false, got 1"),
        ("data = 1", "expected data as a text in quotes, got 1"),
        ("out = 1", "expected out as a text in quotes, got 1"),
        ("target = [1]", "expected target as a text or a list of texts, got [1]"),
        ("class-weight = 'equal'", 'expected class-weight as one of balanced, none, got "equal"'),
        ("epochs = ", "is no TOML file: Invalid value"),
    ],
)
def test_what_a_file_may_not_say(config, text, said):
    found = run("a", "--config", config(text))
    assert found.exit_code == 2
    assert said in " ".join(found.stderr.split())


def test_ranges_are_those_of_the_command_line(config):
    assert "'--epochs': Input should be greater than or equal to 1" in run("a", "--config", config("epochs = 0")).stderr


def test_a_missing_file(tmp_path):
    assert f"there is no file {tmp_path / 'no.toml'}" in " ".join(
        run("a", "--config", tmp_path / "no.toml").stderr.split()
    )


def test_a_model_is_made_again_from_the_file_beside_it(tmp_path):
    odd = 'a "b" \\ \u20ac \x7f.csv'
    first = run(odd, "--out", tmp_path / "model", "--target", "y", "--epochs", 2, "--no-descriptors")
    written = (tmp_path / "model" / "config.toml").read_text(encoding="utf-8")
    assert "out" not in written
    again = run("--config", tmp_path / "model" / "config.toml", "--out", tmp_path / "again")
    assert again.stdout == first.stdout
    assert (tmp_path / "again" / "config.toml").read_text(encoding="utf-8") == written


def test_only_a_command_that_made_a_model_writes_the_file(tmp_path):
    run("empty", "--out", tmp_path / "empty")
    assert not (tmp_path / "empty" / "config.toml").exists()
    run("a", "--out", tmp_path / "model", "--epochs", 2)
    for data in ("b", "stopped", "wrong"):
        run(data, "--out", tmp_path / "model", "--epochs", 3)
    assert "epochs = 2" in (tmp_path / "model" / "config.toml").read_text()
    run("stopped", "--out", tmp_path / "model", "--epochs", 5, "--resume")
    assert "epochs = 5" in (tmp_path / "model" / "config.toml").read_text()


def test_numbers_without_an_end_are_toml():
    assert to_toml({"coverage": float("inf"), "smiles": "it's"}) == 'coverage = inf\nsmiles = "it\'s"\n'
