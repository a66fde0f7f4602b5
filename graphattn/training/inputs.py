"""From SMILES to the graphs a model reads."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from torch_geometric.data import Data

from graphattn.data.molecules import parse_smiles, to_data
from graphattn.data.rdkit2d import descriptors

_WORTH_PROCESSES = 300


@dataclass(frozen=True)
class Chemistry:
    """How SMILES become atoms; a model is asked with the options it was trained with."""

    largest_fragment: bool = False
    explicit_hydrogens: bool = False


def read(
    smiles: Iterable[object], chemistry: Chemistry = Chemistry()
) -> tuple[list[Chem.Mol], NDArray[np.int64], dict[int, str]]:
    """The molecules that can be read, their positions in `smiles`, and why the others cannot, by position.

    >>> molecules, positions, problems = read(["CCO", "C1CC", None])
    >>> positions.tolist(), list(problems)
    ([0], [1, 2])
    """
    molecules, positions, problems = [], [], {}
    for position, text in enumerate(smiles):
        try:
            if not isinstance(text, str):
                raise ValueError(f"expected SMILES as a text, got {text!r}")
            molecule = parse_smiles(text, **asdict(chemistry))
        except ValueError as error:
            problems[position] = str(error)
            continue
        molecules.append(molecule)
        positions.append(position)
    return molecules, np.array(positions, dtype=np.int64), problems


def graphs_of(molecules: Sequence[Chem.Mol], y: NDArray | None = None, *, with_descriptors: bool) -> list[Data]:
    """A graph per molecule, with its row of `y` [N, T], and with RDKit-2D descriptors where the model reads them."""
    graphs = [to_data(molecule) for molecule in molecules]
    for i, graph in enumerate(graphs):
        if y is not None:
            graph.y = torch.as_tensor(y[i : i + 1], dtype=torch.float32)
    if with_descriptors:
        attach(graphs, describe(molecules))
    return graphs


def describe(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    """RDKit-2D descriptors [N, D], by one process per core where it pays."""
    return descriptors(molecules, n_jobs=-1 if len(molecules) >= _WORTH_PROCESSES else 1)


def attach(graphs: Sequence[Data], values: NDArray[np.float32]) -> None:
    """Gives each graph its row of `values` [N, D] as `descriptors` [1, D]."""
    for i, graph in enumerate(graphs):
        graph.descriptors = torch.from_numpy(values[i : i + 1])
