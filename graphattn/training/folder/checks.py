"""Checks of files and folders that come before any work, and before torch is loaded: what is wrong is said at once."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import graphattn
from graphattn import files

DESCRIPTION = "model.json"
FORMAT = 2
"""Of ``model.json``: 1 had other names of weights, and files of graph models of another name."""
CHECKPOINTS = "training"
_BEGUN = {"running.lock", "settings.json"}
Kind = Literal["molecules", "graphs", "pretrained"]
FIELDS: dict[Kind, tuple[str, ...]] = {
    "molecules": ("task", "architecture", "recipe", "target", "features", "weights"),
    "graphs": ("cell", "size", "form", "features", "outputs", "scales"),
    "pretrained": ("architecture", "recipe", "features", "descriptors", "weights"),
}
_MADE_BY: dict[Kind, str] = {
    "molecules": "made by 'graphattn train'",
    "graphs": "that GraphClassifier or GraphRegressor saved",
    "pretrained": "made by 'graphattn pretrain'",
}


def check_folder(out: Path, resume: bool) -> None:
    """Check that a model can be trained into the folder ``out``.

    Raises:
        ValueError: it cannot be written to, is taken, or holds nothing to resume.
    """
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    finished = (out / "model.json").is_file()
    # One that was killed early has no settings yet, but nothing that another has made.
    names = {path.name.removesuffix(files.PARTIAL) for path in out.iterdir()} if out.is_dir() else set()
    early = taken and out.is_dir() and names <= {CHECKPOINTS, "rejected.csv", "logs"}
    unfinished = (out / CHECKPOINTS / "settings.json").is_file() or early
    if resume and not unfinished:
        state = "holds a finished model" if finished else "holds no interrupted training"
        raise ValueError(f"{out} {state}: nothing to resume")
    if taken and not resume:
        hint = "add --resume to go on with the training in it, or " if unfinished else ""
        raise ValueError(f"{out} is not empty: {hint}name another folder with --out")
    _check_writable(out)


def check_drawings(out: Path) -> None:
    """Check that drawings and tables can be written into the folder ``out``, which may be there already.

    Raises:
        ValueError: it cannot be written to, or it holds a model, whose files they could replace.
    """
    if (out / DESCRIPTION).is_file():
        raise ValueError(f"{out} holds a model, whose files drawings could replace; name another folder with --out")
    _check_writable(out)


def _check_writable(out: Path) -> None:
    parent = next(folder for folder in [out, *out.absolute().parents] if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ValueError(f"cannot write to {out}: {parent} is {'not writable' if parent.is_dir() else 'a file'}")


@contextmanager
def writing(out: Path, resume: bool) -> Iterator[None]:
    """Lock the folder ``out`` for one training; one that is refused before it has made anything leaves nothing behind.

    Raises:
        ValueError: another training has it, or has filled it meanwhile.
    """
    begun, own = out / CHECKPOINTS, not out.exists()
    begun.mkdir(parents=True, exist_ok=True)
    with files.alone(begun / "running.lock", "training"):
        if not resume and any(path != begun for path in out.iterdir()):
            raise ValueError(f"{out} is not empty: another training has written to it; name another folder with --out")
        try:
            yield
        except (TypeError, ValueError):
            if not resume and all(path.is_dir() or path.name in _BEGUN for path in out.rglob("*")):
                shutil.rmtree(out if own else begun, ignore_errors=True)
            raise


def check_file(out: Path, data: str) -> None:
    """Check that the file ``out`` can be written; ``-`` is standard output.

    Raises:
        ValueError: it cannot, it is the one that is read, or it belongs to a saved model or saved graphs.
    """
    if str(out) == "-":
        return
    folder = out.absolute().parent
    if out.is_dir():
        raise ValueError(f"cannot write to {out}: it is a folder")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"cannot write to {out}: {folder} is {'not writable' if folder.is_dir() else 'no folder'}")
    if out.exists() and Path(data).exists() and out.samefile(data):
        raise ValueError(f"{out} is the input; name another file with --out")
    if out.exists() and files.is_sealed(out):
        raise ValueError(f"{out} belongs to what is saved in {out.parent}; name another file with --out")


def description_of(folder: str | Path, kind: Kind) -> str:
    """Name of the file that describes the model in a folder; graph models of format 1 had one of their own."""
    former = "graph_model.json"
    alone = not (Path(folder) / DESCRIPTION).exists() and (Path(folder) / former).is_file()
    return former if kind == "graphs" and alone else DESCRIPTION


def kind_of(folder: str | Path) -> Kind:
    """The kind of model that a folder says it holds; molecules if it says nothing."""
    path = Path(folder) / description_of(folder, "graphs")
    if path.name != DESCRIPTION:
        return "graphs"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return "molecules"
    found = described.get("kind") if isinstance(described, dict) else None
    return next((kind for kind in get_args(Kind) if kind == found), "molecules")


def read_description(folder: str | Path, kind: Kind = "molecules") -> dict[str, Any]:
    """Contents of ``model.json`` in the folder of a model of this kind.

    Raises:
        ValueError: a missing or damaged file, a model of another kind, or one of another format.
    """
    path = Path(folder) / description_of(folder, kind)
    if not path.is_file():
        raise ValueError(f"{folder} holds no model: expected a folder {_MADE_BY[kind]}, with {DESCRIPTION} in it")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    found = described.get("format") if isinstance(described, dict) else None
    if found not in range(1, FORMAT + 1) or isinstance(found, bool):
        reads = f"graphattn {graphattn.__version__} reads formats 1 to {FORMAT}"
        raise ValueError(f"{path} has format {found!r}, {reads}; {retrain(described)}")
    held = described.get("kind", kind)
    if held != kind:
        raise ValueError(f"{path} describes {_named(held)}: expected {_named(kind)}, in a folder {_MADE_BY[kind]}")
    if missing := [name for name in FIELDS[kind] if name not in described]:
        raise ValueError(f"{path} is damaged: it lacks {', '.join(missing)}")
    return described


def _named(kind: object) -> str:
    return "a pretrained network, which 'train --from' starts from" if kind == "pretrained" else f"a model of {kind}"


def retrain(described: Any) -> str:
    """What to do with a model that this version cannot read."""
    versions = described.get("versions", {}) if isinstance(described, dict) else {}
    return f"use the version that made it ({versions.get('graphattn', 'unknown')}) or train again"
