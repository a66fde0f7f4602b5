"""Names, files and problems as problems."""

import re

import pytest
import torch
from torch_geometric.data import Data

from graphattn.comparison.problems import NAMES, problem
from graphattn.data.generated import digit_images, sparse_and

ROWS = "smiles,label\nCCO,yes\nCCN,no\nC1CC,no\nCCC,yes\nc1ccccc1,no\nCO,\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text(ROWS)
    return path


def test_a_file_of_molecules(table):
    found = problem(table)
    assert (found.name, found.target, found.classes) == ("small", "binary", ("no", "yes"))
    assert found.labels().tolist() == [1, 0, 1, 0]
    assert list(found.smiles) == ["CCO", "CCN", "CCC", "c1ccccc1"]
    assert found.groups is None
    assert found.splits is None
    assert sorted(found.graphs[0].keys()) == ["distance", "edge_attr", "edge_index", "x", "y"]
    assert found.graphs[0].y.dtype == torch.long
    assert found.notes[-1] == (
        "2 of 6 rows were set aside (1 unreadable SMILES, 1 no label): "
        "line 4: unreadable SMILES: ring 1 is not closed; line 7: no label"
    )


def test_columns_of_a_file_may_be_named(tmp_path):
    path = tmp_path / "two.tsv"
    rows = "".join(f"{'C' * n}\t{n / 4}\t{n % 2}\tCO\n" for n in range(1, 9))
    path.write_text("structure\tvalue\tclass\tother\n" + rows)
    values = problem(str(path), target="value", smiles="structure")
    assert values.target == "regression"
    assert values.labels().tolist() == [n / 4 for n in range(1, 9)]
    assert values.graphs[0].y.dtype == torch.float32
    assert problem(path, target="class", smiles="structure").classes == ("0", "1")


def test_a_column_of_parts_gives_the_split(tmp_path):
    path = tmp_path / "parts.csv"
    parts = ["train"] * 10 + ["test"] * 2
    rows = "".join(f"{'C' * (n + 1)}O,{n % 2},{part}\n" for n, part in enumerate(parts))
    path.write_text("smiles,label,split\nC1CC,0,test\n" + rows)
    found = problem(path)
    train, validation, test = found.splits[0]
    assert sorted([*train, *validation]) == list(range(10))
    assert len(validation) == 1
    assert test.tolist() == [10, 11]
    assert "drawn by seed 0" in found.notes[-1]


def test_many_bad_rows_are_counted(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(ROWS + "C1CC,no\n" * 30)
    assert re.search(r"32 of 36 rows.*line 25: .*; and 12 more$", problem(path).notes[-1])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("smiles,label\nC,1\nCC,1\n", "one class only: '1' in all 2 labelled rows"),
        ("smiles,a,b\nC,1,0\nCC,0,1\nCCC,0,0\nCO,1,1\n", "expected one target to compare layers on, got 2"),
        ("smiles,label\nC1CC,1\nC1C,0\nC1,0\nC2,1\n", "none of the 4 rows can be used"),
    ],
)
def test_files_that_pose_no_problem_are_refused(tmp_path, rows, message):
    path = tmp_path / "none.csv"
    path.write_text(rows)
    with pytest.raises(ValueError, match=re.escape(message)):
        problem(path)


def test_embedded_molecules():
    found = problem("solubility", count=60)
    assert (found.target, len(found.graphs), len(found.smiles)) == ("multiclass", 60, 60)
    assert sorted(row for part in found.splits[0] for row in part) == list(range(60))
    assert problem("solubility", count=60).smiles == found.smiles != problem("solubility", count=60, seed=1).smiles


def test_digits_are_patches_and_their_neighbours():
    found = problem("digits")
    images, labels = digit_images()
    assert (found.target, found.classes) == ("multiclass", tuple("0123456789"))
    assert found.labels().tolist() == labels.tolist()
    first = found.graphs[0]
    assert first.x.shape == (16, 4)
    assert first.pos.tolist()[:5] == [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]]
    torch.testing.assert_close(first.x[1], images[0, 0, :2, 2:4].flatten())
    assert first.edge_index.shape == (2, 84)
    assert len(problem("digits", count=50).graphs) == 50


def test_sparse_and_tells_bits_and_places():
    found = problem("sparse_and", count=40, seed=3)
    for graph, data in zip(found.graphs, sparse_and(40, bits=80, seed=3), strict=True):
        assert graph.x[:, 0].tolist() == data.token.tolist()
        assert graph.x[:, 1].tolist() == list(range(80))
        assert graph.y.tolist() == data.y.tolist()


