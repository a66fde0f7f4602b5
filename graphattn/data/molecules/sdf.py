"""SDF to rows: one for each record, with the SMILES of its mol block, its name and its data items."""

import io
import re
from typing import NamedTuple

from rdkit import Chem, rdBase

from graphattn.data.delimited import unique
from graphattn.data.molecules.smiles import molecule_problem
from graphattn.data.wording import shortened

_END = re.compile(r"M  END\s*$")
_COUNTS = re.compile(r"[ \d]{6}.*\bV[23]000\s*$")


class Sdf(NamedTuple):
    """Columns, cells, line of each record, and why a record cannot be read, by row."""

    columns: list[str]
    cells: list[list[str]]
    lines: list[int]
    faults: dict[int, str]


def is_sdf(text: str) -> bool:
    """Whether a text has the structure of an SDF: mol blocks with their end, records with theirs."""
    return bool(re.search(r"^M  END\s*$", text, re.MULTILINE) and re.search(r"^\$\$\$\$", text, re.MULTILINE))


def read_sdf(text: str) -> Sdf:
    """Every record is a row, also an empty one; the lines after the last ``$$$$`` are a record unless they are blank.

    A record with two mol blocks, or two values of one data item, is a fault: which value is of which molecule is unknown.
    """
    blocks: list[list[str]] = [[]]
    starts = [1]
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.startswith("$$$$"):
            blocks.append([])
            starts.append(number + 1)
        else:
            blocks[-1].append(line.rstrip("\r\n"))
    if not any(map(str.strip, blocks[-1])):
        blocks, starts = blocks[:-1], starts[:-1]
    fields = [_fields(block) for block in blocks]
    names = list(dict.fromkeys(name for field in fields for name in field))
    columns, _ = unique(["smiles", "name", *names])
    cells, faults = list[list[str]](), dict[int, str]()
    for row, (block, field) in enumerate(zip(blocks, fields, strict=True)):
        smiles, why = _smiles(block)
        cells.append([smiles, (block[0] if block else "").strip(), *(field.get(name, "") for name in names)])
        if twice := _two_in_one(block, field):
            faults[row] = f"ambiguous record: record {row + 1}, {twice}"
        elif why:
            faults[row] = f"unreadable mol block: record {row + 1}, {why}"
    return Sdf(columns, cells, starts, faults)


def _fields(block: list[str]) -> dict[str, str]:
    """The data items of an SDF record by name; of one that is there twice the first."""
    fields = dict[str, str]()
    for name, value in _items(block):
        fields.setdefault(name, value)
    return fields


def _items(block: list[str]) -> list[tuple[str, str]]:
    """Names and values of data items: ``> <NAME>``, the lines of the value, a blank line."""
    items, is_open = list[tuple[str, str]](), False
    for line in block:
        if title := re.match(r">.*?<(.+)>", line):
            items.append((title[1], ""))
            is_open = True
        elif is_open:
            name, value = items[-1]
            items[-1] = (name, f"{value}\n{line}".strip())
            is_open = bool(line.strip())
    return items


def _two_in_one(block: list[str], fields: dict[str, str]) -> str:
    """What a record holds twice; empty where nothing is."""
    molecules = max(sum(bool(mark.match(line)) for line in block) for mark in (_END, _COUNTS))
    if molecules > 1:
        return f"{molecules} mol blocks without $$$$ between them"
    for name, value in _items(block):
        if value != fields[name]:
            return f"data item {name!r} is both {shortened(fields[name])!r} and {shortened(value)!r}"
    return ""


def _smiles(block: list[str]) -> tuple[str, str]:
    """Canonical SMILES of a mol block, or why there is none."""
    text = "\n".join(block)
    if not text.strip():
        return "", "empty"
    try:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromMolBlock(text)
            if molecule is not None:
                return Chem.MolToSmiles(molecule), "" if molecule.GetNumAtoms() else "no atoms"
            unchecked = Chem.MolFromMolBlock(text, sanitize=False)
            return "", molecule_problem(unchecked) if unchecked is not None else "not a mol block"
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return "", ": ".join((type(error).__name__, *lines[:2]))
