from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.comparison.problems.base import Problem
from graphattn.comparison.splitting import (
    data_hash,
    divided,
    part_labels,
    parts,
    relabelled,
    rule_of,
    split_hash,
)
from graphattn.data.splits import Split

EDGE = torch.tensor([[0, 1], [1, 0]])


def graph(y):
    return Data(x=torch.ones(2, 1), edge_index=EDGE, y=torch.tensor([y]))


def classes(count=40, **more):
    return Problem("classes", [graph(k % 2) for k in range(count)], "binary", ("no", "yes"), **more)


def values(count=40):
    return Problem("values", [graph(float(k)) for k in range(count)], "regression")


def nodes(count=40, target="binary"):
    y = torch.arange(count) % 2 if target == "binary" else torch.arange(float(count))
    y[:4] = -100 if target == "binary" else torch.nan
    data = Data(x=torch.ones(count, 1), edge_index=EDGE, y=y)
    return Problem("nodes", [data], target, ("no", "yes") if target == "binary" else (), "node")


MOLECULES = (
    ["C" * n for n in range(1, 11)] + ["C1CC1" + "C" * n for n in range(5)] + ["c1ccccc1" + "O" * n for n in range(5)]
)


def molecules():
    return classes(len(MOLECULES), smiles=MOLECULES)


def test_the_rule_follows_the_data():
    split = Split(np.array([0, 1]), np.array([2, 3]), np.array([4, 5]))
    assert rule_of(classes()) == "stratified"
    assert rule_of(values()) == "random"
    assert rule_of(molecules()) == "scaffold_balanced"
    assert rule_of(classes(splits=[split])) == "given"
    assert rule_of(nodes()) == "stratified"
    assert rule_of(Problem("n", nodes().graphs * 3, "binary", ("no", "yes"), "node")) == "random"
    assert rule_of(molecules(), "random") == "random"


@pytest.mark.parametrize(
    ("problem", "split", "words"),
    [
        (classes(), "half", r"expected the split to be .*'stratified'.* or 'given', got 'half'"),
        (classes(), "given", "expected data that come with parts for the split 'given', got classes"),
        (classes(), "scaffold", "expected molecules for the split 'scaffold', got classes, which has no SMILES"),
        (values(), "stratified", "expected one class for each row for the split 'stratified', got values"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(problem, split, words):
    with pytest.raises(ValueError, match=words):
        rule_of(problem, split)


@pytest.mark.parametrize("problem", [classes(), values(), molecules(), nodes(), nodes(target="regression")])
def test_parts_are_whole_apart_and_repeated_by_seed(problem):
    found = parts(problem, "random", repeats=3, seed=5, fractions=(0.6, 0.2, 0.2))
    rows = np.flatnonzero(~np.isnan(problem.labels()) & (problem.labels() != -100))
    for split in found:
        assert sorted(np.concatenate(split)) == rows.tolist()
    hashes = [split_hash(split) for split in found]
    assert len(set(hashes)) == 3
    more = parts(problem, "random", repeats=4, seed=5, fractions=(0.6, 0.2, 0.2))
    assert [split_hash(split) for split in more[:3]] == hashes
    other = parts(problem, "random", repeats=3, seed=6, fractions=(0.6, 0.2, 0.2))
    assert not {split_hash(split) for split in other} & set(hashes)


def test_classes_are_in_equal_shares():
    for split in parts(classes(), repeats=3):
        assert [part.mean() for part in part_labels(classes(), split)] == [0.5, 0.5, 0.5]


def test_scaffolds_stay_together():
    for split in parts(molecules(), repeats=3, fractions=(0.5, 0.25, 0.25)):
        for ring in (range(10, 15), range(15, 20)):
            assert sum(bool(set(ring) & set(part.tolist())) for part in split) == 1


def test_groups_stay_together():
    groups = [str(k // 4) for k in range(40)]
    for split in parts(classes(groups=groups), "random", repeats=3):
        assert all(len({int(row) // 4 for row in part}) * 4 == len(part) for part in split)


def test_groups_of_molecules_stay_together_and_so_do_equal_molecules():
    posed = molecules()
    count = len(posed.graphs)
    groups = [str(k % 7) for k in range(count)]
    grouped = replace(posed, groups=groups)
    assert rule_of(grouped) == "stratified"
    for rule in ("random", "stratified"):
        for split in parts(grouped, rule, repeats=3, fractions=(0.5, 0.25, 0.25)):
            found = [{groups[row] for row in part} for part in split]
            assert sum(map(len, found)) == 7
    with pytest.raises(
        ValueError, match=r"expected the split 'random' or 'stratified' for .* with groups, got 'scaffold'"
    ):
        rule_of(grouped, "scaffold")
    twins = replace(grouped, smiles=["C"] * count)
    with pytest.raises(ValueError, match="1 different molecule"):
        parts(twins, "random", repeats=1)


def test_given_parts_that_divide_a_group_are_refused():
    split = Split(np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 6]))
    groups = [f"patient {k}" for k in range(40)]
    assert len(parts(classes(splits=[split], groups=groups))) == 1
    groups[6] = "patient 1"
    with pytest.raises(
        ValueError, match="got group 'patient 1' in the training and the test part of the given split 0"
    ):
        parts(classes(splits=[split], groups=groups))


def test_given_parts_are_used():
    split = Split(np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 6]))
    found = parts(classes(splits=[split]), repeats=9)
    assert [split_hash(each) for each in found] == [split_hash(split)]
    bad = Split(np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 7]))
    with pytest.raises(ValueError, match="the given part 0 leaves the class 'yes' only in the test part"):
        parts(classes(splits=[bad]))


def test_given_nodes_are_in_the_order_of_the_graph_in_which_networks_answer():
    graph = Data(x=torch.rand(6, 1), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.tensor([0, 1, 0, 1, 0, 1]))
    split = Split(np.array([1, 0]), np.array([2, 3]), np.array([5, 4]))
    problem = Problem("six nodes", [graph], "binary", ("no", "yes"), "node", splits=[split])
    (found,) = parts(problem)
    assert [part.tolist() for part in found] == [[0, 1], [2, 3], [4, 5]]
    assert part_labels(problem, found)[2].tolist() == [0.0, 1.0]


def test_parts_that_cannot_be_scored_are_drawn_again():
    rare = Problem("rare", [graph(int(k < 9)) for k in range(60)], "binary", ("no", "yes"))
    for split in parts(rare, "random", repeats=5):
        assert all(len(np.unique(part)) == 2 for part in part_labels(rare, split))


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (classes(4), r"expected rows for three parts in shares of \(0.8, 0.1, 0.1\), got 4 rows or groups in classes"),
        (
            Problem("many", [graph(k) for k in range(40)], "multiclass", tuple(map(str, range(40)))),
            "got 40 rows or groups in many of 40 classes; continuous values need task='regression'",
        ),
        (values(10), "leaves one value only in the validation part; use more rows, other fractions than"),
        (Problem("p", [graph(k % 2) for k in range(2)], "binary", ("no", "yes")), "got 2 rows or groups in p"),
    ],
)
def test_too_few_rows_are_said(problem, words):
    with pytest.raises(ValueError, match=words):
        parts(problem, repeats=1)


