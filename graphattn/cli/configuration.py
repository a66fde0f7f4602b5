"""``--config FILE.toml``: the options of a command from a file, and the file from which a training can be repeated."""

import difflib
import inspect
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

Command = Callable[..., None]

FILE = "config.toml"
MODEL = "model.json"
_NEVER = ("config", "debug")
_ONCE = (*_NEVER, "out", "resume", "trust")
"""Options of a run and not of what it makes."""
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    Path: "a text in quotes",
}


def with_config(command: Command) -> Command:
    """The command with an option ``--config``: a TOML file of its options, over which the command line wins.

    What the command says of its own parameters is what the file is checked against.
    """
    parameters = inspect.signature(command).parameters

    def read(context: typer.Context, file: Path | None) -> Path | None:
        if file is not None:
            context.default_map = _read(file, context.command.name or "", parameters)
        return file

    option = typer.Option(callback=read, is_eager=True, help="TOML file of options; the command line wins over it.")
    config = inspect.Parameter(
        "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Path | None, option]
    )

    def run(config: Path | None = None, **options: Any) -> None:
        with _kept(options):
            command(**options)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    vars(run)["__signature__"] = inspect.Signature([*parameters.values(), config])
    return run


def to_toml(options: Mapping[str, Any]) -> str:
    """A file of options that ``--config`` reads; options of the run alone and those that are None are left out.

    >>> print(to_toml({"data": "a.csv", "epochs": 5, "aim": None, "descriptors": True, "target": ["y"], "out": "model"}), end="")
    data = "a.csv"
    epochs = 5
    descriptors = true
    target = ["y"]
    """
    kept = {name: value for name, value in options.items() if name not in _ONCE and value not in (None, [], ())}
    return "".join(f"{name} = {_written(value)}\n" for name, value in kept.items())


@contextmanager
def _kept(options: Mapping[str, Any]) -> Iterator[None]:
    """Writes the options beside the model that a command makes, also where it is interrupted."""
    out = options.get("out")
    makes = isinstance(out, Path) and "resume" in options and (options["resume"] or not (out / MODEL).exists())
    try:
        yield
    except KeyboardInterrupt:
        _keep(out, options, makes)
        raise
    _keep(out, options, makes)


def _keep(out: Any, options: Mapping[str, Any], makes: bool) -> None:
    if makes and (out / MODEL).is_file():
        from graphattn import files

        files.write(out / FILE, to_toml(options))


def _written(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(file: Path, name: str, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Options by the names of parameters.

    Raises:
        typer.BadParameter: a file that is missing or no TOML, an option that the command does not have, a value of another type.
    """
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise typer.BadParameter(f"there is no file {file}") from None
    except (OSError, ValueError) as error:  # of which those of TOML and of UTF-8 are
        raise typer.BadParameter(f"{file} is no TOML file: {error}") from None
    options = {_of_command_line(each): each for each in parameters if each not in _NEVER}
    found = dict[str, Any]()
    for key, value in given.items():
        option = options.get(key.replace("_", "-"))
        if option is None:
            near = difflib.get_close_matches(key.replace("_", "-"), options, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise typer.BadParameter(f"{file}: {name} has no option {key!r}.{hint} It has {', '.join(options)}.")
        found[option] = _checked(value, parameters[option].annotation, f"{file}: expected {key} as")
    return found


def _of_command_line(parameter: str) -> str:
    return parameter.replace("_", "-")


def _checked(value: Any, annotation: Any, said: str) -> Any:
    """The value, where it has the type of the parameter."""
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    kind = next((each for each in get_args(kind) if each is not NoneType), kind) if NoneType in get_args(kind) else kind
    if get_origin(kind) is Literal:
        if value not in (words := get_args(kind)):
            raise typer.BadParameter(f"{said} one of {', '.join(words)}, got {_written(value)}")
        return value
    if get_origin(kind) is list:
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in items):
            raise typer.BadParameter(f"{said} a text or a list of texts, got {_written(value)}")
        return items
    right = {float: (int, float), Path: (str,)}.get(kind, (kind,))
    if not isinstance(value, right) or (isinstance(value, bool) and kind is not bool):
        raise typer.BadParameter(f"{said} {_KINDS[kind]}, got {_written(value)}")
    return value
