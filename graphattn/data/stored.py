"""Graphs in a folder: their tensors as safetensors, a file a graph, all else as JSON; never a pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from torch_geometric.data import Data

from graphattn import files
from graphattn.data.graphs import fault

GRAPHS = "graphs.json"
FORMAT = 1
_LONG = 64  # lists of texts that are longer stand with the tensors
_BYTES, _LENGTHS = "/utf8", "/lengths"


def save_graphs(graphs: Sequence[Data], folder: str | Path) -> Path:
    """Write graphs into a new folder: ``graphs.json``, a safetensors file for each graph, and a manifest with their SHA-256.

    Every file is replaced in one step, the manifest last. Kept are tensors, numbers, texts, and lists and dictionaries of these.

    Args:
        graphs: any PyG graphs.
        folder: new or empty.

    Returns:
        The folder.

    Raises:
        ValueError: the folder is not empty.
        TypeError: an attribute that is none of these, which is named.

    >>> import tempfile
    >>> folder = save_graphs([Data(x=torch.ones(2, 1), image="a")], Path(tempfile.mkdtemp()) / "graphs")
    >>> load_graphs(folder)
    [Data(x=[2, 1], image='a')]
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a new or empty folder for graphs, got {folder}, which is not empty")
    described, contents = [], []
    for at, graph in enumerate(graphs):
        tensors, values = _parts(graph, at)
        described.append({"file": f"graph-{at:05d}.safetensors", "values": values})
        contents.append(save(tensors))
    folder.mkdir(parents=True, exist_ok=True)
    for each, content in zip(described, contents, strict=True):
        files.write(folder / each["file"], content)
    files.write(folder / GRAPHS, json.dumps({"format": FORMAT, "graphs": described}, indent=1, allow_nan=False) + "\n")
    files.seal(folder, [*(each["file"] for each in described), GRAPHS])
    return folder


def load_graphs(folder: str | Path, *, trust: bool = False) -> list[Data]:
    """The graphs of a folder that :func:`save_graphs` wrote.

    Args:
        folder: their folder.
        trust: whether to read files that were changed after saving.

    Raises:
        ValueError: it is no such folder, or a file is missing, damaged or changed, which is named.
    """
    folder = Path(folder)
    if not (folder / GRAPHS).is_file():
        raise ValueError(f"{folder} holds no graphs: {GRAPHS} is missing")
    if not trust:
        files.verify(folder)
    try:
        content = json.loads((folder / GRAPHS).read_text(encoding="utf-8"))
        described = [(str(each["file"]), dict(each["values"])) for each in content["graphs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / GRAPHS} is damaged: {type(error).__name__} {error}") from None
    if content.get("format") != FORMAT:
        raise ValueError(f"{folder / GRAPHS} has format {content.get('format')!r}; this version reads {FORMAT}")
    return [_graph(folder, name, values) for name, values in described]


def _parts(graph: Data, at: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a graph, and its other values."""
    tensors, values = {}, {}
    for name, value in graph.to_dict().items():
        if isinstance(value, Tensor) and value.layout == torch.strided:
            tensors[name] = value.detach().cpu().contiguous().clone()
        elif isinstance(value, list) and len(value) > _LONG and all(isinstance(each, str) for each in value):
            texts = [each.encode("utf-8") for each in value]
            tensors[name + _BYTES] = torch.from_numpy(np.frombuffer(b"".join(texts), dtype=np.uint8).copy())
            tensors[name + _LENGTHS] = torch.tensor([len(text) for text in texts], dtype=torch.int32)
        else:
            values[name] = _plain(value, f"{name} of graph {at}")
    return tensors, values


def _plain(value: Any, what: str) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(each, what) for each in value]
    if isinstance(value, dict):
        return {"dict": [[str(key), _plain(each, what)] for key, each in value.items()]}
    kind = f"sparse {type(value).__name__}" if isinstance(value, Tensor) else type(value).__name__
    raise TypeError(f"expected tensors, numbers and texts in graphs to save, got {kind} as {what}")


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(each) for each in value]
    if isinstance(value, dict) and set(value) == {"float"}:
        return float(value["float"])
    if isinstance(value, dict) and set(value) == {"dict"}:
        return {key: _restored(each) for key, each in value["dict"]}
    return value


def _graph(folder: Path, name: str, values: dict[str, Any]) -> Data:
    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise ValueError(f"{folder / GRAPHS} names {name!r}, which is no file in the folder")
    try:
        tensors = load(path.read_bytes())
        texts = {key.removesuffix(_BYTES) for key in tensors if key.endswith(_BYTES)}
        lists = {key: _texts(tensors.pop(key + _BYTES), tensors.pop(key + _LENGTHS)) for key in texts}
        graph = Data.from_dict({**tensors, **lists, **{key: _restored(value) for key, value in values.items()}})
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    if graph.num_nodes and (why := fault(graph)):
        raise ValueError(f"{path} is damaged: {why}")
    return graph


def _texts(content: Tensor, lengths: Tensor) -> list[str]:
    ends = lengths.long().cumsum(0).tolist()
    if bool((lengths < 0).any()) or (ends[-1] if ends else 0) != len(content):
        raise ValueError(f"expected texts of {ends[-1] if ends else 0} bytes, got {len(content)}")
    raw = content.numpy().tobytes()
    return [raw[start:end].decode("utf-8") for start, end in zip([0, *ends[:-1]], ends, strict=True)]
