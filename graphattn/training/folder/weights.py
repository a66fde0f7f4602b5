"""Folder of a trained model: ``model.json``, weights as safetensors, a card (``README.md``), a manifest of their SHA-256."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from graphattn import files
from graphattn.environment import versions
from graphattn.training.folder.checks import DESCRIPTION

Net = TypeVar("Net", bound=nn.Module)


def write_folder(
    folder: str | Path,
    described: Mapping[str, Any],
    members: Sequence[nn.Module],
    card: str,
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """Writes what is ``described``, with the names of the weight files in it, all members' weights, the card and ``more`` files.

    Nothing is pickled; every file is replaced in one step, and the manifest is written last.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"model-{i + 1}.safetensors" if i else "model.safetensors" for i in range(len(members))]
    for name, member in zip(names, members, strict=True):
        # Not save_file: it makes files that only their owner can read. Clones, as weights may share memory.
        weights = {key: value.detach().contiguous().clone() for key, value in member.state_dict().items()}
        files.write(folder / name, save(weights))
    for name, content in (more or {}).items():
        files.write(folder / name, content)
    files.write(folder / "README.md", card)
    entries = {**described, "weights": names}
    lines = [f'"{name}": {json.dumps(plain(value), allow_nan=False)}' for name, value in entries.items()]
    files.write(folder / DESCRIPTION, "{\n" + ",\n".join(lines) + "\n}\n")
    files.seal(folder, [*names, *(more or {}), "README.md", DESCRIPTION])
    return folder


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights in a file of the folder.

    Raises:
        ValueError: a missing or damaged file, or one with numbers that are not finite.
    """
    if not path.is_file():
        raise ValueError(f"{path.parent} is incomplete: {path.name} is missing")
    try:
        weights = load_file(path)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    for name, weight in weights.items():
        if not bool(weight.isfinite().all()):
            raise ValueError(f"{path} is damaged: {name} has values that are not finite")
    return weights


def filled(make: Callable[[], Net], weights: Mapping[str, Tensor], path: Path) -> Net:
    """The network that ``make`` builds with the weights from ``path``, in evaluation mode.

    It is built without memory first, and only if its weights have the names, shapes and types of the file's it is built in
    earnest, so that no description can ask for more than the file holds.

    Raises:
        ValueError: weights with other names, shapes or types.
    """
    try:
        with torch.device("meta"):
            expected = {name: _form(weight) for name, weight in make().state_dict().items()}
    except (RuntimeError, TypeError, OverflowError) as error:
        raise ValueError(f"{path.parent / DESCRIPTION} is damaged: {str(error).splitlines()[0]}") from error
    found = {name: _form(weight) for name, weight in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            there, wanted = found.get(name, "none"), expected.get(name, "none")
            raise ValueError(f"{path} is damaged or of another network: expected {name} to be {wanted}, got {there}")
    network = make()
    network.load_state_dict(dict(weights))
    return network.eval()


def weight_files(described: Mapping[str, Any], folder: Path) -> list[Path]:
    """Weight files that a description names.

    Raises:
        ValueError: no list of names of files in the folder.
    """
    names = described.get("weights")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{folder / DESCRIPTION} is damaged: expected names of files as weights, got {names!r}")
    if outside := [name for name in names if Path(name).name != name]:
        raise ValueError(f"{folder / DESCRIPTION} is damaged: expected weights inside the folder, got {outside[0]!r}")
    return [folder / name for name in names]


def plain(value: Any) -> Any:
    """JSON has no NaN, arrays or tuples: None, lists and lists."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _form(weight: Tensor) -> str:
    return f"{str(weight.dtype).removeprefix('torch.')} {list(weight.shape)}"


def other_versions(described: Mapping[str, Any]) -> list[str]:
    """Sentences about the packages that make graphs and predictions, where a model was made by others than those here."""
    stored, here = described.get("versions"), versions()
    known = stored if isinstance(stored, Mapping) else {}
    return [
        f"the model was made with {name} {known[name]}; here is {here[name]}: predictions may differ"
        for name in ("graphattn", "rdkit")
        if name in known and known[name] != here[name]
    ]
