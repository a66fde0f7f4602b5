import numpy as np
import pytest

from graphattn.data import splits
from graphattn.data.molecules.embedded import load

ALKANES = ["C" * n for n in range(1, 31)]
RINGS = [f"C1{'C' * size}C1{'C' * tail}" for size in range(1, 9) for tail in range(5)]


def parts(split):
    return [part.tolist() for part in split]


@pytest.mark.parametrize("rule", splits.SPLITS)
def test_parts_hold_every_row_once_and_equal_smiles_together(rule):
    smiles = (RINGS + ALKANES[:10]) * 2
    split = splits.SPLITS[rule](smiles, np.arange(len(smiles)) % 50 % 2, seed=3)
    assert sorted(np.concatenate(split).tolist()) == list(range(100))
    assert all(part == sorted(part) and part for part in parts(split))
    for part in parts(split):
        assert {row % 50 for row in part} == {row % 50 for row in part if row < 50}
        assert len(part) % 2 == 0


@pytest.mark.parametrize("rule", ["random", "stratified", "scaffold_balanced"])
def test_the_seed_decides(rule):
    def held_out(seed):
        return splits.SPLITS[rule](RINGS, [0, 1] * 20, seed=seed).test.tolist()

    assert held_out(1) == held_out(1)
    assert held_out(1) != held_out(2)


def test_fractions_are_met():
    assert [len(part) for part in splits.random(ALKANES, fractions=(0.5, 0.3, 0.2))] == [15, 9, 6]
    assert [len(part) for part in splits.random(ALKANES, fractions=(0.9, 0.0, 0.1))] == [27, 0, 3]
    assert [len(part) for part in splits.random(ALKANES, fractions=(0.9, 0.1, 0.0))] == [27, 3, 0]
    assert [len(part) for part in splits.random(ALKANES, fractions=(1.0, 0.0, 0.0))] == [30, 0, 0]
    assert [len(part) for part in splits.random(ALKANES[:3])] == [1, 1, 1]


def test_stratified_keeps_shares_and_puts_rare_classes_in_every_part():
    labels = np.array([0] * 20 + [1] * 7 + [2] * 3)
    split = splits.stratified(ALKANES, labels)
    assert [np.bincount(labels[part], minlength=3).tolist() for part in split] == [[16, 5, 1], [2, 1, 1], [2, 1, 1]]


def test_stratified_takes_a_column_of_labels():
    column = np.array([[0.0], [1.0]] * 15)
    assert parts(splits.stratified(ALKANES, column)) == parts(splits.stratified(ALKANES, column[:, 0]))


def test_scaffolds_stay_together_and_the_largest_train():
    smiles = ["c1ccccc1", "C1CC1", "CC", "C1CC1C", "CCC", "C1CC1CC", "CCCC", "C1CCC1", "C1CC1O", "CO"]
    assert parts(splits.scaffold(smiles)) == [[1, 2, 3, 4, 5, 6, 8, 9], [0], [7]]


def test_balanced_scaffolds_train_on_the_big_ones():
    smiles = [*ALKANES, *(f"C1{'C' * size}C1" for size in range(1, 41))]
    tests = [splits.scaffold_balanced(smiles, seed=seed) for seed in range(5)]
    assert all(set(range(30)) <= set(split.train.tolist()) for split in tests)
    assert [[len(part) for part in split] for split in tests] == [[56, 7, 7]] * 5


def test_balanced_scaffolds_when_every_scaffold_is_big():
    smiles = ["C1CC1" + "C" * n for n in range(8)] + ["C1CCC1", "C1CCCC1"]
    for seed in range(5):
        assert splits.scaffold_balanced(smiles, seed=seed).train.tolist() == list(range(8))


def test_scaffolds_larger_than_a_part_still_fill_every_part():
    split = splits.scaffold_balanced(RINGS, seed=0)
    assert [len(part) for part in split] == [30, 5, 5]
    assert [len(part) for part in splits.scaffold(RINGS)] == [30, 5, 5]


def test_the_published_split_of_bbb_does_not_change():
    split = splits.scaffold_balanced(load("bbb").smiles, seed=0)
    assert [len(part) for part in split] == [3126, 391, 390]
    assert split.test[:8].tolist() == [1, 21, 38, 39, 42, 71, 82, 95]


@pytest.mark.parametrize(
    ("smiles", "scaffold"),
    [("CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1"), ("C[C@H]1CCCC(O)C1", "C1CCCCC1"), ("CCO", ""), ("[Na+].[Cl-]", "")],
)
def test_scaffold_key(smiles, scaffold):
    assert splits.scaffold_key(smiles) == scaffold


def test_a_scaffold_of_what_is_no_smiles():
    with pytest.raises(ValueError, match="RDKit cannot read SMILES 'CC\u041e', so it has no scaffold"):
        splits.scaffold_key("CC\u041e")


def test_from_column_knows_the_words():
    split = splits.from_column(["train", " Valid ", "TEST", "training", "val", "holdout", "dev"])
    assert parts(split) == [[0, 3], [1, 4, 6], [2, 5]]
    assert splits.from_column(["train", "test"]).validation.tolist() == []


def test_from_column_refuses_other_words():
    with pytest.raises(ValueError, match="the split column says 'tarin' in row 1; expected train, validation or test"):
        splits.from_column(["train", "tarin"])


def test_from_column_needs_training_rows():
    with pytest.raises(ValueError, match="has 1 validation and 2 test rows, but no 'train'"):
        splits.from_column(["test", "val", "test"])


@pytest.mark.parametrize("fractions", [(0.8, 0.1), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5), (np.nan,) * 3])
@pytest.mark.parametrize("rule", splits.SPLITS)
def test_fractions_that_are_none(rule, fractions):
    with pytest.raises(ValueError, match=r"three shares .* that add up to 1; got \("):
        splits.SPLITS[rule](ALKANES, [0] * 30, fractions=fractions)


@pytest.mark.parametrize("labels", [None, [0, 1], np.zeros((30, 2))])
def test_stratified_needs_one_class_per_molecule(labels):
    with pytest.raises(ValueError, match=r"30 molecules, labels of shape \((|2,|30, 2)\)"):
        splits.stratified(ALKANES, labels)


def test_an_empty_part_is_an_error_that_counts():
    with pytest.raises(ValueError, match="balanced split leaves the validation part empty: 30 rows with 1 scaffold;"):
        splits.scaffold_balanced(ALKANES)
    with pytest.raises(ValueError, match=r"random split leaves the .* part empty: 4 rows with 2 different molecules"):
        splits.random(["C", "O"] * 2)


def test_unreadable_smiles_have_no_scaffold():
    with pytest.raises(ValueError, match="RDKit cannot read SMILES 'C1CC', so it has no scaffold"):
        splits.scaffold(["C", "C1CC"])
