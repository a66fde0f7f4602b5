"""Training, validation and test parts of a comparison, the same for every layer.

Parts are of graphs, or of the nodes of a single graph: there all nodes exchange messages, but a label mask hides ``y`` outside
of each part.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphattn.comparison.problems.base import Problem
from graphattn.data.groups import together
from graphattn.data.splits import PARTS, SPLITS, Fractions, Split
from graphattn.data.wording import listed

GIVEN = "given"
_ATTEMPTS = 100


class Divided(NamedTuple):
    """Graphs of each part; of nodes of one graph, that graph three times, with the ``y`` of one part each."""

    train: list[Data]
    validation: list[Data]
    test: list[Data]


def rule_of(problem: Problem, split: str | None = None) -> str:
    """The rule that divides a problem, if not given: given parts, scaffolds of molecules, equal shares of classes, chance.

    Raises:
        ValueError: a rule that there is not, or that needs what the problem has not.
    """
    if split is None:
        stratified = problem.target != "regression" and (problem.level == "graph" or problem.transductive)
        free = "stratified" if stratified else "random"
        scaffolds = problem.smiles is not None and problem.groups is None
        return GIVEN if problem.splits else "scaffold_balanced" if scaffolds else free
    if split not in (*SPLITS, GIVEN):
        raise ValueError(f"expected the split to be {listed([*SPLITS, GIVEN], 'or')}, got {split!r}")
    if split == GIVEN and not problem.splits:
        raise ValueError(
            f"expected data that come with parts for the split 'given', got {problem.name}, which has none"
        )
    if split.startswith("scaffold") and problem.smiles is None:
        raise ValueError(f"expected molecules for the split {split!r}, got {problem.name}, which has no SMILES")
    if split.startswith("scaffold") and problem.groups is not None:
        raise ValueError(f"expected the split 'random' or 'stratified' for {problem.name} with groups, got {split!r}")
    if split == "stratified" and (problem.target == "regression" or not (_per_row(problem))):
        raise ValueError(f"expected one class for each row for the split 'stratified', got {problem.name}")
    return split


def parts(
    problem: Problem,
    split: str | None = None,
    repeats: int = 10,
    seed: int = 0,
    fractions: Fractions = (0.8, 0.1, 0.1),
) -> list[Split]:
    """Training, validation and test parts, ``repeats`` times over, or the given ones.

    Rows of one group (a scaffold, equal SMILES) stay together. A division with a part that cannot be scored, for it has one class
    or one value only, is drawn again; no score is looked at for that.

    Args:
        problem: what is divided.
        split: see :func:`rule_of`.
        repeats: how often.
        seed: of all of them.
        fractions: shares of the parts.

    Raises:
        ValueError: too few rows or groups for three parts that can be scored; as ``rule_of`` does.

    >>> from graphattn.data.generated import xor
    >>> found = parts(Problem("xor", xor() * 10, "binary", ("0", "1")), repeats=3)
    >>> [len(part) for part in found[0]]
    [32, 4, 4]
    """
    rule = rule_of(problem, split)
    if rule == GIVEN:
        given = list(problem.splits or ())
        for number, each in enumerate(given):
            _check(problem, each, f"the given part {number}")
            _check_groups(problem, each, number)
        # Networks answer for nodes in the order of the graph.
        return [Split(*map(np.sort, each)) for each in given] if problem.transductive else given
    seeds = [int(each.generate_state(1)[0]) for each in np.random.SeedSequence([seed, 6]).spawn(repeats)]
    return [_drawn(problem, rule, each, fractions) for each in seeds]


def _drawn(problem: Problem, rule: str, seed: int, fractions: Fractions) -> Split:
    keys, rows = _keys(problem)
    labels = problem.labels()[rows] if _per_row(problem) else None
    reason = ""
    for attempt in range(_ATTEMPTS):
        try:
            found = SPLITS[rule](keys, labels, fractions=fractions, seed=(seed + attempt) % 2**32)
        except ValueError as error:
            # Its words are of molecules.
            raise error if problem.smiles is not None else _too_few(problem, len(set(keys)), fractions) from None
        split = Split(*(rows[part] for part in found))
        try:
            _check(problem, split, f"the {rule} split")
        except ValueError as error:
            reason = str(error)
            if rule == "scaffold":
                break
        else:
            return split
    raise ValueError(f"{reason}; use more rows, other fractions than {fractions}, or another split")


def _too_few(problem: Problem, count: int, fractions: Fractions) -> ValueError:
    kinds = len(problem.classes)
    values = f" of {kinds} classes; continuous values need task='regression'" if 2 * kinds > count else ""
    return ValueError(
        f"expected rows for three parts in shares of {fractions}, got {count} rows or groups in {problem.name}{values}"
    )


def _per_row(problem: Problem) -> bool:
    return problem.level == "graph" or problem.transductive


def _keys(problem: Problem) -> tuple[list[str], NDArray[np.int64]]:
    """Keys of rows that stay together, and the rows with a label."""
    rows = np.arange(len(problem.graphs))
    if problem.transductive:
        rows = np.flatnonzero(label_mask(problem, problem.labels()))
        return [str(row) for row in rows], rows
    kept = [list(each) for each in (problem.smiles, problem.groups) if each is not None]
    return (together(*kept) if len(kept) == 2 else kept[0] if kept else [str(row) for row in rows]), rows


def label_mask(problem: Problem, labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each label is one: neither NaN nor the class -100."""
    return ~np.isnan(labels) & ((labels != -100) | (problem.target == "regression"))


