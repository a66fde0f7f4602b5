"""Files of cells that were truncated, or in which bytes or objects were changed: told in words, and nobody else is lost.

::

    python -m tests.robustness.tissue --cases 2000 --seed 0

A case is one of the sample files of tests/data/tissue/cases, cut short or with some bytes changed: reading it gives graphs, or an
error of one line that names the file. Every third case is a table or a GeoJSON of cells some of which are broken: as many cells
are read or set aside by their place as there are. Prints one line for each failure, then how many were tried and survived.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import warnings
from pathlib import Path

from graphattn.data.tissue import survey

CASES = Path(__file__).parents[2] / "data" / "tissue" / "cases"
FILES = sorted(path for path in CASES.iterdir() if path.is_file() and path.name != "EXPECTED.csv")
JUNK = ("", "nan", "inf", "x", "-", "1e999", "1,2", "\x00", "é", "NULL", "{}", "[]", '"')
OBJECTS = (None, 7, "cell", [], {}, {"type": "Feature"}, {"type": "Feature", "geometry": None, "properties": {}})


def spoiled(content: bytes, draw: random.Random) -> bytes:
    """Cut short, or with some bytes changed, doubled or left out."""
    if draw.random() < 0.4:
        return content[: draw.randrange(len(content) + 1)]
    made = bytearray(content)
    for _ in range(draw.choice((1, 3, 20))):
        at = draw.randrange(len(made)) if made else 0
        kind = draw.random()
        if kind < 0.6 and made:
            made[at] = draw.randrange(256)
        elif kind < 0.8:
            made[at:at] = made[at : at + draw.randrange(1, 40)]
        else:
            del made[at : at + draw.randrange(1, 40)]
    return bytes(made)


def said_of(path: Path) -> str:
    """What is wrong with how a file is read; nothing if it is read, or refused in one line that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = survey(path)
    except ValueError as error:
        text = str(error)
        return "" if path.name in text and "\n" not in text else f"refused by {text!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if lines := [str(each) for each in found.set_aside if "\n" in str(each)]:
        return f"set aside in several lines: {lines[0]!r}"
    return "" if found.graphs else "nothing was read, and nothing said"


def table(folder: Path, draw: random.Random) -> tuple[Path, int]:
    """A table of cells, in some of which positions are no numbers; and how many cells it has."""
    count, path = draw.randrange(8, 60), folder / "broken.csv"
    rows = [[f"c{row}", f"{draw.random() * 99:.2f}", f"{draw.random() * 99:.2f}", "t", "3.5"] for row in range(count)]
    for row in draw.sample(rows, draw.randrange(1, 5)):
        row[draw.randrange(1, 3)] = draw.choice(("", "nan", "inf", "x", "NULL"))
    path.write_text(
        "\n".join([",".join(row) for row in [["cell", "x", "y", "type", "area"], *rows]]) + "\n", encoding="utf-8"
    )
    return path, count


def collection(folder: Path, draw: random.Random) -> tuple[Path, int]:
    """A GeoJSON of cells, among which there are objects that are none; and how many objects it has."""
    cells = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [draw.random() * 99, draw.random() * 99]},
            "properties": {"objectType": "detection", "measurements": {"area": draw.random()}},
        }
        for _ in range(draw.randrange(8, 40))
    ]
    for _ in range(draw.randrange(1, 5)):
        cells.insert(draw.randrange(len(cells)), draw.choice(OBJECTS))
    path = folder / "broken.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": cells}))
    return path, len(cells)


def lost(path: Path, count: int) -> str:
    """Whether cells are neither read nor set aside by their place."""
    try:
        found = survey(path, unit="px")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    read, aside = sum(graph.num_nodes or 0 for graph in found.graphs), len({each.place for each in found.set_aside})
    return "" if read + aside == count else f"{count} cells: {read} read, {aside} set aside"


def failure(number: int, seed: int, folder: Path) -> str:
    """What is wrong in one case; nothing if nothing is."""
    draw = random.Random(f"{seed} {number}")
    if number % 3 == 2:
        return lost(*draw.choice((table, collection))(folder, draw))
    source = draw.choice(FILES)
    path = folder / source.name
    path.write_bytes(spoiled(source.read_bytes(), draw))
    said = said_of(path)
    path.unlink()
    return f"{source.name}: {said}" if said else ""


def main() -> int:
    """Some cases; 1 if one of them failed."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--cases", type=int, default=200, help="Number of files.")
    asked.add_argument("--seed", type=int, default=0, help="Random seed.")
    given = asked.parse_args()
    folder, wrong = Path(tempfile.mkdtemp()), 0
    for number in range(given.cases):
        if said := failure(number, given.seed, folder):
            wrong += 1
            print(f"case {number}: {said[:300]}")
    shutil.rmtree(folder)
    print(f"{given.cases} tried, {given.cases - wrong} survived")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
