import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from graphattn.data.molecules.table import read_table


@pytest.fixture
def write(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def rows(table):
    return list(zip(table.line.tolist(), table.frame.to_numpy().tolist(), strict=True))


PLAIN = "smiles,label\nCCO,1\nC,0\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PLAIN, "data.csv"),
        (PLAIN.replace(",", "\t"), "data.tsv"),
        (PLAIN.replace(",", "\t"), "data.csv"),
        (PLAIN.replace(",", ";"), "data.csv"),
        (PLAIN.replace(",", "|"), "data.txt"),
        (PLAIN.replace("\n", "\r\n"), "data.csv"),
        (PLAIN.replace("\n", "\r"), "data.csv"),
        (PLAIN.rstrip("\n"), "data.csv"),
        (PLAIN.encode("utf-8-sig"), "data.csv"),
        (PLAIN.replace(",", "\t").encode("utf-16"), "data.txt"),
        (gzip.compress(PLAIN.encode(), mtime=0), "data.csv.gz"),
        (gzip.compress(PLAIN.encode(), mtime=0), "data.csv"),
        (PLAIN.replace("smiles,label", " smiles , label "), "data.csv"),
        (re.sub(r"(\w+)", r'"\1"', PLAIN), "data.csv"),
    ],
)
def test_the_same_table_however_it_is_written(write, content, name):
    table = read_table(write(content, name))
    assert list(table.frame.columns) == ["smiles", "label"]
    assert rows(table) == [(2, ["CCO", "1"]), (3, ["C", "0"])]
    assert (table.smiles_column, table.target_columns, table.split_column) == ("smiles", ("label",), None)
    assert table.smiles == ["CCO", "C"]
    assert table.targets.to_dict("list") == {"label": ["1", "0"]}
    assert table.faults == {}


def test_latin_1_is_read_and_said(write):
    table = read_table(write("smiles,name,label\nC,méthane,1\n".encode("latin-1")), targets="label")
    assert table.frame["name"].tolist() == ["méthane"]
    assert table.notes[0] == "data.csv is not UTF-8 and was read as Latin-1"
    assert read_table(write("smiles,name,label\nC,méthane,1\n"), targets="label").frame["name"].tolist() == ["méthane"]


def test_lines_are_an_editors(write):
    content = '\n\nname,smiles,label\n"first,\nmolecule",C,1\n\nlast,CC,0\n\n'
    assert rows(read_table(write(content))) == [(4, ["first,\nmolecule", "C", "1"]), (7, ["last", "CC", "0"])]
    windows = rows(read_table(write(content.replace("\n", "\r\n"))))
    assert [line for line, _ in windows] == [4, 7]


def test_quoted_smiles_with_commas(write):
    table = read_table(write('smiles,label\n"CCO |$;;,$|",1\n'))
    assert table.smiles == ["CCO |$;;,$|"]


def test_cells_stay_as_written(write):
    table = read_table(write("id,smiles,label\n007,C,1.0\n8,NA,null\n"))
    assert table.frame.to_numpy().tolist() == [["007", "C", "1.0"], ["8", "NA", "null"]]


def test_rows_with_too_few_cells_are_filled_and_with_too_many_are_faults(write):
    table = read_table(write("smiles,name,label\nC\nCC,ethane,1,,\nCCO,ethanol, pure,1\nO,water,0\n"))
    assert rows(table)[:2] == [(2, ["C", "", ""]), (3, ["CC", "ethane", "1"])]
    assert rows(table)[2:] == [(4, ["CCO", "ethanol", " pure"]), (5, ["O", "water", "0"])]
    assert table.faults == {2: "too many cells: 4 where the header has 3"}


@pytest.mark.parametrize("last", ["O,water,0\n", "O,water,0", 'O,"wat",0\n'])
def test_a_stray_quote_costs_one_row(write, last):
    table = read_table(write('smiles,name,label\nC,"methane,1\nCC,ethane,1\nCCO,ethanol,0\n' + last))
    assert [line for line, _ in rows(table)] == [2, 3, 4, 5]
    assert table.smiles == ["C", "CC", "CCO", "O"]
    assert table.faults == {0: "stray quote: it opens a cell and does not close it"}


