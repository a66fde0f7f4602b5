"""Where a result was made: versions, machine, load and commit; and what a bug report needs, as a table."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import graphattn

if TYPE_CHECKING:
    from rich.table import Table

OF_MODELS = ("torch", "torch-geometric", "rdkit", "lightning", "scikit-learn", "numpy")
OF_KERNELS = ("torch", "torch-geometric", "numba", "numpy", "scipy")


def environment() -> Table:
    """Two columns, thing and state, for the terminal."""
    import torch
    from rich.table import Table

    from graphattn.backends import BACKENDS
    from graphattn.data.molecules.embedded import names

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


def versions(packages: Sequence[str] = OF_MODELS) -> dict[str, str]:
    """Versions of graphattn, Python and packages, by default of those that a model depends on."""
    own = {"graphattn": graphattn.__version__, "python": platform.python_version()}
    return own | {package: metadata.version(package) for package in packages}


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def surroundings() -> dict[str, object]:
    """Versions, machine, load and commit, as records of measurements have them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine = f"{_processor()}, {cores} cores, {platform.system()} {platform.machine()}"
    return {"versions": versions(OF_KERNELS), "machine": machine, "load": load, "commit": _commit()}


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
