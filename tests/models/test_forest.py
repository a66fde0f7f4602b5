from itertools import count

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.models.forest import SHAPES, Forest, forest_of

ROWS = torch.tensor([[0.0, 1.0], [0.5, 1.0], [0.6, -1.0], [9.0, 9.0]])


def stumps() -> dict[str, torch.Tensor]:
    """Two trees for one output: the first compares column 0 and then 1, the second is a leaf."""
    return {
        "children_": torch.tensor([[1, 2], [-1, -1], [3, 4], [-1, -1], [-1, -1], [-1, -1]]).int(),
        "feature": torch.tensor([0, -1, 1, -1, -1, -1]).short(),
        "threshold": torch.tensor([0.5, 0, 0, 0, 0, 0]),
        "value": torch.tensor([[0], [0], [0], [0.5], [1], [0.25]]).double(),
        "start": torch.tensor([0, 5]),
        "column": torch.tensor([0, 0]),
    }


def changed(**arrays: object) -> Forest:
    return forest_of(
        {**stumps(), **{name: torch.as_tensor(array) for name, array in arrays.items()}}, 2, "probabilities"
    )


def test_a_row_goes_left_up_to_the_threshold():
    forest = changed()
    assert (forest.trees, forest.outputs) == (2, 1)
    assert forest.leaves(ROWS).tolist() == [[1, 5], [1, 5], [3, 5], [4, 5]]
    assert forest.predict(ROWS)[:, 0].tolist() == [0.125, 0.125, 0.375, 0.625]


def test_logits_are_those_of_the_probabilities():
    batch = Data(table=ROWS)
    assert torch.allclose(changed()(batch).sigmoid(), changed().predict(ROWS), rtol=0, atol=1e-15)
    assert torch.equal(forest_of(stumps(), 2, "values")(batch), changed().predict(ROWS))
    three = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 0, 0], [0.5, 0.25, 0.25], [0, 1, 0], [1, 0, 0]]).double()
    classes = forest_of(stumps() | {"value": three}, 2, "classes")
    assert torch.allclose(classes(batch).softmax(1), classes.predict(ROWS), rtol=0, atol=1e-15)
    assert classes.predict(ROWS)[2].tolist() == [0.75, 0.125, 0.125]


def test_outputs_have_trees_of_their_own():
    forest = changed(column=[0, 1])
    assert forest.predict(ROWS).tolist() == [[0.0, 0.25], [0.0, 0.25], [0.5, 0.25], [1.0, 0.25]]


