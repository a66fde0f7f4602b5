import gzip
import json
from zipfile import ZipFile

import pytest

from benchmarks.pretraining import corpus, starts
from benchmarks.pretraining.starts import SETTINGS


@pytest.fixture
def wheels(tmp_path):
    molsets, chemicals = tmp_path / "molsets.whl", tmp_path / "chemicals.whl"
    with ZipFile(molsets, "w") as file:
        for name, texts in (("train", ["CCO", "CCN", "CCC"]), ("test", ["CCCl"])):
            table = "\n".join(["SMILES,SPLIT", *(f"{text},{name}" for text in texts)]) + "\n"
            file.writestr(f"moses/dataset/data/{name}.csv.gz", gzip.compress(table.encode()))
    with ZipFile(chemicals, "w") as file:
        for name in (*(f"chemical identifiers {each}" for each in corpus.SUBSTANCES), *corpus.IONS):
            lines = [
                "1\t64-17-5\tC2H6O\t46.07\tCCO\tinchi",
                "2\t-\tX\t1.0\t\tinchi",
                f"3\t-\tX\t1.0\t[{name[0]}]\tinchi",
            ]
            file.writestr(f"chemicals/Identifiers/{name}.tsv", "\n".join(lines) + "\n")
    return molsets, chemicals


def test_the_corpus_has_all_substances_once_and_some_drug_like_molecules(wheels, tmp_path):
    found = corpus.write(*wheels, tmp_path / "corpus.csv.gz", most=2, seed=0)
    assert found == {"chemicals": 5, "molsets": 2, "molsets in all": 4}
    lines = gzip.decompress((tmp_path / "corpus.csv.gz").read_bytes()).decode().splitlines()
    assert lines[:3] == ["smiles", "CCO", "[c]"]
    assert len(lines) == 1 + 5 + 2


def test_the_report_has_a_row_for_each_table_over_seeds_that_are_whole(tmp_path):
    records = tmp_path / "records.jsonl"
    rows = [
        {"data": "esol", "kind": "regression", "seed": seed, "setting": name, "value": 1.0 + seed - 100 + i / 10}
        for seed in (100, 101, 102)
        for i, name in enumerate(SETTINGS)
    ]
    records.write_text("".join(json.dumps(row) + "\n" for row in rows[:-1]))
    last = starts.report(records).splitlines()[-1]
    assert last.startswith("| esol, RMSE, seeds 100, 101 | 1.500 (1.000 2.000) | 1.600 (1.100 2.100) |")
