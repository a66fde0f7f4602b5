"""Random files of molecules of which every row is known: tables in many dialects, damaged ones, and SDF."""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path
from typing import NamedTuple

from rdkit import Chem

GOOD = [
    "CCO",
    "c1ccccc1",
    "CC(=O)[O-].[Na+]",
    "C[C@H](F)Cl",
    "C[C@@H](F)Cl",
    "[2H]C",
    "[CH3:1][OH:2]",
    "InChI=1S/CH4/h1H4",
]
GOOD += [
    "F/C=C/F",
    "C |&1:0,r|",
    "CC(=O)Oc1ccccc1C(=O)O aspirin",
    "[Fe+2]",
    "*C",
    "OB1OCCO1",
    "C1CC1",
    "N#Cc1ccncc1",
    "[H][H]",
]
BAD = [
    "",
    " ",
    "C1CC",
    "CN(C)(C)C",
    "[#999]",
    "x",
    "CCO>>CC",
    "[C][=C][Branch1]",
    "InChI=1S/zz",
    "C |x",
    "=cmd()",
    "(((",
    "nan",
]
BAD += [
    "C" * 1200,
    "c1ccc1",
    "[Zz]",
    "C%99",
    "\u00e9",
    "$$$$",
    "M  END",
    '"',
    "[C",
    "CC.",
    ".",
    "[H]",
    "[0C]",
    "[C@@@H]",
    "$",
]
ALPHABET = "CNOcno[]()=#123%+-@H/\\.*|,$ FSPl:"
LABELS = [
    "0",
    "1",
    "yes",
    "no",
    "1.5",
    "-2e3",
    "",
    "NA",
    "<NA>",
    "-",
    "?",
    ">10",
    "4,5",
    "6 uM",
    "1_1",
    "01",
    "inf",
    "a b",
    "=1+1",
]
NOTES = [
    "",
    "x",
    "two words",
    'quoted "word"',
    "a,b;c|d\te",
    "line\nbreak",
    "$$$$",
    "\u00e9",
    "'",
    "# no comment",
    "sep=;",
]
PLAIN_NOTES = ["", "x", "two words", "5 tubes"]
ENDS = ["\n", "\r\n", "\r"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "latin-1"]


class Known(NamedTuple):
    """A file, and what stands in it: names and cells of the column by which its rows are known."""

    path: Path
    column: str
    cells: list[str]


def smiles(draw: random.Random) -> str:
    """A molecule, what is none, or signs at random."""
    if (kind := draw.random()) < 0.6:
        return draw.choice(GOOD)
    if kind < 0.8:
        return draw.choice(BAD)
    return "".join(draw.choices(ALPHABET, k=draw.randrange(1, 12)))


def table(draw: random.Random, folder: Path, rows: int) -> Known:
    """A table that any reader of CSV takes apart in one way, whatever its dialect."""
    delimiter, end, encoding = draw.choice(",;\t|"), draw.choice(ENDS), draw.choice(ENCODINGS)
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer, delimiter=delimiter, lineterminator="\r\n", quoting=draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    )
    writer.writerow(["id", "smiles", "label", "note"])
    label = draw.choice([lambda: draw.choice(LABELS), lambda: draw.choice("01"), lambda: f"{draw.gauss(0, 1):.3f}"])
    for row in range(rows):
        writer.writerow([f"m{row}", smiles(draw), label(), draw.choice(NOTES)])
    text = buffer.getvalue().replace("\r\n", end)
    before = draw.choice(
        ["", "", "", f"sep={delimiter}{end}", f"# comment{end}", f"# one{end}#two, three{end}", f"{end}{end}"]
    )
    raw = (before + text).encode(encoding)
    return _stored(draw, folder / draw.choice(["data.csv", "data.txt", "data.csv.gz", "data"]), raw, "id", rows)


def damaged(draw: random.Random, folder: Path, rows: int) -> Known:
    """A table with rows that have too many or too few cells, blank lines, and one quote that never closes."""
    delimiter, stray = draw.choice(",;\t|"), draw.randrange(2 * rows)
    lines = [delimiter.join(["id", "smiles", "label", "note"])]
    for row in range(rows):
        cells = [f"m{row}", draw.choice(GOOD[:8] + BAD[2:6]), draw.choice(["0", "1", "x"]), draw.choice(PLAIN_NOTES)]
        if row == stray:
            cells[draw.randrange(1, 4)] = '"open'
        elif draw.random() < 0.2:
            cells = cells[: draw.randrange(1, 4)]
        elif draw.random() < 0.2:
            cells += draw.choices(["more", "", "7"], k=draw.randrange(1, 4))
        lines += [delimiter.join(cells), *[""] * (draw.random() < 0.1)]
    return _stored(draw, folder / "data.csv", draw.choice(ENDS).join(lines).encode(), "id", rows)


def single(draw: random.Random, folder: Path, rows: int) -> Known:
    """A file of one column, in which empty cells are rows."""
    cells = [smiles(draw).strip() for _ in range(rows)]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([["smiles"], *([cell] for cell in cells)])
    (folder / "data.csv").write_text(buffer.getvalue(), encoding="utf-8", newline="")
    return Known(folder / "data.csv", "smiles", cells)


def sdf(draw: random.Random, folder: Path, rows: int) -> Known:
    """Records with mol blocks, some of them damaged, cut or empty."""
    records = []
    for row in range(rows):
        molecule = Chem.MolFromSmiles(draw.choice(GOOD[:6]))
        block = Chem.MolToMolBlock(molecule, forceV3000=draw.random() < 0.3)
        if draw.random() < 0.3:
            at = draw.randrange(len(block))
            block = draw.choice([block[:at], block[:at] + draw.choice("9X \n-") + block[at + 1 :], "", "\n\n"])
        records.append(f"{block.rstrip(chr(10))}\n> <id>\nm{row}\n\n> <label>\n{draw.choice('01')}\n\n$$$$\n")
    raw = "".join(records).replace("\n", draw.choice(ENDS[:2])).encode()
    return _stored(draw, folder / draw.choice(["data.sdf", "data.sdf.gz"]), raw, "id", rows)


def _stored(draw: random.Random, path: Path, raw: bytes, column: str, rows: int) -> Known:
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return Known(path, column, [f"m{row}" for row in range(rows)])


KINDS = [table, damaged, single, sdf]
