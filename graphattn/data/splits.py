"""Training, validation and test parts of a list of molecules.

Every rule keeps rows with equal SMILES in one part, so hand in canonical SMILES (``Molecules.smiles`` holds them).
The rule decides the score: a scaffold split is harder than a random one. Name it beside every figure.

Four rules share one signature, ``rule(smiles, labels, *, fractions, seed) -> Split``, and are listed in ``SPLITS``;
``from_column`` takes the parts from the data instead.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit.Chem.Scaffolds import MurckoScaffold
from sklearn.model_selection import StratifiedGroupKFold

from graphattn.data.molecules.smiles import rdkit_molecule

Fractions = tuple[float, float, float]
_HELD_OUT = 0.1
_FEWEST_TO_HOLD_OUT = 20
_FEWEST_GROUPS = 5
PARTS = ("training", "validation", "test")
PART_WORDS = {
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("validation", "valid", "val", "dev"), 1),
    **dict.fromkeys(("test", "testing", "holdout"), 2),
}


class Split(NamedTuple):
    """Positions of the rows of each part, ascending (int64)."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


class SplitRule(Protocol):
    """The signature that the rules in ``SPLITS`` share; a rule ignores what it does not need."""

    def __call__(
        self, smiles: Sequence[str], labels: ArrayLike | None = None, *, fractions: Fractions = ..., seed: int = ...
    ) -> Split: ...


def random(
    smiles: Sequence[str], labels: ArrayLike | None = None, *, fractions: Fractions = (0.8, 0.1, 0.1), seed: int = 0
) -> Split:
    """Molecules in random order, cut by ``fractions``; ``labels`` are not looked at.

    Raises:
        ValueError: ``fractions`` are not three shares of 1, or a part that should get molecules gets none.

    >>> split = random(["C", "CC", "CCC", "CCCC", "CO", "CN", "CF", "CCl", "CBr", "C"], seed=1)
    >>> [len(part) for part in split]
    [8, 1, 1]
    """
    groups = _group(smiles)
    order = np.random.default_rng(seed).permutation(len(groups))
    return _fill([groups[i] for i in order], fractions, "random")


def stratified(
    smiles: Sequence[str], labels: ArrayLike | None = None, *, fractions: Fractions = (0.8, 0.1, 0.1), seed: int = 0
) -> Split:
    """Random, with the shares of the classes alike in all parts; a class of three molecules or more is in each part.

    ``labels`` holds one class per molecule. Molecules with equal SMILES count with the first one's class.

    Raises:
        ValueError: another number of labels than of molecules; as :func:`random`.

    >>> split = stratified([f"{'C' * n}" for n in range(1, 21)], [0, 1] * 10)
    >>> [len(part) for part in split]
    [16, 2, 2]
    """
    classes = np.asarray(labels)
    classes = classes[:, 0] if classes.ndim == 2 and classes.shape[1] == 1 else classes
    if classes.shape != (len(smiles),):
        raise ValueError(
            f"a stratified split needs one class per molecule: {len(smiles)} molecules, labels of shape {classes.shape}"
        )
    groups = _group(smiles)
    group_class = np.unique(classes[[group[0] for group in groups]], return_inverse=True)[1]
    generator = np.random.default_rng(seed)
    shares = _checked(fractions)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for value in range(group_class.max(initial=-1) + 1):
        members = generator.permutation(np.flatnonzero(group_class == value))
        least = int(len(members) >= 3)
        validation, test = (max(least, round(share * len(members))) if share else 0 for share in shares[1:])
        for part, chosen in zip(
            parts, np.split(members, [len(members) - validation - test, len(members) - test]), strict=True
        ):
            part.extend(row for i in chosen for row in groups[i])
    return _split(parts, shares, "stratified", len(groups))


def scaffold(
    smiles: Sequence[str], labels: ArrayLike | None = None, *, fractions: Fractions = (0.8, 0.1, 0.1), seed: int = 0
) -> Split:
    """Molecules of one Bemis-Murcko scaffold stay together; the largest scaffolds go to training.

    Deterministic: ``seed`` and ``labels`` are not looked at. Raises as ``random`` and ``scaffold_key`` do.

    >>> split = scaffold(["c1ccccc1C", "c1ccccc1O", "C1CCCCC1", "C1CCCC1"], fractions=(0.5, 0.25, 0.25))
    >>> split.train.tolist()
    [0, 1]
    """
    groups = sorted(_group([scaffold_key(text) for text in smiles]), key=lambda group: (-len(group), group[0]))
    return _fill(groups, fractions, "scaffold")


def scaffold_balanced(
    smiles: Sequence[str], labels: ArrayLike | None = None, *, fractions: Fractions = (0.8, 0.1, 0.1), seed: int = 0
) -> Split:
    """Molecules of one Bemis-Murcko scaffold stay together; scaffolds are dealt in an order shuffled by ``seed``.

    Scaffolds with more molecules than half the validation or the test part go to training first, the largest before
    the others, so that no single scaffold makes up a held-out part. Raises as ``random`` and ``scaffold_key`` do.

    >>> split = scaffold_balanced(["C1CCCC1" + "C" * n for n in range(8)] + ["c1ccccc1", "C1CCC1"], seed=3)
    >>> [len(part) for part in split], max(split.train.tolist())
    ([8, 1, 1], 7)
    """
    groups = _group([scaffold_key(text) for text in smiles])
    order = np.random.default_rng(seed).permutation(len(groups))
    shuffled = [groups[i] for i in order]
    held_out = [share for share in _checked(fractions)[1:] if share]
    limit = min(held_out, default=0.0) * len(smiles) / 2
    big = sorted((group for group in shuffled if len(group) > limit), key=len, reverse=True)
    small = [group for group in shuffled if len(group) <= limit]
    return _fill(big + small, fractions, "scaffold_balanced")


