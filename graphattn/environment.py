"""Where a result was made: versions, machine, load and commit; and what a bug report needs, as a table."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

PACKAGES = ("graphattn", "torch", "torch-geometric", "numba", "numpy", "scipy")


def environment() -> Table:
    """Two columns, thing and state, for the terminal."""
    import torch
    from rich.table import Table

    from graphattn.backends import BACKENDS
    from graphattn.data.embedded import names
    from graphattn.training.folder.weights import versions

    table = Table(show_header=False, box=None)
    for name, version in versions().items():
        table.add_row(name, version)
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    table.add_row("CPU", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads in torch")
    table.add_row("CUDA", ", ".join(gpus) or ("built in, no device" if torch.version.cuda else "not in this torch"))
    table.add_row("MPS", "available" if torch.backends.mps.is_available() else "not available")
    table.add_row("backends", ", ".join(backend.name for backend in BACKENDS))
    table.add_row("embedded data", ", ".join(names()))
    return table


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def surroundings() -> dict[str, object]:
    """Versions, machine, load and commit, as records of measurements have them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    versions = {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}
    machine = f"{_processor()}, {cores} cores, {platform.system()} {platform.machine()}"
    return {"versions": versions, "machine": machine, "load": load, "commit": _commit()}


def _version(name: str) -> str:
    if name == "graphattn":
        import graphattn

        return graphattn.__version__
    return metadata.version(name)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _commit() -> str:
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return ""

    def git(*words: str) -> str:
        try:
            return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:
            return ""

    return git("rev-parse", "--short", "HEAD") + ("+changes" if git("status", "--porcelain", "--", "graphattn") else "")