def test_nodes_of_one_graph_are_known_in_their_part_alone():
    problem = nodes(target="regression")
    split = parts(problem, repeats=1)[0]
    for part, (data,) in zip(split, divided(problem, split), strict=True):
        assert (~data.y.isnan()).nonzero().flatten().tolist() == part.tolist()
        assert torch.equal(data.y[part], problem.graphs[0].y[part])
        assert data.x is problem.graphs[0].x
    assert problem.graphs[0].y.isnan().sum() == 4


def test_graphs_of_a_part_are_its_graphs():
    split = parts(classes(), repeats=1)[0]
    found = divided(classes(), split)
    assert [len(part) for part in found] == [32, 4, 4]
    assert [int(data.y) for data in found.test] == [int(row) % 2 for row in split.test]


@pytest.mark.parametrize("problem", [classes(), values(), nodes(), nodes(target="regression")])
def test_permuted_labels_are_the_same_labels_elsewhere(problem):
    split = parts(problem, repeats=1)[0]
    permuted, again, other = (relabelled(problem, split, seed) for seed in (1, 1, 2))
    before, after = problem.labels(), permuted.labels()
    np.testing.assert_array_equal(np.sort(before), np.sort(after))
    assert not np.array_equal(before, after, equal_nan=True)
    np.testing.assert_array_equal(after, again.labels())
    assert not np.array_equal(after, other.labels(), equal_nan=True)
    unasked = np.isnan(before) | (before == -100)
    np.testing.assert_array_equal(np.isnan(after) | (after == -100), unasked)
    assert permuted.graphs[0].y.dtype == problem.graphs[0].y.dtype
    assert all(len(np.unique(part)) > 1 for part in part_labels(permuted, split))
    np.testing.assert_array_equal(problem.labels(), before)


def test_hashes_tell_data_apart():
    first = data_hash(classes())
    assert first == data_hash(classes())
    assert first != data_hash(classes(38))
    assert first != data_hash(classes(smiles=["C"] * 40))
    changed = classes()
    changed.graphs[3].x = torch.zeros(2, 1)
    assert data_hash(changed) != first
    split = Split(np.array([0, 1]), np.array([2]), np.array([3]))
    assert split_hash(split) != split_hash(Split(np.array([0]), np.array([1, 2]), np.array([3])))
