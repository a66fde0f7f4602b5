"""Files of molecules in many dialects, whole and damaged: every row is a molecule or a named rejection.

::

    python -m tests.robustness.tables --rows 1000000 --seed 0

Prints a line for each failure with its seed, then how many rows were tried, how many of them were used, how many were set aside,
how many stood in files that were refused in words, and how many failures there were. A failure is an exception without words
for people, a row that is lost, moved or there twice, or a file that is not read again as it was written.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from graphattn.data.molecules.prepare import collect
from graphattn.data.molecules.table import read_table
from graphattn.data.reading import read_records
from graphattn.data.tasks import guess_task
from graphattn.data.writing import write_csv
from tests.robustness.tables.files import KINDS, Known

_MOST_ROWS = 40


def one(seed: int, folder: Path) -> Counter[str]:
    """How many rows of a random file came to what. Raises for a failure."""
    draw = random.Random(seed)
    rows = draw.randrange(1, _MOST_ROWS + 1)
    known = draw.choice(KINDS)(draw, folder, rows)
    counts = Counter(tried=rows)
    try:
        used, aside = _accounted(known, folder)
    except ValueError as error:
        _check_words(error, known.path)
        return counts + Counter(refused=rows)
    assert used + aside == rows, f"{rows} rows: {used} used, {aside} set aside"
    return counts + Counter(used=used, aside=aside)


def _accounted(known: Known, folder: Path) -> tuple[int, int]:
    table = read_table(known.path, targets=(), split=())
    given = table.frame[known.column].tolist()
    sound = [row for row in range(len(given)) if row not in table.faults]
    assert len(given) == len(known.cells), f"{len(known.cells)} rows in, {len(given)} out"
    assert [given[row].strip() for row in sound] == [known.cells[row] for row in sound], "rows are others, or elsewhere"
    assert all(one < other for one, other in zip(table.line[:-1], table.line[1:], strict=True)), "lines do not rise"
    write_csv(list(table.frame.columns), table.frame.itertuples(index=False, name=None), folder / "again.csv")
    again = read_records(folder / "again.csv")
    assert again.cells == table.frame.to_numpy().tolist(), "a file is not read as it was written"
    task = None
    if "label" in table.frame and len(given) > 10:
        try:
            task = guess_task(table.frame[["label"]])[0]
        except ValueError as error:
            _check_words(error, known.path)
    found = collect(table, task)
    everything = sorted([*found.row.tolist(), *(each.row for each in found.rejected)])
    assert everything == list(range(len(given))), "a row is lost, or there twice"
    assert all(each.reason and each.line == table.line[each.row] for each in found.rejected), (
        "a rejection without reason"
    )
    return len(found.row), len(found.rejected)


def _check_words(error: ValueError, path: Path) -> None:
    """A refusal names the file, the target or the first row; Python's own sentences do not."""
    text = str(error)
    if not (str(path) in text or "target 'label'" in text or text.startswith("none of the")):
        raise RuntimeError(f"not in words: {error!r}") from error


def run(rows: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Counts of rows, and a sentence for each failure."""
    counts, failures = Counter[str](), list[str]()
    while counts["tried"] < rows:
        with tempfile.TemporaryDirectory() as folder:
            try:
                counts += one(seed, Path(folder))
            except Exception as error:
                failures.append(f"seed {seed}: {type(error).__name__}: {str(error)[:300]}")
                counts["tried"] += 1
        seed += 1
    return counts, failures


def main() -> int:
    """Runs as the words of the command line say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    counts, failures = run(given.rows, given.seed)
    for failure in failures:
        print(failure)
    said = f"{counts['used']:,} used, {counts['aside']:,} set aside, {counts['refused']:,} in files refused in words"
    print(f"{counts['tried']:,} rows tried: {said}; {len(failures)} failures")
    return min(1, len(failures))


if __name__ == "__main__":
    sys.exit(main())
