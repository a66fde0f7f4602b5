import io
import re

import pandas as pd
import pytest
from rich.console import Console

from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import checked, collect, report, write_rejected
from graphattn.data.molecules.several import with_files
from graphattn.data.tasks import guess_task


@pytest.fixture
def files(tmp_path):
    """Training, validation and test rows; an unreadable SMILES in line 3 of each; the test file in another order and case."""
    rows = {"train": ["CCO", "C1CC", "CCN"], "valid": ["CCCl", "C1CC", "CCF"], "test": ["CCO", "C1CC", "c1ccccc1"]}
    paths = []
    for name, smiles in rows.items():
        frame = pd.DataFrame({"smiles": smiles, "y": [1, 0, 0], "w": [1, 2, 3], "note": name})
        if name == "test":
            frame = frame[["w", "note", "y", "smiles"]].rename(columns={"smiles": "SMILES"})
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        paths.append(str(tmp_path / f"{name}.csv"))
    return paths


def opened(files, **options):
    return with_files(open_table(files[0], targets=["y"], **options), *files)


def test_rows_of_several_files_are_one_table_that_knows_where_they_are_from(files):
    table = opened(files, weight="w")
    assert table.smiles == ["CCO", "C1CC", "CCN", "CCCl", "C1CC", "CCF", "CCO", "C1CC", "c1ccccc1"]
    assert table.file.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert table.weights == [1, 2, 3] * 3
    assert table.where(8) == f"line 4 of {files[2]}"
    assert table.part(range(5, 9)).where(2) == f"line 3 of {files[2]}"
    assert table.frame["note"].tolist() == ["train"] * 3 + [""] * 6


def test_rejected_rows_are_named_with_their_file(files, tmp_path):
    table = opened(files)
    found = collect(table, guess_task(table.targets)[0])
    assert [each.where for each in found.rejected] == [f"line 3 of {name}" for name in files]
    write_rejected(found.rejected, tmp_path / "rejected.csv")
    written = pd.read_csv(tmp_path / "rejected.csv")
    assert written["file"].tolist() == files
    assert written["line"].tolist() == [3, 3, 3]
    console = Console(width=400, file=io.StringIO())
    console.print(report(found.rejected))
    assert "test.csv" in console.file.getvalue()


def test_one_molecule_may_have_other_labels_in_another_file_but_not_in_its_own(files):
    pd.DataFrame({"smiles": ["CCO", "CCBr", "CCBr"], "y": [0, 0, 1]}).to_csv(files[2], index=False)
    table = opened(files)
    found = collect(table, guess_task(table.targets)[0])
    assert [(each.where, each.reason) for each in found.rejected if "contradictory" in each.reason] == [
        (f"line {line} of {files[2]}", "contradictory labels: y is 0 on line 3 and 1 on line 4") for line in (3, 4)
    ]
    assert found.smiles.count("CCO") == 2


def test_a_file_without_a_column_of_the_training_file_is_refused(files):
    pd.DataFrame({"smiles": ["C"], "z": [1]}).to_csv(files[1], index=False)
    with pytest.raises(ValueError, match=re.escape(f"{files[1]} has no column 'y'; it has 'smiles' and 'z'")):
        opened(files)


def test_a_file_is_given_once(files):
    with pytest.raises(ValueError, match=r"expected different files for training, validation and testing, got .*, "):
        with_files(open_table(files[0], targets=["y"]), files[0], None, files[0])


@pytest.mark.parametrize(("words", "count"), [(["train", "valid", "valid"], 2), (["train", "train", "test"], 1)])
def test_a_column_of_parts_that_says_what_a_file_says_is_refused(files, words, count):
    frame = pd.read_csv(files[0]).assign(split=words)
    frame.to_csv(files[0], index=False)
    part, name = ("validation", files[1]) if "valid" in words else ("test", files[2])
    expected = f"column 'split' of {files[0]} has {count} {part} rows, and {name} is given for them: name a rule with"
    with pytest.raises(ValueError, match=re.escape(expected)):
        opened(files)
    assert len(opened(files, split=()).frame) == 9


def test_a_column_of_folds_does_not_go_with_files(files):
    pd.read_csv(files[0]).assign(fold=[0, 1, 2]).to_csv(files[0], index=False)
    expected = f"column 'fold' of {files[0]} divides all its rows, and other files are given"
    with pytest.raises(ValueError, match=re.escape(expected)):
        opened(files)


def test_no_row_that_can_be_used_is_named_with_its_file(files):
    for name in files:
        pd.DataFrame({"smiles": ["C1CC"], "y": [1], "w": [1]}).to_csv(name, index=False)
    with pytest.raises(ValueError, match=re.escape(f"the first is 'C1CC' on line 2 of {files[0]}")):
        checked(opened(files))
