"""Anything to PyTorch Geometric graphs: molecules, the files they come in, and their splits.

Text and sound are in `sequences`, images in `images`, data made by rule in `generated`; what follows is about molecules.

A file becomes a table, the table poses a task, and the rows that can be used become graphs:

>>> from graphattn.data import collect, guess_task, open_table
>>> table = open_table("solubility")
>>> task, sentence = guess_task(table.targets)
>>> sentence
"target 'solubility' has 3 classes: high (246), low (519), medium (517)"

`collect(table, task)` then holds the graphs, and every row that was set aside with its line and the reason.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphattn.data.embedded import load, names, open_table
    from graphattn.data.features import ATOM_FEATURES, BOND_FEATURES, atom_sizes, bond_sizes
    from graphattn.data.molecules import parse_smiles, to_data
    from graphattn.data.prepare import Molecules, Rejected, collect, report, summary, write_rejected
    from graphattn.data.rdkit2d import DESCRIPTOR_NAMES, descriptors
    from graphattn.data.splits import SPLITS, Split, scaffold_key
    from graphattn.data.table import MoleculeTable, read_table
    from graphattn.data.tasks import Task, guess_task

_PUBLIC = {
    "ATOM_FEATURES": "features",
    "BOND_FEATURES": "features",
    "DESCRIPTOR_NAMES": "rdkit2d",
    "MoleculeTable": "table",
    "Molecules": "prepare",
    "Rejected": "prepare",
    "SPLITS": "splits",
    "Split": "splits",
    "Task": "tasks",
    "atom_sizes": "features",
    "bond_sizes": "features",
    "collect": "prepare",
    "descriptors": "rdkit2d",
    "guess_task": "tasks",
    "load": "embedded",
    "names": "embedded",
    "open_table": "embedded",
    "parse_smiles": "molecules",
    "read_table": "table",
    "report": "prepare",
    "scaffold_key": "splits",
    "summary": "prepare",
    "to_data": "molecules",
    "write_rejected": "prepare",
}

__all__ = [
    "ATOM_FEATURES",
    "BOND_FEATURES",
    "DESCRIPTOR_NAMES",
    "SPLITS",
    "MoleculeTable",
    "Molecules",
    "Rejected",
    "Split",
    "Task",
    "atom_sizes",
    "bond_sizes",
    "collect",
    "descriptors",
    "guess_task",
    "load",
    "names",
    "open_table",
    "parse_smiles",
    "read_table",
    "report",
    "scaffold_key",
    "summary",
    "to_data",
    "write_rejected",
]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'graphattn.data' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"graphattn.data.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
