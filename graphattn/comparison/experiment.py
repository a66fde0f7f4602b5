"""Attention or a GCN? Layers on graphs, fitted on the same data under the same rules."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from numpy.typing import ArrayLike
from rich.console import Console

from graphattn import files
from graphattn.comparison.fits.running import FitRunner, run
from graphattn.comparison.fits.tuning import library
from graphattn.comparison.plan import ComparisonPlan, plan
from graphattn.comparison.problems import problem
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.progress import ProgressDisplay
from graphattn.comparison.record import FitRecord, table
from graphattn.comparison.settings import Settings
from graphattn.comparison.splitting import rule_of
from graphattn.comparison.store import Store
from graphattn.comparison.verdict.sentences import verdict
from graphattn.comparison.verdict.summary import Summary, summary
from graphattn.json_lines import DamagedLine

if TYPE_CHECKING:
    from pandas import DataFrame

LAYERS = ("attention", "gcn", "edgeconv", "gin", "gat", "mlp")
TOPOLOGIES = ("edges", "full", "edges+hub")

RESULTS, TABLE, LOG, LOCK, VERDICT, REPORT, JOURNALS = (
    "results.jsonl",
    "results.csv",
    "log.txt",
    "running.lock",
    "verdict.txt",
    "report.html",
    "tuning",
)


@final
@dataclass(frozen=True)
class ComparisonResult:
    """Records of all fits of a comparison, with its table, verdict and report.

    Args:
        records: one for each fit, failed ones as well.
        settings: what was equal for all.
        notes: the protocol in words.
        damaged: lines of an earlier file of results that could not be read and were set aside.
        command: what was run, for the report.
        rule: how the data were divided.
        row_names: SMILES of molecules, by which the report names rows; numbers if empty.
        classes: their names.
    """

    records: list[FitRecord]
    settings: Settings
    notes: list[str] = field(default_factory=list)
    damaged: list[DamagedLine] = field(default_factory=list)
    command: str = ""
    rule: str = ""
    row_names: Sequence[str] = ()
    classes: Sequence[str] = ()

    def table(self) -> DataFrame:
        """A row for each fit, with all that is needed to repeat it; ``run_...`` is what the parts were drawn from."""
        run = {"split_rule": self.rule, "repeats": self.settings.repeats, "seed": self.settings.seed}
        return table(self.records).assign(
            **{f"run_{name}": value for name, value in (run | {"command": self.command}).items()}
        )

    def summary(self) -> Summary:
        """Means with intervals, and paired differences of all configurations and baselines."""
        return summary(self.records, self.settings.rope)

    def verdict(self) -> str:
        """The verdict: findings in sentences."""
        return str(verdict(self.summary()))

    def report(self, path: str | Path) -> Path:
        """Writes one HTML file that needs no network, and returns its path."""
        from graphattn.comparison.report import write_report

        return write_report(
            self.records,
            path,
            notes=self.notes,
            command=self.command,
            rope=self.settings.rope,
            row_names=self.row_names,
            classes=self.classes,
        )

    @property
    def failed(self) -> list[FitRecord]:
        """Fits without a score, with their reasons."""
        return [record for record in self.records if record.status == "failed"]

    def write(self, folder: Path) -> None:
        """The table, the verdict and the report, as far as there is a score."""
        self.table().to_csv(folder / TABLE, index=False)
        if len(self.failed) < len(self.records):
            files.write(folder / VERDICT, self.verdict() + "\n")
            self.report(folder / REPORT)


def compare(
    data: str | Path | Problem | Iterable[Any],
    layers: Sequence[str] = LAYERS,
    topologies: Sequence[str] = TOPOLOGIES,
    *,
    groups: ArrayLike | None = None,
    settings: Settings | None = None,
    out: str | Path | None = None,
    jobs: int = 0,
    console: Console | None = None,
    command: str = "",
) -> ComparisonResult:
    """Fit every layer on every topology to the same data, splits and budget, with cheap baselines and controls.

    Finished fits are kept: with ``out``, the same call resumes an interrupted run and repeats no fit. A layer that diverges or
    runs out of memory is a failed fit with its reason; the others go on.

    Args:
        data: a name (``bbb``, ``solubility``, ``digits``, ``sparse_and``, ``motif``, ...), a file of molecules, PyG graphs, or a
            :class:`~graphattn.comparison.problems.base.Problem`, which
            :func:`~graphattn.comparison.problems.problem` makes with more options.
        layers: names; see :data:`~graphattn.models.by_name.layers.LAYERS`.
        topologies: names; see :data:`~graphattn.models.by_name.topologies.TOPOLOGIES`.
        groups: a column of a file, an attribute of PyG graphs, or a label for each graph; graphs of one group (a patient) are in
            one part.
        settings: parts, budget, size, tuning; the same for all layers.
        out: folder of results, table, log, verdict and report; nothing is written if not given.
        jobs: processes that take fits; 0 for this process alone. Timings are steadiest with 0 or 1.
        console: where progress is shown; the standard error stream if not given.
        command: what was run, shown in the report so that it can be run again.

    Raises:
        ImportError: trials of tuning without Optuna.
        ValueError: data that cannot be learned (one class, too few rows for the parts), unknown layers or topologies, a folder
            that another run is filling, jobs below 0.
        KeyboardInterrupt: Ctrl-C; what is finished has been written.

    >>> from graphattn.data.generated import xor
    >>> for graph in (graphs := xor() * 8):
    ...     graph.x = graph.token[:, None]
    >>> settings = Settings(repeats=1, epochs=1, width=8, hidden=8, depth=1, heads=2, controls=False)
    >>> found = compare(graphs, ["attention", "mlp"], ["edges"], settings=settings, console=Console(quiet=True))
    >>> sorted({record.fit.name for record in found.records})
    ['SVC', 'attention on edges', 'logistic regression', 'majority', 'mlp on none']
    """
    if jobs < 0:
        raise ValueError(f"expected jobs of 0 or more, got {jobs}")
    posed, given = problem(data, groups=groups, layers=layers), settings or Settings()
    if given.trials:
        library()  # an error before the first fit, not in each of them
    planned = plan(posed, layers, topologies, given)
    folder = None if out is None else _folder(Path(out))
    shown = console or Console(file=sys.stderr)
    runner = FitRunner(posed, given, None if folder is None else folder / JOURNALS)
    with nullcontext() if folder is None else files.alone(folder / LOCK, "comparison"):
        store = Store(None if folder is None else folder / RESULTS)
        if store.lines:
            store.lines.mend()
        try:
            _fill(store, planned, runner, jobs, shown)
        finally:
            # Also when it is stopped: of what is finished.
            found = [record for order in planned.orders if (record := store.find(order.fit)) is not None]
            notes, rule = _notes(planned, found), rule_of(posed, given.split)
            names = posed.smiles or () if posed.level == "graph" else ()
            compared = ComparisonResult(found, given, notes, store.damaged, command, rule, names, posed.classes)
            if folder is not None and found:
                compared.write(folder)
    return compared


def _notes(planned: ComparisonPlan, found: Sequence[FitRecord]) -> list[str]:
    """The protocol in words, with a note where fits are missing."""
    count = len(planned.orders)
    left = f"NOT FINISHED: {len(found)} of {count} fits are done; the same call goes on with the others."
    return [*planned.notes, *([left] if len(found) < count else [])]


def _fill(store: Store, planned: ComparisonPlan, runner: FitRunner, jobs: int, shown: Console) -> None:
    """All fits that the store does not know, each in it as soon as it has ended."""
    known = [record for order in planned.orders if (record := store.find(order.fit)) is not None]
    waiting = [order for order in planned.orders if store.find(order.fit) is None]
    log = store.lines.path.with_name(LOG) if store.lines else None
    with ProgressDisplay(planned.orders, known, jobs, shown, log) as progress:
        _open(progress, planned.notes, store, known)
        for event in run(runner, waiting, jobs):
            if event.record is not None:
                store.add(event.record)
            progress.see(event)


def _folder(out: Path) -> Path:
    if out.exists() and not out.is_dir():
        raise ValueError(f"expected a folder for results, got the file {out}")
    out.mkdir(parents=True, exist_ok=True)
    return out


def _open(progress: ProgressDisplay, notes: Sequence[str], store: Store, known: Sequence[FitRecord]) -> None:
    """Lines before the first fit: the protocol, damaged lines, fits that are known."""
    for note in notes:
        progress.print(note)
    if store.lines:
        for each in store.damaged:
            progress.print(
                f"line {each.number} of {store.lines.path} is damaged and was set aside in {store.lines.aside}: {each.reason}"
            )
        if known:
            progress.print(
                f"{len(known)} of {len(progress.orders)} fits are known from {store.lines.path} and are not repeated"
            )