SPLITS: dict[str, SplitRule] = {
    "random": random,
    "stratified": stratified,
    "scaffold": scaffold,
    "scaffold_balanced": scaffold_balanced,
}


def hold_out(
    keys: Sequence[str], classes: NDArray[np.int64] | None, seed: int, grouped: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to train on and to validate on, a tenth; samples with equal keys stay together. Of very few all do both.

    >>> [len(part) for part in hold_out([str(number) for number in range(40)], None, seed=0)]
    [36, 4]
    """
    everything = np.arange(len(keys))
    if few(keys, grouped):
        return everything, everything
    fractions = (1 - _HELD_OUT, _HELD_OUT, 0.0)
    # Classes of one or two samples each have none to spare.
    alike = classes is not None and max(Counter(dict(zip(keys, classes.tolist(), strict=True)).values()).values()) > 2
    rule = stratified if alike else random
    parts = rule(keys, classes, fractions=fractions, seed=seed)
    return parts.train, parts.validation


def few(keys: Sequence[str], grouped: bool) -> bool:
    """Whether there are too few samples, or groups, to do without a tenth of them."""
    different = len(set(keys))
    return len(keys) < _FEWEST_TO_HOLD_OUT or different < (_FEWEST_GROUPS if grouped else _FEWEST_TO_HOLD_OUT)


def folds(
    groups: Sequence[str], number: int, seed: int | None, classes: NDArray[np.int64] | None = None
) -> list[NDArray[np.int64]]:
    """Positions of each of ``number`` folds of about one size; equal ``groups`` stay in one fold.

    Args:
        groups: one of each sample.
        number: of folds.
        seed: of the order of groups; None keeps theirs.
        classes: one of each sample, whose shares are then alike in all folds.

    Raises:
        ValueError: fewer than two folds, or fewer groups than folds.

    >>> [fold.tolist() for fold in folds(["a", "a", "b", "c"], 3, None)]
    [[0, 1], [2], [3]]
    """
    if not 2 <= number <= len(set(groups)):
        raise ValueError(f"expected from 2 folds up to {len(set(groups)):,}, the number of groups, got {number}")
    classes = np.zeros(len(groups), np.int64) if classes is None else classes
    rule = StratifiedGroupKFold(number, shuffle=seed is not None, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        return [test for _, test in rule.split(classes, classes, np.asarray(groups))]


def from_column(values: Iterable[object]) -> Split:
    """The parts that a column of the data names: train, validation (valid, val, dev) and test, in any case.

    A part that the column does not name is empty.

    Raises:
        ValueError: any other word, or no row for training.

    >>> from_column(["train", "Test", "train"]).test.tolist()
    [1]
    """
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for position, value in enumerate(values):
        part = PART_WORDS.get(str(value).strip().lower())
        if part is None:
            raise ValueError(f"the split column says {value!r} in row {position}; expected train, validation or test")
        parts[part].append(position)
    if not parts[0]:
        raise ValueError(
            f"the split column has {len(parts[1])} validation and {len(parts[2])} test rows, but no 'train'"
        )
    return Split(*(np.array(part, dtype=np.int64) for part in parts))


def scaffold_key(smiles: str) -> str:
    """The Bemis-Murcko scaffold (rings and the chains between them) as SMILES without stereo.

    Molecules without a ring share the empty scaffold ``""``: a scaffold split keeps all of them in one part.

    Raises:
        ValueError: SMILES that RDKit cannot read.

    >>> scaffold_key("CC(=O)Oc1ccccc1C(=O)O"), scaffold_key("CCO")
    ('c1ccccc1', '')
    """
    molecule = rdkit_molecule(smiles)
    if molecule is None:
        raise ValueError(f"RDKit cannot read SMILES {smiles!r}, so it has no scaffold")
    return MurckoScaffold.MurckoScaffoldSmiles(mol=molecule, includeChirality=False)


def _group(keys: Sequence[str]) -> list[list[int]]:
    """Positions with equal keys, groups in order of first appearance."""
    groups: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def _checked(fractions: Fractions) -> Fractions:
    if not (len(fractions) == 3 and min(fractions) >= 0 and fractions[0] > 0 and abs(sum(fractions) - 1) < 1e-6):
        raise ValueError(f"fractions are three shares (training, validation, test) that add up to 1; got {fractions}")
    return fractions


def _fill(groups: list[list[int]], fractions: Fractions, rule: str) -> Split:
    """Each group goes to the first part that has room for all of it, else to the first empty part, else to the last."""
    shares = _checked(fractions)
    total = sum(map(len, groups))
    last = max(part for part in range(3) if shares[part])
    validation = max(1, round(shares[1] * total)) if shares[1] else 0
    rooms = [min(round(shares[0] * total), total - validation - (shares[2] > 0)), validation]
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for group in groups:
        fitting = [part for part in range(last) if len(parts[part]) + len(group) <= rooms[part]]
        empty = [part for part in range(last) if shares[part] and not parts[part]]
        parts[next(iter(fitting + empty), last)].extend(group)
    return _split(parts, shares, rule, len(groups))


def _split(parts: Sequence[list[int]], fractions: Fractions, rule: str, groups: int) -> Split:
    for name, part, share in zip(PARTS, parts, fractions, strict=True):
        if share and not part:
            kind = ("scaffold" if rule.startswith("scaffold") else "different molecule") + "s" * (groups != 1)
            raise ValueError(
                f"the {rule} split leaves the {name} part empty: {sum(map(len, parts))} rows with {groups} {kind}; "
                f"use more molecules or another split ({', '.join(SPLITS)})"
            )
    return Split(*(np.array(sorted(part), dtype=np.int64) for part in parts))
