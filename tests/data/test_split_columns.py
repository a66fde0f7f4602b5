import numpy as np
import pytest

from graphattn.data.split_columns import split_by_column


def parts(cells, smiles=None):
    lines = list(range(2, 2 + len(cells)))
    split, how = split_by_column(cells, lines, smiles or [f"C{'C' * k}" for k in range(len(cells))], seed=0)
    return [part.tolist() for part in split], how


def test_words_are_taken_as_they_are():
    assert parts(["Train", "valid", "test"]) == ([[0], [1], [2]], "as it says")
    with pytest.raises(ValueError, match="the split column says 'train_val' in row 1"):
        parts(["test", "train_val"])


def test_the_last_fold_is_for_testing():
    assert parts(["2", "0", "1", "0"]) == ([[1, 3], [2], [0]], "fold 2 for testing, fold 1 for validation")
    assert parts(["1", "2", "1"]) == ([[0, 2], [], [1]], "fold 2 for testing")


def test_the_newest_are_for_testing():
    years = [str(2000 + k // 10) for k in range(100)]
    split, how = parts(years[::-1])
    assert [len(part) for part in split] == [80, 10, 10]
    assert how == "by time: up to 2007 for training, after 2008 for testing"
    assert split[2] == list(range(10))
    assert parts(["2020-01-31", "2020-02-01", "2021-01-01"])[0] == [[0], [1], [2]]
    with pytest.raises(ValueError, match="a split by time needs three times or more; got 2001, 2002"):
        parts(["2001", "2002"])


def test_groups_and_molecules_stay_together():
    cells = [f"batch {k % 20}" for k in range(100)]
    smiles = ["C" * (1 + k % 50) for k in range(100)]
    split, how = parts(cells, smiles)
    assert how == "20 groups that stay together"
    assert sum(map(len, split)) == 100
    where = np.empty(100, dtype=int)
    for number, part in enumerate(split):
        assert part
        where[part] = number
    for keys in (cells, smiles):
        assert all(len({where[k] for k in range(100) if keys[k] == key}) == 1 for key in keys)
    with pytest.raises(ValueError, match="the split column is empty in line 3; expected a part, fold, year or group"):
        parts(["a", "", "b"])
