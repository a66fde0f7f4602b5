"""Files of the kinds that chemists keep, each read to the right rows and reasons."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from graphattn.data import columns, reading
from graphattn.data.delimited import rows_of
from graphattn.data.labels import flaw_of
from graphattn.data.molecules import languages, prepare
from graphattn.data.molecules.chemistry import read
from graphattn.data.molecules.prepare import checked, collect
from graphattn.data.molecules.table import read_table
from graphattn.data.reading import read_records
from graphattn.data.tasks import guess_task
from graphattn.data.writing import write_csv

CASES = Path(__file__).parent / "cases"


def molecules_of(path, **columns):
    return collect(read_table(path, targets=(), **columns))


def reasons(molecules):
    return {one.line: one.reason for one in molecules.rejected}


def test_a_cell_that_is_empty_is_a_row_where_there_is_one_column(tmp_path):
    for name in ("onecol_nan.csv", "one_column_empty_cell.csv"):
        found = molecules_of(CASES / name)
        assert (found.row.tolist(), reasons(found)) == ([0, 2, 3], {3: "empty SMILES"})
    blank = tmp_path / "blank.csv"
    blank.write_text("smiles\nCCO\n\n \nCCN\n\n")
    assert reasons(molecules_of(blank)) == {3: "empty SMILES", 4: "empty SMILES"}


def test_lines_of_smiles_need_no_header(tmp_path):
    table = read_table(CASES / "headerless_first_single_atom.smi", targets=())
    assert table.frame.to_dict("list") == {
        "smiles": ["C", "CCO", "c1ccccc1"],
        "name": ["methane", "ethanol", "benzene"],
    }
    assert table.line.tolist() == [1, 2, 3]
    assert "the first line is a molecule: columns are called smiles, name" in table.notes
    named = tmp_path / "named.smi"
    named.write_text("smiles\tid\nC\t1\n")
    assert read_table(named, targets=()).smiles == ["C"]


def test_white_space_separates_lines_of_smiles(tmp_path):
    def read_lines(text, suffix="smi", **columns):
        path = tmp_path / f"spaces.{suffix}"
        path.write_text(text)
        return read_table(path, **columns)

    for suffix in ("smi", "smiles", "ism"):
        table = read_lines("CCO ethanol 1\nC |&1:1,r|  1,2-thing 0\n\nCCN\nCCC propane\u00e9 1\n", suffix)
        assert table.frame.to_dict("list") == {
            "smiles": ["CCO", "C |&1:1,r|", "CCN", "CCC"],
            "name": ["ethanol", "1,2-thing", "", "propane\u00e9"],
            "column 3": ["1", "0", "", "1"],
        }
        assert (table.target_columns, table.line.tolist()) == (("column 3",), [1, 2, 4, 5])
        assert table.notes[:2] == (
            "white space separates the cells",
            "the first line is a molecule: columns are called smiles, name, column 3",
        )
    blanks = read_lines("C |&1:1,r| methane\nCC(=O)O acetic acid\n", targets=())
    assert blanks.frame.to_numpy().tolist() == [["C |&1:1,r|", "methane"], ["CC(=O)O", "acetic acid"]]
    assert "lines differ in their number of words: all that is behind the SMILES is the name" in blanks.notes
    for header in ("smiles name y", "#smiles name y"):
        named = read_lines(f"{header}\nC |$a b$| methane 1.5\nCC(=O)O acetic acid 2\nCCN x 3\n")
        assert named.frame.iloc[0].tolist() == ["C |$a b$|", "methane", "1.5"]
        assert (named.target_columns, named.faults) == (("y",), {1: "too many cells: 4 where the header has 3"})
    last = read_lines("y smiles name\n1 C methane\n2 CC(=O)O acetic acid\n")
    assert last.frame["name"].tolist() == ["methane", "acetic acid"]
    assert read_lines("smiles\nCCO ethanol\nCCN x y\n", targets=()).smiles == ["CCO ethanol", "CCN x y"]
    assert read_lines("smiles,y\nC |&1:1,r|,1\nCCO,0\n").frame["y"].tolist() == ["1", "0"]
    assert read_lines("smiles\ty\nC |&1:1,r|\t1\nCCO\t0\n").smiles == ["C |&1:1,r|", "CCO"]


def test_one_bad_atom_costs_one_row():
    found = molecules_of(CASES / "one_bad_atom.csv")
    assert found.row.tolist() == [0, 2]
    assert re.match(r"unreadable SMILES: .*Atomic number", reasons(found)[3])


def test_a_character_that_is_no_part_of_a_smiles_costs_one_row(tmp_path):
    path = tmp_path / "characters.csv"
    path.write_text(
        'smiles,id\n\ufeffCCO\u00a0,1\nCC\u041e,2\n"CCO\nCCN",3\nCCN |$;;\u00e9$| \u00e9,4\n', encoding="utf-8"
    )
    found = molecules_of(path)
    assert found.row.tolist() == [0, 3]
    assert reasons(found) == {
        3: "unreadable SMILES: character '\u041e' at position 3",
        4: "unreadable SMILES: character '\\n' at position 4",
    }


def test_a_cell_that_is_too_long_costs_one_row(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f'smiles,note\nCCO,1\nCCN,{"x" * 131_073}\nCCC,"two\nlines"\n')
    found = molecules_of(path)
    assert found.row.tolist() == [0, 2]
    assert reasons(found) == {3: "a cell of 131,073 characters, more than 131,072"}
    assert found.rejected[0].text == "CCN"


def test_a_chain_of_too_many_atoms_costs_one_row(tmp_path):
    path = tmp_path / "chain.csv"
    path.write_text(f"smiles,id\nCCO,1\n{'C' * 20_000},2\nCCN,3\n")
    assert reasons(molecules_of(path)) == {3: "too large a molecule: 20,000 atoms, more than 1,000 (--max-atoms)"}


def test_a_csv_with_dollars_is_no_sdf(tmp_path):
    table = read_table(CASES / "dollars.csv", targets=())
    assert table.frame["price"].tolist() == ["$$", "$$$$", "$"]
    assert len(read_records(CASES / "dollars_fuzz.csv").cells) == 30
    text = tmp_path / "prices.txt"
    text.write_bytes((CASES / "dollars.csv").read_bytes())
    assert read_table(text, targets=()).smiles == ["CCO", "CCN", "CCC"]


def test_empty_records_are_rows():
    with pytest.raises(ValueError, match=r"none of the 2 rows can be used: 2 unreadable mol block; .* record 1, empty"):
        molecules_of(CASES / "empty_records.sdf")


def test_a_library_that_fails_on_a_record_costs_that_record(monkeypatch, tmp_path):
    def fails(text, sanitize=True):
        raise RuntimeError("Pre-condition Violation\n\tno such atom\n\tline 5")

    monkeypatch.setattr("graphattn.data.molecules.sdf.Chem.MolFromMolBlock", fails)
    path = tmp_path / "one.sdf"
    path.write_text("a\n$$$$\n")
    why = "unreadable mol block: record 1, RuntimeError: Pre-condition Violation: no such atom"
    assert read_records(path).faults == {0: why}


def test_a_small_file_cannot_fill_the_memory(tmp_path, monkeypatch):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"smiles\n" + b"C\n" * 2_000_000))
    assert len(read_records(path).cells) == 2_000_000
    monkeypatch.setattr(reading, "_LARGEST_UNPACKED", 2**20)
    with pytest.raises(ValueError, match="unpacks to more than 1 MiB and 100 times its size, which no table does"):
        read_records(path)


def test_parts_of_a_gzip_file_are_joined(tmp_path):
    path = tmp_path / "two.csv.gz"
    path.write_bytes(gzip.compress(b"smiles\nC\n") + gzip.compress(b"CC\n"))
    assert read_table(path, targets=()).smiles == ["C", "CC"]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("sepline.csv", "the first line says that cells are separated by ';'"),
        ("comment.csv", "1 line of comments (#) before the column names passed over"),
        ("cx_unq.csv", "commas inside the CXSMILES of 40 rows do not separate cells"),
        (
            "rtable.csv",
            "the column names are one fewer than the cells of each row, as R writes: the first are row names",
        ),
    ],
)
def test_what_stands_before_or_in_the_header_is_understood_and_said(name, note):
    table = read_table(CASES / name, targets="label")
    assert note in table.notes
    found = collect(table)
    lines = (CASES / name).read_text().splitlines()
    assert len(found.graphs) == len([line for line in lines if not line.startswith(("#", "sep=", "smiles", '"smiles'))])
    assert all(
        lines[line - 1].replace('"', "").find(text) >= 0 for line, text in zip(table.line, table.smiles, strict=True)
    )


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("# smiles,y\nCCO,1\nC,0\n", ["smiles", "y"]),
        ("#,smiles,y\n1,CCO,1\n2,C,0\n", ["#", "smiles", "y"]),
        ("# made by hand, in 2024\n# smiles,y\nCCO,1\n", ["smiles", "y"]),
        ("# smiles\nsmiles,y\nCCO,1\n", ["smiles", "y"]),
        ('"sep=;"\nsmiles;y\nCCO;1\n', ["smiles", "y"]),
    ],
)
def test_a_header_may_begin_with_a_hash(tmp_path, text, columns):
    path = tmp_path / "hash.csv"
    path.write_text(text)
    table = read_table(path, targets=())
    assert list(table.frame.columns) == columns
    assert table.smiles[0] == "CCO"


def test_comments_alone_are_no_table(tmp_path):
    path = tmp_path / "comments.csv"
    path.write_text("# nothing\n# here\n")
    with pytest.raises(ValueError, match="has nothing but comments: expected column names and rows"):
        read_records(path)


def test_a_molecule_in_place_of_a_name_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("C,methane\nCCO,ethanol\n")
    with pytest.raises(ValueError, match=r"begins with data \('C'\) instead of column names"):
        read_table(path)


def test_rows_with_a_molecule_first_do_not_lack_a_name(tmp_path):
    path = tmp_path / "commas.csv"
    path.write_text("smiles,y\nCCO,1,2\nCCN,1,2\n")
    assert set(read_table(path, targets=()).faults.values()) == {"too many cells: 3 where the header has 2"}


def task_of(name, target, **options):
    return guess_task(read_table(CASES / name, targets=target, split=()).targets, **options)


@pytest.mark.parametrize(
    ("name", "target", "kind", "classes"),
    [
        ("miss_none.csv", "label", "binary", ("0", "1")),
        ("miss_pdna.csv", "label", "binary", ("0", "1")),
        ("codes.csv", "cluster", "multiclass", ("11", "1_1", "1_2")),
        ("ec.csv", "ec", "multiclass", ("1.1", "1.10", "1.2")),
        ("zeros.csv", "cls", "multiclass", ("01", "02", "03")),
        ("qual_coarse.csv", "IC50_uM", "regression", ()),
        ("pos_AI.csv", "label", "binary", ("I", "A")),
        ("pos_binder.csv", "label", "binary", ("decoy", "binder")),
        ("pos_janein.csv", "label", "binary", ("nein", "ja")),
        ("pos_nonb2.csv", "label", "binary", ("non binder", "binder")),
    ],
)
def test_labels_mean_what_a_chemist_means(name, target, kind, classes):
    task, _ = task_of(name, target)
    assert (task.kind, task.classes) == (kind, classes)
    labels, faulty = task.encode(read_table(CASES / name, targets=target).frame)
    cells = read_table(CASES / name, targets=target).frame[target].tolist()
    for row, cell in enumerate(cells):
        if classes and row not in dict(faulty):
            assert classes[int(labels[row, 0])] == cell
    unusable = {cells[row] for row, _ in faulty}
    assert unusable == {"miss_none.csv": {"None"}, "miss_pdna.csv": {"<NA>"}, "qual_coarse.csv": {">10"}}.get(
        name, set()
    )


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        (
            "A_NA.csv",
            "label",
            "one class only: 'A' in all 26 labelled rows; 14 cells say 'NA', which is read as missing",
        ),
        (
            "deccomma.csv",
            "logS",
            "has numbers with a decimal comma, such as '-4,59': 60 of 60 labels are no plain numbers",
        ),
        ("deccomma_coarse.csv", "logS", "has numbers with a decimal comma, such as '-4,5': 60 of 60 labels"),
        ("units.csv", "value", "has numbers with a unit, such as '6.5 uM': 40 of 40 labels are no plain numbers"),
    ],
)
def test_labels_that_are_no_task_name_the_cell(name, target, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        task_of(name, target)
    if name == "deccomma_coarse.csv":
        assert "-4,5" in task_of(name, target, kind="multiclass")[0].classes


def test_an_unusable_cell_of_several_targets_is_a_gap():
    names = ["pIC50_a", "pIC50_b"]
    task, _ = task_of("mtreg.csv", names)
    frame = read_table(CASES / "mtreg.csv", targets=names).targets
    labels, faulty = task.encode(frame)
    assert (task.kind, faulty) == ("regression", [])
    assert np.isnan(labels[:, 1]).tolist() == frame["pIC50_b"].eq(">10").tolist()
    (gap,) = task.gaps(frame)
    assert gap.endswith(
        "cells of 'pIC50_b' are gaps, for they cannot be used: the first, '>10', is not a number (a qualifier)"
    )
    with pytest.raises(ValueError, match=r"the target may be 'pIC50_a' or 'pIC50_b'; name it"):
        read_table(CASES / "mtreg.csv")


@pytest.mark.parametrize("cell", ["-", "?", "n.d.", "#VALUE!"])
def test_cells_that_look_like_no_label_are_named(cell):
    frame = pd.DataFrame({"y": ["0", "1", "0", "1", cell]})
    task, sentence = guess_task(frame)
    assert task.classes == ("0", "1")
    assert sentence.endswith(f"; 1 cell says {cell!r}, which looks like no label and cannot be used")
    why = f"unusable label: {cell!r} of y looks like a missing value; leave such cells empty"
    assert task.encode(frame)[1] == [(4, why)]


def test_a_minus_beside_a_plus_is_a_class():
    assert guess_task(pd.DataFrame({"y": ["+", "-", "+", "-"]}))[0].classes == ("-", "+")


@pytest.mark.parametrize("cell", ["\u22124.5", "1,234.5", "5.1 \u00b1 0.2", "~5", "12 %"])
def test_other_writings_of_numbers_are_named(cell):
    assert flaw_of(cell)
    with pytest.raises(ValueError, match="such as"):
        guess_task(pd.DataFrame({"y": [cell] * 3 + ["1"]}))


def test_atom_mapped_twins_are_one_molecule():
    table = read_table(CASES / "mapped.csv", targets="label")
    found = collect(table, guess_task(table.targets)[0], conflicts="keep")
    assert found.smiles[::2] == found.smiles[1::2]
    with pytest.raises(ValueError, match="none of the 120 rows can be used: 120 contradictory labels"):
        collect(table, guess_task(table.targets)[0])


def test_stereo_twins_are_one_molecule_when_asked(tmp_path):
    path = tmp_path / "twins.csv"
    path.write_text("smiles,y\nC[C@H](F)Cl,1\nC[C@@H](F)Cl,0\n[2H]C,1\nC,0\n")
    table = read_table(path)
    task = guess_task(table.targets)[0]
    assert len(collect(table, task).graphs) == 4
    flat = collect(table, task, flat=True)
    assert flat.row.tolist() == [2, 3]
    assert collect(table, None, flat=True).keys[0] == "CC(F)Cl"


def test_a_repeated_header_is_no_class_and_no_part(tmp_path):
    path = tmp_path / "joined.csv"
    path.write_text("smiles,y,split\nCCO,1,train\nC1CC,2,train\nSMILES, y,split\nCCN,0,test\nCCC,1,train\nCC,0,train\n")
    table = checked(read_table(path))
    assert table.faults == {1: "unreadable SMILES: ring 1 is not closed", 2: "repeated header"}
    task, sentence = guess_task(table.targets)
    assert sentence == "target 'y' is binary: 1 (2, positive) and 0 (2)"
    found = collect(table, task)
    assert (found.row.tolist(), reasons(found)) == ([0, 3, 4, 5], {3: table.faults[1], 4: "repeated header"})
    assert table.split_column == "split"
    spaces = tmp_path / "one.csv"
    spaces.write_text("smiles\nCCO\nsmiles\n")
    assert reasons(molecules_of(spaces)) == {3: "repeated header"}
    path.write_text("smiles,y\nC1CC,1\nCC(,0\n")
    with pytest.raises(
        ValueError, match="none of the 2 rows can be used: 2 unreadable SMILES; the first is 'C1CC' on line 2"
    ):
        checked(read_table(path))


def test_what_is_no_smiles_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(languages, "reads_selfies", lambda: False)
    monkeypatch.setattr(columns, "reads_selfies", lambda: False)
    lacking = (
        "SELFIES, not SMILES, and selfies, which converts them, is not installed: pip install 'graphattn[selfies]'"
    )
    found = read(["InChI=1S/CH4/h1H4", "InChI=1S/x", "CCO>>CC", "CC |x", "[C][C][O]", "C[N]->[Pt]", "[C]"])
    assert [Chem.MolToSmiles(molecule) for molecule in found.molecules] == ["C", "C[N]->[Pt]", "[C]"]
    assert [problem.reason for problem in found.problems.values()] == [
        "unreadable SMILES: InChI that RDKit cannot convert",
        "unreadable SMILES: a reaction, not a molecule",
        "unreadable SMILES: its CXSMILES extension '|x' is not valid",
        f"unreadable SMILES: {lacking}",
    ]
    with pytest.raises(ValueError, match=re.escape(f"column 'selfies' holds {lacking}")):
        read_table(CASES / "selfies.csv", targets=())
    path = tmp_path / "inchi.csv"
    path.write_text("inchi,y\nInChI=1S/CH4/h1H4,1\nInChI=1S/H2O/h1H2,0\n")
    assert read_table(path).smiles_column == "inchi"


def test_selfies_are_converted_where_their_library_is_installed():
    pytest.importorskip("selfies", reason="needs pip install 'graphattn[selfies]'")
    found = read(["[C][C][=Branch1][C][=O][O]", "[C][c][=Branch1]"])
    assert [Chem.MolToSmiles(molecule) for molecule in found.molecules] == ["CC(=O)O"]
    assert found.problems[1].reason == "unreadable SMILES: SELFIES that selfies cannot convert: [c] is no symbol of it"
    table = read_table(CASES / "selfies.csv", targets=())
    assert table.smiles_column == "selfies"
    assert Chem.MolToSmiles(read(table.smiles).molecules[0]) == "CCO"


def test_an_identifier_is_no_target():
    with pytest.raises(ValueError, match=r"has no column of targets: 'mol_id' names the rows, each by another label"):
        read_table(CASES / "idonly.csv")


def test_a_given_split_that_cannot_be_used_names_the_word():
    with pytest.raises(
        ValueError, match=r"'split' should say which part each row is for, but says 'train_val' in line 3"
    ):
        read_table(CASES / "tdc_split.csv", targets="Y")
    assert read_table(CASES / "tdc_split.csv", targets="Y", split=()).split_column is None


def test_the_column_of_training_is_taken_where_it_is_there():
    table = read_table(CASES / "twosmiles.csv", targets=(), trained="std_smiles")
    assert (table.smiles_column, table.notes) == ("std_smiles", ("SMILES are in column 'std_smiles', as in training",))
    assert (
        read_table(CASES / "twosmiles.csv", targets=(), smiles="smiles", trained="std_smiles").smiles_column == "smiles"
    )
    other = read_table(CASES / "sepline.csv", targets=(), trained="std_smiles")
    assert other.notes[-1].endswith("though the model was trained on column 'std_smiles', which is not there")


WORKING = {"chembl.csv": "pChEMBL Value", "pubchem.csv": "PUBCHEM_ACTIVITY_OUTCOME", "dups.csv": "label"}


@pytest.mark.parametrize(("name", "target"), WORKING.items())
def test_files_that_have_always_been_read_still_are(name, target):
    table = read_table(CASES / name, targets=target)
    found = collect(table)
    assert len(found.graphs) + len(found.rejected) == len(table.frame)
    assert {"chembl.csv": 40, "pubchem.csv": 43, "dups.csv": 47}[name] == len(table.frame)


def test_bad_rows_among_good_ones_keep_their_lines():
    table = read_table(CASES / "shuf.csv", targets=())
    found = collect(table)
    assert [table.frame["n"][one.row] for one in found.rejected] == [str(one.line - 2) for one in found.rejected]
    assert len(found.rejected) > 0


CELL = st.text(alphabet=st.sampled_from("aC1 ,;|\t\r\n\"'=#$é-"), max_size=6)


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8)))
def test_what_is_written_is_read_again(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("round") / "data.csv"
    columns = ["#smiles", "sep=", "x"][: len(rows[0]) if rows else 1]
    write_csv(columns, rows, path)
    lines = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    with path.open(encoding="utf-8", newline="") as file:
        found = list(rows_of(list(file), ","))
    assert [row.cells for row in found] == [columns, *rows], lines


def test_cells_that_spreadsheets_compute_are_escaped_when_asked(tmp_path):
    path = tmp_path / "out.csv"
    rows = [["=cmd()", "-1.5e3"], ["@x", "+4"], ["-x", 7.5], ["C#N", "\tx"]]
    write_csv(["smiles", "=y"], rows, path, escape=True)
    assert path.read_text() == "smiles,'=y\n'=cmd(),-1.5e3\n'@x,+4\n'-x,7.5\nC#N,'\tx\n"
    write_csv(["smiles", "=y"], rows, path)
    assert path.read_text().startswith("smiles,=y\n=cmd(),-1.5e3\n")


def test_a_pipe_is_written_to(tmp_path):
    write_csv(["a"], [["b"]], "/dev/null")
    assert Path("/dev/null").is_char_device()


def test_a_row_that_is_lost_is_noticed(monkeypatch):

    real = prepare.read

    def forgetful(smiles, chemistry):
        return real(list(smiles)[:-1], chemistry)

    monkeypatch.setattr(prepare, "read", forgetful)
    with pytest.raises(AssertionError, match=r"47 rows: "):
        collect(read_table(CASES / "dups.csv", targets=()))


@pytest.mark.parametrize("line", ["C1CC broken", "C1CC\tbroken", "[Xx]", "c1cc1,broken"])
def test_a_broken_first_molecule_of_a_file_of_smiles_is_no_header(tmp_path, line):
    path = tmp_path / "a.smi"
    rest = re.sub("C1CC|\\[Xx\\]|c1cc1", "CCO", line)
    path.write_text(f"{line}\n{rest}\n{rest}\n")
    found = collect(read_table(path, targets=()))
    assert [(one.line, one.reason.partition(":")[0]) for one in found.rejected] == [(1, "unreadable SMILES")]
    assert found.smiles == ["CCO", "CCO"]
    table = read_table(path, targets=())
    assert any(note.startswith("the first line is no header: columns are called smiles") for note in table.notes)


def test_a_word_at_the_head_of_a_file_of_smiles_is_said_to_be_a_header(tmp_path):
    path = tmp_path / "a.smi"
    path.write_text("structure title\nCCO ethanol\n")
    table = read_table(path, targets=())
    assert table.smiles == ["CCO"]
    assert "the first line is taken for column names: 'structure title'" in table.notes
