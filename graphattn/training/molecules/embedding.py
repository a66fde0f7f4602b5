"""Molecules as the vectors that a trained network reads in front of its last layers: fingerprints it has learned."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn import files
from graphattn.data.molecules.prepare import Rejected, in_parts
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.writing import write_csv
from graphattn.training.molecules.prediction import chemistry_of, free_name, watching, with_columns
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.telling import Say

SUFFIXES = (".csv", ".npz")


class Embedded(NamedTuple):
    """Some rows of a table: ``vectors`` [n, F] of those at ``rows`` in the whole table, with their SMILES, and those without."""

    frame: pd.DataFrame
    start: int
    rows: NDArray[np.int64]
    smiles: list[str]
    vectors: NDArray[np.float32]
    rejected: list[Rejected]


def check_suffix(out: Path) -> None:
    """Check that the file is one that embeddings can be written to.

    Raises:
        ValueError: another suffix.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise ValueError(f"expected a file that ends in {' or '.join(SUFFIXES)}, got {out.name}")


def write_embeddings(
    model: FittedModel, table: MoleculeTable, out: Path, say: Say, *, max_atoms: int | None = None, strict: bool = False
) -> None:
    """Write the embedding of every molecule: as CSV behind the columns of the table, or as arrays.

    A CSV file has all rows in their order, with columns ``embedding_1``, ..., empty where a row cannot be read, and ``rejected``.
    An NPZ file has ``embeddings`` float32 [N, F], ``smiles`` (canonical) and ``line`` of those that can be read.

    Raises:
        ValueError: another suffix; no row can be read; if ``strict``, one cannot; a network without a head.
    """
    check_suffix(out)
    with watching(model, table, say, max_atoms=max_atoms, strict=strict) as watch:

        def watched() -> Iterator[Embedded]:
            for part in embed_parts(model, table, max_atoms):
                watch(len(part.frame), part.rejected)
                yield part

        parts = list(watched())
    vectors = np.concatenate([part.vectors for part in parts if len(part.rows)])
    if out.suffix.lower() == ".csv":
        _write_table(parts, vectors.shape[1], out)
    else:
        smiles = np.array([text for part in parts for text in part.smiles])
        with files.replacing(out) as file:
            lines = table.line[np.concatenate([part.rows for part in parts])]
            np.savez_compressed(file, embeddings=vectors, smiles=smiles, line=lines)
    say(f"{len(vectors):,} of {len(table.frame):,} rows embedded in {vectors.shape[1]} dimensions, written to {out}")


def embed_parts(model: FittedModel, table: MoleculeTable, max_atoms: int | None = None) -> Iterator[Embedded]:
    """The embeddings of a table, part by part.

    Raises:
        ValueError: after the last part, if no row could be read; as ``FittedModel.embed``.
    """
    start = 0
    for molecules in in_parts(table, chemistry=chemistry_of(model, max_atoms)):
        rows = range(start, start + len(molecules.row) + len(molecules.rejected))
        with_columns(model, molecules)
        vectors = model.embed(molecules.graphs) if molecules.graphs else np.zeros((0, 0), np.float32)
        frame = table.part(rows).frame
        yield Embedded(frame, start, molecules.row, molecules.smiles, vectors, molecules.rejected)
        start = rows.stop


def _write_table(parts: Sequence[Embedded], width: int, out: Path) -> None:
    frame = parts[0].frame
    columns = [*map(str, frame.columns), *(free_name(f"embedding_{k + 1}", frame) for k in range(width))]

    def written() -> Iterator[list[object]]:
        for part in parts:
            reasons = {one.row: one.reason for one in part.rejected}
            known = dict(zip(part.rows.tolist(), part.vectors, strict=True))
            for at, cells in enumerate(part.frame.itertuples(index=False, name=None), start=part.start):
                numbers = [f"{value:.6g}" for value in known[at]] if at in known else [""] * width
                yield [*cells, *numbers, reasons.get(at, "")]

    write_csv([*columns, free_name("rejected", frame)], written(), out)