def test_two_stray_quotes_cost_two_rows(write):
    table = read_table(write('smiles,name,label\nC,"methane,1\nCC,ethane,1\nCCO,"ethanol,0\nO,water,0\n'))
    assert table.smiles == ["C", "CC", "CCO", "O"]
    assert list(table.faults) == [0, 2]


def test_a_stray_quote_in_the_last_row(write):
    table = read_table(write('smiles,label\nC,1\nCC,"0\n'))
    assert (table.smiles, list(table.faults)) == (["C", "CC"], [1])


def test_quotes_inside_a_cell_are_letters(write):
    table = read_table(write('smiles,name,label\nC,5" tube,1\nCC,""two"",0\n'), targets="label")
    assert table.frame["name"].tolist()[0] == '5" tube'
    assert table.faults == {}


def test_a_separator_in_the_names_does_not_mislead(write):
    table = read_table(write("smiles;logS, mol/L\nCCO;-0,5\nC;1,5\nCC;2,5\n"))
    assert table.target_columns == ("logS, mol/L",)
    assert table.frame["logS, mol/L"].tolist() == ["-0,5", "1,5", "2,5"]


def test_repeated_names_get_a_number(write):
    table = read_table(write("smiles,y,y,\nC,1,2,\n"), targets="y.1")
    assert list(table.frame.columns) == ["smiles", "y", "y.1", ""]
    assert table.notes[0] == "column 'y' is there more than once; the repeats are called y.1, ..."


MOLFILE = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
SDF = (
    f"ethanol{MOLFILE}> <activity>  (1)\n1\n\n> <note>\ntwo\nlines\n\n$$$$\n"
    f"{MOLFILE.replace('  1  2  1  0', '  1  9  1  0')}$$$$\n"
    f"{Chem.MolToMolBlock(Chem.MolFromSmiles('C'))}>  <activity>\n0\n\n>  <smiles>\nwrong\n\n$$$$\n"
)


@pytest.mark.parametrize("name", ["data.sdf", "data.SDF", "data.txt", "data.sdf.gz"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_sdf(write, name, ends):
    content = SDF.replace("\n", ends).encode()
    table = read_table(
        write(gzip.compress(content, mtime=0) if name.endswith("gz") else content, name), targets="activity"
    )
    assert list(table.frame.columns) == ["smiles", "name", "activity", "note", "smiles.1"]
    assert table.frame.to_numpy().tolist() == [
        ["CCO", "ethanol", "1", "two\nlines", ""],
        ["", "", "", "", ""],
        ["C", "", "0", "", "wrong"],
    ]
    first, second, _ = (number for number, line in enumerate(SDF.split("\n"), start=1) if line == "$$$$")
    assert table.line.tolist() == [1, first + 1, second + 1]
    assert table.faults == {1: "unreadable mol block: record 2, not a mol block"}
    assert table.notes == ("SMILES are in column 'smiles'",)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (
            Chem.MolToMolBlock(Chem.MolFromSmiles("CN(C)(C)C", sanitize=False), kekulize=False),
            "Explicit valence for atom # 1 N, 4, is greater than permitted",
        ),
        (Chem.MolToMolBlock(Chem.MolFromSmiles("")), "no atoms"),
        ("hello\n", "not a mol block"),
    ],
)
def test_sdf_records_that_rdkit_refuses_say_why(write, capfd, block, reason):
    table = read_table(write(f"{block}> <y>\n1\n\n$$$$\n{MOLFILE}> <y>\n0\n\n$$$$\n", "data.sdf"))
    assert table.faults == {0: f"unreadable mol block: record 1, {reason}"}
    assert table.smiles[1] == "CCO"
    assert table.target_columns == ("y",)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_record_with_two_molecules_or_two_values_of_one_item_is_a_fault(write, ends):
    first, second = f"{MOLFILE}> <y>\n1.5\n\n", f"{MOLFILE}> <y>\n7.5\n\n$$$$\n"
    again = f"{MOLFILE}> <y>\n3\n\n> <y>\n4\n\n$$$$\n"
    same = f"{MOLFILE}> <note>\na\n\n> <y>\n3\n\n> <y>\n3\n\n$$$$\n"
    content = (first + second + again + same + second).replace("\n", ends)
    table = read_table(write(content, "data.sdf"), targets="y")
    assert table.faults == {
        0: "ambiguous record: record 1, 2 mol blocks without $$$$ between them",
        1: "ambiguous record: record 2, data item 'y' is both '3' and '4'",
    }
    assert table.frame["y"].tolist() == ["1.5", "3", "3", "7.5"]
    assert list(table.frame.columns) == ["smiles", "name", "y", "note"]
    assert table.line.tolist()[1] == content[: content.index("$$$$")].count("\n") + 2
    molecules = read_table(write(MOLFILE + MOLFILE.replace("M  END", ""), "data.mol"), targets=())
    assert molecules.faults == {0: "ambiguous record: record 1, 2 mol blocks without $$$$ between them"}


