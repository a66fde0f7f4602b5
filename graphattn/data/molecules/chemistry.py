"""From SMILES to the graphs that a model reads: the one road for tables, estimators, explanations and comparisons.

Whatever a library raises while a molecule is handled is the reason why that one is left out; the others go on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from torch_geometric.data import Data

from graphattn.data.molecules.fingerprints import count_fingerprints
from graphattn.data.molecules.rdkit2d import descriptors
from graphattn.data.molecules.smiles import MOST_ATOMS, UnreadableError, parse_smiles, to_data
from graphattn.data.wording import shortened

WORTH_PROCESSES = 300
"""From so many molecules on it pays to start processes for what is computed of each."""
_MOST_COUNTED = 2**15 - 1
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Chemistry:
    """How SMILES become atoms; a model is asked with the options it was trained with."""

    largest_fragment: bool = False
    explicit_hydrogens: bool = False
    max_atoms: int = MOST_ATOMS


AS_WRITTEN = Chemistry()


class Read(NamedTuple):
    """Molecules that can be read, their graphs and positions, and why the others cannot be, by position."""

    molecules: list[Chem.Mol]
    graphs: list[Data]
    positions: NDArray[np.int64]
    problems: dict[int, UnreadableError]


def read(smiles: Iterable[object], chemistry: Chemistry = AS_WRITTEN) -> Read:
    """The graphs of texts of SMILES, see :func:`~graphattn.data.molecules.smiles.to_data`.

    >>> found = read(["CCO", "C1CC", None])
    >>> found.positions.tolist(), list(found.problems), found.graphs[0].num_nodes
    ([0], [1, 2], 3)
    """
    molecules, graphs, positions, problems = [], [], [], {}
    for position, text in enumerate(smiles):
        try:
            molecule = parse(text, chemistry)
            graph = _guarded(to_data, molecule, str(text))
        except UnreadableError as error:
            problems[position] = error
            continue
        molecules.append(molecule)
        graphs.append(graph)
        positions.append(position)
    return Read(molecules, graphs, np.array(positions, dtype=np.int64), problems)


def parse(text: object, chemistry: Chemistry = AS_WRITTEN) -> Chem.Mol:
    """The molecule that a SMILES names; one of RDKit is read as its SMILES.

    >>> parse(Chem.MolFromSmiles("OCC")).GetNumAtoms()
    3

    Raises:
        UnreadableError: no text, no SMILES, no atoms or more than ``chemistry.max_atoms``, or a fault of RDKit.
    """
    if isinstance(text, Chem.Mol):
        text = _guarded(Chem.MolToSmiles, text, "of RDKit's molecule")
    if not isinstance(text, str):
        raise UnreadableError(f"expected SMILES as a text, got {text!r}", "SMILES that are no text")
    return _guarded(lambda given: parse_smiles(given, **asdict(chemistry)), text, text)


def _guarded(make: Callable[[_Given], _Made], given: _Given, text: str) -> _Made:
    """What ``make`` gives; any exception in it is of this molecule alone."""
    try:
        with rdBase.BlockLogs():
            return make(given)
    except UnreadableError:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        what = ": ".join((type(error).__name__, *lines[:2]))
        raise UnreadableError(
            f"RDKit cannot read SMILES {shortened(text)!r}: {what}", f"unreadable SMILES: {what}"
        ) from error


def label(graphs: Sequence[Data], y: NDArray) -> None:
    """Gives each graph its row of ``y`` [N, T] as ``y`` [1, T]."""
    for i, graph in enumerate(graphs):
        graph.y = torch.as_tensor(y[i : i + 1], dtype=torch.float32)


def describe(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    """RDKit-2D descriptors [N, D], by one process per core where it pays."""
    return descriptors(molecules, n_jobs=-1 if len(molecules) >= WORTH_PROCESSES else 1)


def attach(graphs: Sequence[Data], values: NDArray[np.float32] | None) -> None:
    """Gives each graph as ``descriptors`` [1, D] its row of ``values``, if these are read, and its ``own_descriptors`` behind."""
    for i, graph in enumerate(graphs):
        rows = [] if values is None else [torch.from_numpy(values[i : i + 1])]
        own = [graph["own_descriptors"]] if "own_descriptors" in graph else []
        graph.descriptors = torch.cat([*rows, *own], dim=1)


def attach_fingerprints(graphs: Sequence[Data], molecules: Sequence[Chem.Mol]) -> None:
    """Gives each graph the counts of the ECFP4 of its molecule as ``fingerprint``, int16 [1, 2048]."""
    counts = torch.from_numpy(count_fingerprints(molecules)).clamp(max=_MOST_COUNTED).short()
    for graph, row in zip(graphs, counts, strict=True):
        graph.fingerprint = row[None]
