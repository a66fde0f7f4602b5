import csv
import io

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem
from rich.console import Console

from graphattn.data.molecules.chemistry import Chemistry
from graphattn.data.molecules.prepare import Rejected, collect, report, summary, write_rejected
from graphattn.data.molecules.table import MoleculeTable, read_table
from graphattn.data.tasks import Task, guess_task

BINARY = Task("binary", ("y",), ("0", "1"))


def table_of(smiles, split=None, faults=None, **targets):
    frame = pd.DataFrame({"smiles": smiles, **targets, **({"split": split} if split else {})})
    line = np.arange(len(smiles)) + 2
    return MoleculeTable(frame, line, "smiles", tuple(targets), "split" if split else None, (), faults or {})


def reasons(molecules):
    return {one.line: one.reason for one in molecules.rejected}


def test_every_kind_of_bad_row_is_named_and_no_label_shifts(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(
        "num,name,p_np,smiles\n"
        "1,good,1,CCO\n"
        '2,"two\nlines",0,C1CC\n'
        "3,empty,1,  \n"
        "4,unlabelled,,CC\n"
        "5,unknown label,maybe,CCC\n"
        "6,too, many,1,C\n"
        "7,one way,1,c1ccccc1\n"
        "8,the other,0,C1=CC=CC=C1\n"
        "9,good,0,[Na+].[Cl-]\n"
        "10,good again,1,OCC\n"
    )
    table = read_table(path, targets="p_np")
    molecules = collect(table, Task("binary", ("p_np",), ("0", "1")))
    assert molecules.smiles == ["CCO", "[Cl-].[Na+]", "CCO"]
    assert [graph.y.tolist() for graph in molecules.graphs] == [[[1.0]], [[0.0]], [[1.0]]]
    assert molecules.row.tolist() == [0, 8, 9] == [graph.row for graph in molecules.graphs]
    assert [graph.line for graph in molecules.graphs] == [2, 11, 12]
    assert [Chem.MolToSmiles(molecule) for molecule in molecules.mols] == molecules.smiles
    assert molecules.rejected == [
        Rejected(3, "unreadable SMILES: ring 1 is not closed", "C1CC", 1),
        Rejected(5, "empty SMILES", "  ", 2),
        Rejected(6, "no label", "CC", 3),
        Rejected(7, "unusable label: 'maybe' of p_np is none of the classes 0, 1", "CCC", 4),
        Rejected(8, "too many cells: 5 where the header has 4", "1", 5),
        Rejected(9, "contradictory labels: p_np is 0 on line 10 and 1 on line 9", "c1ccccc1", 6),
        Rejected(10, "contradictory labels: p_np is 0 on line 10 and 1 on line 9", "C1=CC=CC=C1", 7),
    ]


def test_without_a_task_labels_do_not_matter():
    molecules = collect(table_of(["C", "C", "CC", "x"], y=["1", "0", "", "1"]))
    assert molecules.row.tolist() == [0, 1, 2]
    assert molecules.task is None
    assert molecules.graphs[0].y is None
    assert reasons(molecules) == {5: "unreadable SMILES: not SMILES syntax"}


def test_contradictions_can_be_kept():
    molecules = collect(table_of(["C", "C"], y=["1", "0"]), BINARY, conflicts="keep")
    assert [graph.y.item() for graph in molecules.graphs] == [1, 0]


def test_rows_that_agree_are_kept():
    assert collect(table_of(["OCC", "CCO", "C(O)C"], y=["1", "1.0", "1"]), BINARY).row.tolist() == [0, 1, 2]


def test_a_row_without_label_contradicts_nobody():
    assert collect(table_of(["C", "C"], y=["1", ""]), BINARY).row.tolist() == [0]


def test_measured_values_may_differ():
    task = Task("regression", ("y",))
    assert collect(table_of(["C", "C"], y=["1.5", "2.5"]), task).row.tolist() == [0, 1]


def test_three_rows_of_one_molecule_go_together():
    molecules = collect(
        table_of(["C", "C", "CC", "C"], y=["a", "a", "b", "c"]), Task("multiclass", ("y",), ("a", "b", "c"))
    )
    assert molecules.row.tolist() == [2]
    assert set(reasons(molecules).values()) == {"contradictory labels: y is a on line 2 and c on line 5"}


def test_stereo_isomers_do_not_contradict_each_other():
    assert len(collect(table_of(["C[C@H](N)O", "C[C@@H](N)O"], y=["1", "0"]), BINARY).graphs) == 2


def test_what_is_left_of_salts_may_contradict():
    table = table_of(["CCN", "CCN.Cl", "C"], y=["1", "0", "1"])
    assert len(collect(table, BINARY).graphs) == 3
    assert collect(table, BINARY, chemistry=Chemistry(largest_fragment=True)).smiles == ["C"]


def test_only_rows_of_one_part_contradict():
    table = table_of(["C", "C", "CC", "CC"], split=["train", "test", "train", "train"], y=["1", "0", "1", "0"])
    assert collect(table, BINARY).row.tolist() == [0, 1]


def test_several_targets_contradict_in_one_and_are_masked_where_missing():
    task = Task("multilabel", ("p", "q"), ("0", "1"))
    molecules = collect(table_of(["C", "C", "O", "O"], p=["1", "1", "1", ""], q=["0", "1", "", "0"]), task)
    np.testing.assert_array_equal(
        np.concatenate([graph.y for graph in molecules.graphs]), np.array([[1, np.nan], [np.nan, 0]], np.float32)
    )
    assert reasons(molecules)[2] == "contradictory labels: q is 0 on line 2 and 1 on line 3"


def test_explicit_hydrogens_reach_the_graphs():
    assert collect(table_of(["C"]), chemistry=Chemistry(explicit_hydrogens=True)).graphs[0].num_nodes == 5


def test_the_broken_row_comes_before_its_other_faults():
    molecules = collect(table_of(["x", "C"], faults={0: "too many cells: 3"}, y=["", "1"]), BINARY)
    assert reasons(molecules) == {2: "too many cells: 3"}


def test_rdkit_stays_silent(capfd):
    collect(table_of(["C1CC", "CN(C)(C)C", "[H+]"]))
    assert capfd.readouterr() == ("", "")


def test_no_row_that_can_be_used():
    with pytest.raises(
        ValueError,
        match=r"none of the 3 rows can be used: 2 unreadable SMILES, 1 empty SMILES; the first is 'x' on line 2 \(unread",
    ):
        collect(table_of(["x", "", "y"]))


def test_summary_counts_kinds():
    rejected = [Rejected(2, "no label", "C", 0), Rejected(3, "a: b", "C", 1), Rejected(4, "a: c", "C", 2)]
    assert summary(rejected) == "2 a, 1 no label"
    assert summary([]) == ""


def printed(table):
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()


def test_report_shows_brackets_and_the_number_of_the_rest():
    rejected = [Rejected(1000 + n, "unreadable SMILES: [bold]", "[Na+]C[/red]", n) for n in range(5)]
    text = printed(report(rejected, most=2))
    assert "5 rows set aside: 5 unreadable SMILES" in text
    assert text.count("[Na+]C[/red]") == 2
    assert text.count("unreadable SMILES: [bold]") == 2
    assert "1,000" in text
    assert "and 3 more" in text
    assert "more" not in printed(report(rejected, most=5))


def test_rejected_rows_are_written(tmp_path):
    path = tmp_path / "rejected.csv"
    write_rejected([Rejected(3, "a, b", 'C"1', 1)], path)
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["line", "reason", "smiles"], ["3", "a, b", 'C"1']]


def test_a_table_of_a_guessed_task():
    table = table_of(["C", "CC", "CCC", "CCCC"], y=["no", "yes", "no", "yes"])
    molecules = collect(table, guess_task(table.targets)[0])
    assert [graph.y.item() for graph in molecules.graphs] == [0, 1, 0, 1]