def test_columns_are_taken_as_told(write):
    path = write("a,B,b,part,C\nC,1,2,train,x\n")
    table = read_table(path, smiles="A", targets=["B", "c"], split="part")
    assert (table.smiles_column, table.target_columns, table.split_column) == ("a", ("B", "C"), "part")
    assert table.notes == ()
    assert read_table(path, smiles="a", targets=()).target_columns == ()


def test_guesses_are_said(write):
    table = read_table(write("num,name,p_np,smiles,split\n1,Propanolol,1,CCO,train\n2,Other,0,C,test\n"))
    assert (table.smiles_column, table.target_columns, table.split_column) == ("smiles", ("p_np",), "split")
    assert table.notes == (
        "SMILES are in column 'smiles'",
        "the target is 'p_np'",
        "column 'split' says which rows are for training and for testing",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"smiles": "SMI"}, "has no column 'SMI'; it has 'smiles', 'p_np' and 'name'"),
        ({"targets": "p_mp"}, "has no column 'p_mp'; it has 'smiles', 'p_np' and 'name'. Did you mean 'p_np'?"),
        ({"targets": ["p_np", "y"]}, "has no column 'y'; it has"),
        ({"split": "fold"}, "has no column 'fold'; it has"),
    ],
)
def test_a_wrong_column_lists_those_there_are(write, arguments, message):
    path = write("smiles,p_np,name\nC,1,x\n")
    with pytest.raises(ValueError, match=re.escape(f"{path} {message}")):
        read_table(path, **arguments)


def test_a_column_whose_case_is_ambiguous_is_not_picked(write):
    with pytest.raises(ValueError, match="has no column 'LABEL'; it has 'smiles', 'Label' and 'label'"):
        read_table(write("smiles,Label,label\nC,1,2\n"), targets="LABEL")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b'""\n', "is empty"),
        (b"smiles,label\n", r"has column names \('smiles' and 'label'\) but no rows"),
        (b"\x89PNG\r\n\x1a\n\0\0", "holds binary data; expected a CSV, TSV or SDF file"),
        (b"PK\x03\x04\0\0", "is a spreadsheet or zip file, not a CSV; save it as CSV"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], "is a damaged gzip file: "),
        (b"\x1f\x8bnothing", "is a damaged gzip file: "),
    ],
)
def test_files_that_are_no_table(write, content, message):
    path = write(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} {message}"):
        read_table(path)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path))} is a folder; expected a CSV"):
        read_table(tmp_path)


def test_a_missing_file_and_one_that_may_be_meant(write):
    path = write(PLAIN, "molecules.csv")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*molecule\.csv; did you mean molecules\.csv\?"):
        read_table(path.with_name("molecule.csv"))
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere.data\.csv$"):
        read_table(path.parent / "nowhere" / "data.csv")


CELLS = st.sampled_from(
    ["C", "CCO", "x", "1", "0", "", " ", '"', '""', "a b", ",", ";", "\t", "\n", "\r\n", "$$$$", "M  END", "é"]
)


@given(st.one_of(st.binary(max_size=200), st.lists(CELLS, max_size=60).map(lambda cells: "".join(cells).encode())))
def test_any_bytes_are_a_table_or_an_error_that_names_the_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "data.csv"
    path.write_bytes(content)
    try:
        table = read_table(path, targets=())
    except ValueError as error:
        message = str(error)
    else:
        message = str(path)
        assert len(table.frame) == len(table.line) > 0
        assert (table.line[1:] > table.line[:-1]).all()
        assert set(table.faults) <= set(range(len(table.frame)))
        assert table.frame.map(lambda cell: isinstance(cell, str)).all(axis=None)
    assert str(path) in message
