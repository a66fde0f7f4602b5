"""What a problem refuses, and what it says of itself."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.comparison.problems.base import Problem
from graphattn.data.splits import Split

PAIR = torch.tensor([[0, 1], [1, 0]])


def graphs(*answers):
    return [Data(x=torch.rand(2, 3), edge_index=PAIR, y=torch.as_tensor(y).view(-1)) for y in answers]


def parts(*rows):
    return Split(*(np.array(part, dtype=np.int64) for part in rows))


BINARY = Problem("pairs", graphs(0, 1, 1, 0), "binary", ("no", "yes"))


@pytest.mark.parametrize(
    ("target", "outputs", "measure"), [("binary", 2, "ROC-AUC"), ("multiclass", 2, "accuracy"), ("regression", 1, "R2")]
)
def test_outputs_and_measure_are_those_of_the_target(target, outputs, measure):
    problem = replace(BINARY, target=target, classes=() if target == "regression" else BINARY.classes)
    assert (problem.outputs, problem.measure) == (outputs, measure)


def test_nodes_that_are_not_asked_count_for_nothing():
    classes = Problem("nodes", graphs([0, -100], [-100, 1]), "binary", ("a", "b"), "node")
    assert classes.labels().tolist() == [0, -100, -100, 1]
    assert classes.known_labels().tolist() == [0, 1]
    values = Problem("nodes", graphs([0.5, float("nan")], [-100.0, 1.0]), "regression", level="node")
    assert values.known_labels().tolist() == [0.5, -100, 1]


def test_parts_are_of_nodes_where_one_graph_is_all_there_is():
    one = Problem("nodes", graphs([0, 1]), "binary", ("a", "b"), "node")
    assert one.transductive
    assert not replace(one, graphs=graphs([0, 1], [1, 0])).transductive
    assert not BINARY.transductive
    chain = Data(x=torch.rand(3, 1), edge_index=PAIR, y=torch.tensor([0, 1, 1]))
    assert replace(one, graphs=[chain], splits=[parts([2], [1], [0])]).splits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graphs": []}, "expected graphs to learn from, got none in 'pairs'"),
        ({"groups": ["a"]}, "expected as many groups as graphs, got 1 for 4"),
        ({"smiles": ["C"] * 5}, "expected as many SMILES as graphs, got 5 for 4"),
        ({"graphs": graphs(0, [1, 1])}, "expected one y for each of 2 graphs, got 3"),
        ({"classes": ("no",)}, "expected two classes, got 1: no"),
        ({"classes": ("a", "b", "c")}, "expected two classes, got 3: a, b, c"),
        ({"target": "multiclass", "classes": ()}, "expected two classes or more, got 0: "),
        ({"target": "multiclass", "classes": ("a", "b", "c")}, "expected examples of every class, got none of c"),
        ({"graphs": graphs(0, 0)}, "expected examples of every class, got none of yes"),
        ({"graphs": graphs(0, 1, 3)}, "expected class numbers below 2, got 3"),
        ({"graphs": graphs(0.0, 0.5)}, "expected class numbers below 2, got 0.5"),
        (
            {"target": "regression"},
            "expected values that differ and no classes, got values 0, 1 and classes ('no', 'yes')",
        ),
        ({"target": "regression", "classes": (), "graphs": graphs(2.5, 2.5)}, "got values 2.5 and classes ()"),
        ({"splits": [parts([0], [1], [2, 4])]}, "of the given split 0 to share the numbers below 4, got 4"),
        (
            {"splits": [parts([0], [1], [2]), parts([0], [1], [-1])]},
            "of the given split 1 to share the numbers below 4, got -1",
        ),
        ({"splits": [parts([0, 3], [1], [3])]}, "to share the numbers below 4, got 3 twice"),
        ({"splits": [parts([0, 3], [], [1])]}, "to share the numbers below 4, got an empty part"),
    ],
)
def test_what_is_no_problem_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(BINARY, **change)
