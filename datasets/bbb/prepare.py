"""Rebuild `bbb.csv.gz` from the package qc-B3DB.

Run `pip install qc-B3DB==1.1.1`, then `python datasets/bbb/prepare.py`.
"""

import csv
import gzip
from importlib.resources import files
from pathlib import Path

from rdkit import Chem, rdBase

TARGET = Path(__file__).with_name("bbb.csv.gz")


def source_rows() -> list[tuple[str, str]]:
    """(SMILES, label) of every row of B3DB's classification table; the label is `BBB+` or `BBB-`."""
    text = (files("B3DB") / "B3DB_classification.tsv").read_text(encoding="utf-8")
    return [(row["SMILES"], row["BBB+/BBB-"]) for row in csv.DictReader(text.splitlines(keepends=True), delimiter="\t")]


def flat_labels(rows: list[tuple[str, str]]) -> tuple[dict[str, set[str]], int]:
    """Labels seen for each canonical SMILES without stereo, and how many rows RDKit could not read."""
    labels: dict[str, set[str]] = {}
    unreadable = 0
    for smiles, label in rows:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(smiles)
        if molecule is None:
            unreadable += 1
            continue
        labels.setdefault(Chem.MolToSmiles(molecule, isomericSmiles=False), set()).add(label)
    return labels, unreadable


def main() -> None:
    """Write the file and print what the card says about it."""
    rows = source_rows()
    labels, unreadable = flat_labels(rows)
    agreed = sorted((smiles, seen.pop()) for smiles, seen in labels.items() if len(seen) == 1)
    lines = ["smiles,permeable", *(f"{smiles},{int(label == 'BBB+')}" for smiles, label in agreed)]
    TARGET.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), compresslevel=9, mtime=0))
    print(f"rows {len(rows)}, unreadable {unreadable}, molecules without stereo {len(labels)}")
    positive = sum(label == "BBB+" for _, label in agreed)
    print(f"contradictory {len(labels) - len(agreed)}, written {len(agreed)} molecules, {positive} permeable")


if __name__ == "__main__":
    main()
