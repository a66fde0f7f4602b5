"""Kernels and layers at a commit of before and as they are now, in turn."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import sides
from benchmarks.records import ROOT
from benchmarks.sides import Side
from graphattn import environment
from graphattn.bench.suite import ALLOCATORS, TUNED

BEFORE, AFTER = "before", "after"
BOUND = 1e-3
_TURN, _MOST = 0.05, 50
_SIDE = Path(__file__).with_name("before_after_side.py")

COLUMNS = (
    "case",
    "step",
    "allocator",
    "before, ms",
    "after, ms",
    "before / after",
    "of a round",
    "of the fastest",
    "other clock",
    "tensors, MiB",
    "resident, MiB",
)


@dataclass(frozen=True)
class Plan:
    """What is measured: `rounds` turns of each side; CPU milliseconds of one thread, or those on the clock of several.

    `shrink` divides sizes, 1 in earnest; `program` is what each side runs. Raises `ValueError` for no case, no round, no thread,
    and for an allocator that there is not.
    """

    cases: tuple[str, ...]
    label: str = ""
    rounds: int = 9
    threads: int = 1
    allocators: tuple[str, ...] = ALLOCATORS
    shrink: int = 1
    program: Path = _SIDE

    def __post_init__(self) -> None:
        for name in self.allocators:
            if name not in ALLOCATORS:
                raise ValueError(f"expected an allocator among {', '.join(ALLOCATORS)}, got {name!r}")
        if not self.cases:
            raise ValueError("expected cases, got none of such a name")
        if self.rounds < 1 or self.threads < 1:
            raise ValueError(f"expected a round and a thread or more, got {self.rounds} and {self.threads}")


@dataclass(frozen=True)
class Measured:
    """One side: the backend that computed it, milliseconds of each round on both clocks, and memory of a step.

    `rss_mib` is how much the resident memory of the process grew at its most, the least of three calls, since what an allocator
    keeps adds to it; `tensors_mib` is what tensors that the step made took at their most, equal in every run.
    """

    commit: str
    backend: str = ""
    cpu_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)
    rss_mib: float | None = None
    tensors_mib: float | None = None

    def ms(self, threads: int) -> list[float]:
        """Of the clock that is compared."""
        return self.cpu_ms if threads == 1 else self.wall_ms


@dataclass(frozen=True)
class Compared:
    """One step of both sides; `difference` is the largest of a norm, None where they have different tensors.

    Without times there is a reason in `left_out`.
    """

    label: str
    date: str
    case: str
    step: str
    sizes: str
    allocator: str
    threads: int
    before: Measured
    after: Measured
    difference: float | None = None
    left_out: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    load: float | None = None

    def cells(self) -> tuple[str, ...]:
        """A line of the table."""
        head = (self.case, self.step, self.allocator)
        if self.left_out:
            return (*head, f"left out: {self.left_out}", *[""] * (len(COLUMNS) - 4))
        before, after = (side.ms(self.threads) for side in (self.before, self.after))
        other = (side.wall_ms if self.threads == 1 else side.cpu_ms for side in (self.before, self.after))
        each = _ratios(before, after)
        return (
            *head,
            f"{median(before):.4g}",
            f"{median(after):.4g}",
            f"{median(each):.2f}",
            f"{min(each):.2f} to {max(each):.2f}",
            f"{min(before) / min(after):.2f}",
            f"{median(_ratios(*other)):.2f}",
            _arrow(self.before.tensors_mib, self.after.tensors_mib),
            _arrow(self.before.rss_mib, self.after.rss_mib),
        )


def measure(before: str, plan: Plan) -> Iterator[Compared]:
    """Each step of each case, as soon as it is measured. Raises `ValueError` for a commit that there is not."""
    commit = sides.full(before)
    trees = {BEFORE: sides.files_of(commit), AFTER: ROOT}
    for allocator in plan.allocators:
        around = sides.on_threads(plan.threads) | ({"GLIBC_TUNABLES": TUNED} if allocator == "tuned" else {})
        words = [str(plan.threads), str(plan.shrink)]
        with ExitStack() as stack:
            started = (sides.started(name, plan.program, words, tree, around) for name, tree in trees.items())
            pair = [stack.enter_context(each)[0] for each in started]
            for case in plan.cases:
                yield from _compared(pair, case, commit, allocator, plan)


def _compared(pair: Sequence[Side], case: str, commit: str, allocator: str, plan: Plan) -> Iterator[Compared]:
    around: dict[str, Any] = environment.surroundings()
    commits = {BEFORE: commit, AFTER: around.pop("commit")}
    head = {
        "label": plan.label,
        "date": environment.now(),
        "case": case,
        "allocator": allocator,
        "threads": plan.threads,
    }
    about = {side.name: side.ask(json.dumps({"case": case})) for side in pair}
    errors = [f"{name}: {each['error']}" for name, each in about.items() if "error" in each]
    if errors:
        none = {name: Measured(commits[name]) for name in about}
        yield Compared(**head, **around, **none, step="", sizes="", left_out="; ".join(errors))
        return
    for step, norms in about[AFTER]["norms"].items():
        found = {side.name: Measured(commits[side.name], about[side.name]["backend"]) for side in pair}
        apart = difference(about[BEFORE]["norms"][step], norms)
        given = {**head, **around, "step": step, "sizes": about[AFTER]["sizes"], "difference": apart}
        if apart is not None and not apart <= BOUND:
            yield Compared(**given, **found, left_out=f"results differ by {apart:.2g}")
            continue
        _time(pair, step, found, plan.rounds)
        memory = {side.name: side.ask(json.dumps({"step": step})) for side in pair}
        yield Compared(**given, **{name: Measured(**asdict(each) | memory[name]) for name, each in found.items()})


def _time(pair: Sequence[Side], step: str, found: dict[str, Measured], rounds: int) -> None:
    by_name = {side.name: side for side in pair}
    once = max(side.ask(json.dumps({"step": step, "calls": 1}))["wall"] for side in pair)
    asked = json.dumps({"step": step, "calls": min(_MOST, ceil(_TURN / once))})
    for name in sides.turns(list(by_name), rounds):
        spent = by_name[name].ask(asked)
        found[name].cpu_ms.append(1000 * spent["cpu"])
        found[name].wall_ms.append(1000 * spent["wall"])


def difference(before: Sequence[float], after: Sequence[float]) -> float | None:
    """The largest difference of two norms, as a share of the largest norm; None for different numbers of them.

    >>> difference([1.0, 4.0], [1.0, 3.0]), difference([1.0], [1.0, 2.0])
    (0.25, None)
    """
    if len(before) != len(after):
        return None
    return max(abs(then - now) for then, now in zip(before, after, strict=True)) / max(*before, 1e-30)


def line(found: Compared) -> str:
    """The record as one line of JSON, numbers to six digits."""
    return json.dumps(_short(asdict(found)), ensure_ascii=False)


def read(path: Path) -> list[Compared]:
    """The records of a file."""
    given = [json.loads(each) for each in path.read_text(encoding="utf-8").splitlines()]
    return [Compared(**each | {side: Measured(**each[side]) for side in (BEFORE, AFTER)}) for each in given]


def row(cells: Sequence[str]) -> str:
    """A line of markdown."""
    return f"| {' | '.join(cells)} |"


def where(found: Sequence[Compared]) -> str:
    """What was measured where, and which backends computed it."""
    last = found[-1]
    versions = ", ".join(f"{name} {version}" for name, version in last.versions.items())
    clock, other = ("CPU", "wall") if last.threads == 1 else ("wall", "CPU")
    backends = {f"{each.before.backend} -> {each.after.backend}": None for each in found if each.before.backend}
    loads = [each.load for each in found if each.load is not None]
    rounds = min((len(each.after.cpu_ms) for each in found if not each.left_out), default=0)
    return (
        f"Before is {last.before.commit}, after {last.after.commit}; {last.date[:10]}; {last.threads} threads; {last.machine}, "
        f"load {min(loads, default=0):.1f} to {max(loads, default=0):.1f}; {versions}. Medians of {rounds} rounds, in turn: "
        f"{clock} milliseconds, before / after in a round, and the same by {other} time. "
        f"MiB of a step at their most: tensors that it makes, and growth of resident memory. "
        f"Backends: {', '.join(backends)}."
    )


def _ratios(before: Sequence[float], after: Sequence[float]) -> list[float]:
    return [then / now for then, now in zip(before, after, strict=True)]


def _arrow(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f"{before:.4g} -> {after:.4g}"


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
