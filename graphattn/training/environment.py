"""What a bug report needs: versions, devices, backends, embedded data."""

import os

import torch
from rich.table import Table

from graphattn.backends import BACKENDS
from graphattn.data.embedded import names
from graphattn.training.model_folder import versions


def environment() -> Table:
    """Two columns, thing and state, for the terminal."""
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