def _check(problem: Problem, split: Split, what: str) -> None:
    """Check that every part can be scored.

    Raises:
        ValueError: one cannot.
    """
    for name, labels in zip(PARTS, part_labels(problem, split), strict=True):
        found = np.unique(labels)
        if len(found) < 2:
            one = f"the class {problem.classes[int(found[0])]!r}" if problem.classes and len(found) else "one value"
            only = f"{one} only" if len(found) else "no labels"
            raise ValueError(
                f"expected classes or values that differ in every part, but {what} leaves {only} in the {name} part"
            )


def _check_groups(problem: Problem, split: Split, number: int) -> None:
    """Check that given parts keep groups together.

    Raises:
        ValueError: graphs of one group are in two parts.
    """
    groups = problem.groups
    if groups is None:
        return
    part_of: dict[str, str] = {}
    for name, rows in zip(PARTS, split, strict=True):
        for group in (groups[int(row)] for row in rows):
            if part_of.setdefault(group, name) != name:
                raise ValueError(
                    f"expected graphs of one group in one part, got group {group!r} in the {part_of[group]} and the {name} part "
                    f"of the given split {number}; another split, such as 'random', keeps groups together"
                )


def part_labels(problem: Problem, split: Split) -> list[NDArray[np.float64]]:
    """Labels of each part, without those that are missing."""
    found = []
    for part in split:
        rows = [problem.labels()[part]] if _per_row(problem) else [_y(problem.graphs[row]) for row in part]
        labels = np.concatenate(rows) if rows else np.empty(0)
        found.append(labels[label_mask(problem, labels)])
    return found


def label_rows(problem: Problem, part: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in :meth:`Problem.labels` of the labels of a part: graphs, nodes, or all nodes of some graphs, in their order."""
    labels = problem.labels()
    if not _per_row(problem):
        counts = [graph["y"].numel() for graph in problem.graphs]
        ends = np.cumsum(counts).tolist()
        part = np.concatenate([np.arange(ends[row] - counts[row], ends[row]) for row in part.tolist()])
    return part[label_mask(problem, labels)[part]]


def _y(data: Data) -> NDArray[np.float64]:
    return data["y"].reshape(-1).double().numpy()


def divided(problem: Problem, split: Split) -> Divided:
    """The graphs of each part.

    >>> graph = Data(x=torch.rand(4, 1), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.tensor([0, 1, 0, 1]))
    >>> split = Split(np.array([0, 1]), np.array([2]), np.array([3]))
    >>> [data.y.tolist() for (data,) in divided(Problem("four nodes", [graph], "binary", ("a", "b"), "node"), split)]
    [[0, 1, -100, -100], [-100, -100, 0, -100], [-100, -100, -100, 1]]
    """
    if not problem.transductive:
        return Divided(*([problem.graphs[row] for row in part] for part in split))
    (graph,) = problem.graphs
    return Divided(*([_known(graph, part, problem.target == "regression")] for part in split))


def _known(graph: Data, rows: NDArray[np.int64], values: bool) -> Data:
    known = copy.copy(graph)
    hidden = torch.full_like(graph["y"], torch.nan if values else -100)
    index = torch.from_numpy(rows)
    hidden[index] = graph["y"][index]
    known["y"] = hidden
    return known


def relabelled(problem: Problem, split: Split, seed: int) -> Problem:
    """The same with the labels of all rows permuted, whatever their part: there is nothing to learn of them.

    Permuting the training part alone would not do: outputs of a network that learned nothing may still agree with a simple truth,
    or contradict it, so that no bound for chance would hold. Drawn again where a part gets one class only.
    """
    labels = problem.labels()
    places = np.flatnonzero(label_mask(problem, labels))
    generator, permuted = np.random.default_rng([seed, 999]), problem
    for _ in range(_ATTEMPTS):
        drawn = labels.copy()
        drawn[places] = labels[generator.permutation(places)]
        permuted = _with(problem, drawn)
        if all(len(np.unique(part)) > 1 for part in part_labels(permuted, split)):
            break
    return permuted


def _with(problem: Problem, labels: NDArray[np.float64]) -> Problem:
    graphs, first = list[Data](), 0
    for graph in problem.graphs:
        y, other = graph["y"], copy.copy(graph)
        other["y"] = torch.from_numpy(labels[first : first + y.numel()]).to(y.dtype).view_as(y)
        first += y.numel()
        graphs.append(other)
    return replace(problem, graphs=graphs)


def split_hash(split: Split) -> str:
    """Twelve digits, equal for equal parts alone.

    >>> zero, one, two = np.arange(3).reshape(3, 1)
    >>> split_hash(Split(zero, one, two)) == split_hash(Split(zero, two, one))
    False
    """
    found = hashlib.sha256()
    for part in split:
        found.update(len(part).to_bytes(8, "little"))
        found.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
    return found.hexdigest()[:12]


def data_hash(problem: Problem) -> str:
    """Twelve digits, equal for equal graphs, labels and SMILES alone."""
    found = hashlib.sha256(repr((problem.target, problem.classes, problem.level, problem.smiles)).encode())
    for graph in problem.graphs:
        for name, value in sorted(graph.to_dict().items()):
            found.update(name.encode())
            if isinstance(value, Tensor):
                found.update(repr((value.dtype, tuple(value.shape))).encode())
                found.update(value.detach().cpu().contiguous().numpy().tobytes())
            else:
                found.update(repr(value).encode())
    return found.hexdigest()[:12]