def test_a_row_alone_is_predicted_as_among_others(monkeypatch):
    together = changed().predict(ROWS)
    assert torch.equal(torch.cat([changed().predict(row[None]) for row in ROWS]), together)
    monkeypatch.setattr("graphattn.models.forest._LEAVES", 5)
    assert torch.equal(changed().predict(ROWS), together)
    assert changed().predict(ROWS[:0]).shape == (0, 1)


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected a table of 2 columns, got \[4, 1\]"):
        changed().predict(ROWS[:, :1])
    with pytest.raises(ValueError, match="expected molecules with a table of fingerprints and descriptors, got none"):
        changed()(Data(x=ROWS))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"start": torch.tensor([0, 5]).int()}, r"start of a forest as torch.int64 of 1 dimension, not empty; got .*32 \[2\]"),
        ({"value": torch.zeros(6).double()}, r"value of a forest as torch.float64 of 2 dimensions, not empty; got"),
        ({"value": torch.zeros(6, 0).double()}, r"got torch.float64 \[6, 0\]"),
        ({"threshold": torch.zeros(5)}, r"expected children, thresholds and values of 6 nodes, got \[6, 5, 6\]"),
        ({"children_": torch.zeros(6, 3).int()}, r"of 6 nodes, got \[6, 6, 6\]"),
        ({"column": [0]}, "expected an output of each of 2 trees, got 1"),
        ({"start": [1, 5]}, "expected trees of a forest that start in ascending order from 0 to 5"),
        ({"start": [0, 0]}, "start in ascending order from 0 to 5"),
        ({"start": [0, 6]}, "start in ascending order from 0 to 5"),
        ({"start": [0, 2**63 - 1]}, "start in ascending order from 0 to 5"),
        ({"feature": torch.tensor([2, -1, 1, -1, -1, -1]).short()}, "features of a forest from 0 to 1, or -1, got -1 to 2"),
        ({"feature": torch.tensor([0, -1, 1, -1, -1, -2]).short()}, "or -1, got -2 to 1"),
        ({"feature": torch.tensor([0, 0, 1, -1, -1, -1]).short()}, "in a forest behind their parents and in the same tree"),
        ({"children_": torch.tensor([[1, 0], [-1, -1], [3, 4], [-1, -1], [-1, -1], [-1, -1]]).int()}, "behind their parents"),
        ({"children_": torch.tensor([[1, 2], [-1, -1], [3, 5], [-1, -1], [-1, -1], [-1, -1]]).int()}, "in the same tree"),
        ({"children_": torch.tensor([[1, 2], [-1, -1], [3, 9], [-1, -1], [-1, -1], [-1, -1]]).int()}, "in the same tree"),
        ({"threshold": torch.tensor([0.5, 0, float("nan"), 0, 0, 0])}, "expected finite thresholds in a forest"),
        ({"value": torch.tensor([[0], [0], [0], [float("inf")], [1], [1]]).double()}, "expected finite numbers in the leaves"),
        ({"value": torch.tensor([[0], [0], [0], [-0.5], [1], [1]]).double()}, "expected probabilities from 0 to 1 in the leaves"),
        ({"value": torch.tensor([[0], [0], [0], [0.5], [2], [1]]).double()}, "expected probabilities from 0 to 1 in the leaves"),
        ({"column": [0, 2]}, "expected trees of a forest in the order of their outputs, 1 for each, without a gap"),
        ({"column": [1, 1]}, "in the order of their outputs"),
        ({"column": [0, -1]}, "in the order of their outputs"),
        ({"leaf": [0]}, "expected the arrays children_, feature, .*, column of a forest, got .*, leaf, start"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_forest_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        changed(**arrays)


def test_answers_that_are_none_are_refused():
    with pytest.raises(
        ValueError, match="expected answers of a forest as one of values, probabilities, classes, got 'votes'"
    ):
        forest_of(stumps(), 2, "votes")
    with pytest.raises(ValueError, match="expected probabilities that add up to 1 in the leaves of a forest"):
        forest_of(stumps(), 2, "classes")


def large(generator: np.random.Generator) -> dict[str, torch.Tensor]:
    """Forty random trees of a few nodes each."""
    children, feature, start = [], [], [0]
    for _ in range(40):
        first, nodes, free = start[-1], [(-1, -1)], count(1)
        for node in range(int(generator.integers(1, 8))):
            nodes[node] = (first + next(free), first + next(free))
            nodes += [(-1, -1)] * 2
        children += nodes
        start.append(len(children))
    children = torch.tensor(children).int()
    feature = torch.where(children[:, 0] < 0, -1, torch.from_numpy(generator.integers(0, 2, len(children)))).short()
    return {
        "children_": children,
        "feature": feature,
        "threshold": torch.from_numpy(generator.normal(size=len(children))).float(),
        "value": torch.from_numpy(generator.random((len(children), 1))),
        "start": torch.tensor(start[:-1]),
        "column": torch.zeros(40, dtype=torch.int64),
    }


def test_arrays_changed_at_random_are_refused_or_predict_numbers():
    generator = np.random.default_rng(0)
    good, rows, refused = large(generator), torch.from_numpy(generator.normal(size=(50, 2))).float(), 0
    assert forest_of(good, 2, "probabilities").predict(rows).isfinite().all()
    for _ in range(200):
        name = str(generator.choice(list(SHAPES)))
        raw = bytearray(good[name].numpy().tobytes())
        for at in generator.integers(0, len(raw), 3):
            raw[at] = int(generator.integers(0, 256))
        array = torch.frombuffer(raw, dtype=good[name].dtype).reshape(good[name].shape)
        try:
            forest = forest_of(good | {name: array}, 2, "probabilities")
        except ValueError:
            refused += 1
            continue
        found = forest.predict(rows)
        assert found.shape == (50, 1)
        assert bool(((found >= 0) & (found <= 1)).all())
    assert 80 < refused < 200