@pytest.mark.parametrize("name", ["sparse_and", "motif", "distant", "shuffled_edges"])
def test_data_made_by_rule_are_so_many_of_a_seed(name):
    found, again, other = problem(name, count=20), problem(name, count=20), problem(name, count=20, seed=1)
    assert (found.name, found.target, len(found.graphs), len(found.notes)) == (name, "binary", 20, 1)
    assert len(problem(name).graphs) == (400 if name == "sparse_and" else 1000)
    assert torch.equal(found.graphs[7].x, again.graphs[7].x)
    assert any(
        a.x.shape != b.x.shape or not torch.equal(a.x, b.x) for a, b in zip(found.graphs, other.graphs, strict=True)
    )


def test_a_problem_is_left_as_it_is(table):
    found = problem(table)
    assert problem(found) is found
    fewer = problem(found, groups=["a", "b", "c", "d"], count=3, seed=5)
    assert (len(fewer.graphs), len(fewer.smiles), len(fewer.groups)) == (3, 3, 3)
    assert fewer.notes[-1] == "3 of 4 graphs, drawn by seed 5"


def test_a_file_goes_before_a_name(tmp_path, monkeypatch):
    (tmp_path / "motif").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    assert problem("motif").smiles


def test_what_is_not_there_is_said_with_what_is():
    with pytest.raises(
        FileNotFoundError, match=r"no file motifs.*bbb, solubility.*made by rule: digits, sparse_and, motif"
    ):
        problem("motifs")
    assert set(NAMES) == {"bbb", "solubility", "digits", "sparse_and", "motif", "distant", "shuffled_edges"}


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (5, {}, TypeError, "expected a name, a file, PyG graphs or a Problem, got int"),
        ("motif", {"target": "label"}, ValueError, "'motif' has one target and no columns; got target='label'"),
        ("bbb", {"target": 1}, ValueError, "expected a target by name, such as 'label', for 'bbb', got 1"),
        (
            [Data()],
            {"target": "y"},
            ValueError,
            "expected a target by number and no smiles for PyG graphs, got target='y'",
        ),
        ("motif", {"count": 0}, ValueError, "expected a count of 1 or more, got 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(data, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        problem(data, **options)


def test_groups_are_a_column_of_a_file(tmp_path):
    path = tmp_path / "batches.csv"
    path.write_text("smiles,label,batch\nCCO,yes,a\nC1CC,no,b\nCCN,no, b \nCCC,yes,a\nCC,no,b\n")
    found = problem(path, target="label", groups="batch")
    assert found.groups == ["a", "b", "a", "b"]
    assert found.notes[-1] == "what is of one group stays in one part: 2 groups of 4 graphs"
    with pytest.raises(ValueError, match=r"batches\.csv .*'patient'"):
        problem(path, target="label", groups="patient")
    path.write_text("smiles,label,batch\nCCO,yes,a\nCCN,no,\nCCC,yes,b\nCC,no,b\n")
    with pytest.raises(ValueError, match="expected a group in column 'batch' of each row, got none in line 3"):
        problem(path, target="label", groups="batch")


def test_groups_are_an_attribute_of_graphs_or_a_label_of_each():
    graphs = [Data(x=torch.rand(2, 1), patient=f"p{k // 2}", y=torch.tensor([k % 2])) for k in range(6)]
    broken = [*graphs, Data(x=torch.zeros(0, 1), patient="p9", y=torch.tensor([0]))]
    for groups in ("patient", [f"p{k // 2}" for k in range(6)] + ["p9"]):
        found = problem(broken, groups=groups)
        assert found.groups == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert problem(found, groups=list("abcdef")).groups == list("abcdef")


@pytest.mark.parametrize(
    ("data", "groups", "message"),
    [
        ("motif", "patient", "'motif' has one target and no columns; got .*groups='patient'"),
        ("bbb", ["a"], "expected groups as the name of a column of 'bbb', got list"),
        ([Data(num_nodes=1, y=torch.tensor([k])) for k in (0, 1)], ["a"], "got 1 groups for 2 graphs"),
        ([Data(num_nodes=1, y=torch.tensor([k])) for k in (0, 1)], "patient", "got none at position 0"),
        (Data(num_nodes=4, y=torch.tensor([0, 1, 0, 1])), ["a"], "got one graph, graphs, whose nodes are divided"),
    ],
)
def test_groups_that_do_not_fit_are_refused(data, groups, message):
    with pytest.raises(ValueError, match=message):
        problem(data, groups=groups)


def test_a_problem_has_no_columns(table):
    with pytest.raises(
        ValueError, match="expected a group for each graph of the problem 'small', got the name 'batch'"
    ):
        problem(problem(table), groups="batch")
