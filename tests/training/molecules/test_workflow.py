import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.splits import Split, scaffold_key
from graphattn.training.molecules import dividing
from graphattn.training.molecules.crossing import cross_validate
from graphattn.training.molecules.dividing import (
    check_classes,
    divide,
    divide_folds,
    inner_splits,
    open_divided,
    tell_shared,
)
from graphattn.training.molecules.forests import choosing
from graphattn.training.molecules.judging import labels_of
from graphattn.training.molecules.reliability.measuring import Wanted
from graphattn.training.molecules.saved import load
from graphattn.training.molecules.workflow import TrainingPlan, fingerprint, labelled, train
from graphattn.training.recipe import MoleculeRecipe
from graphattn.training.runs import Interrupted

SMILES = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N")]


def table(labels, parts=None):
    frame = pd.DataFrame({"smiles": SMILES, "y": labels} | ({"part": parts} if parts else {}))
    return MoleculeTable(frame, np.arange(2, 32), "smiles", ("y",), "part" if parts else None, ())


@pytest.fixture
def molecules():
    said = []
    return labelled(table(["1", "0"] * 15), TrainingPlan(Path()), said.append)


def test_a_rule_divides_the_molecules(molecules):
    split, rule = divide(molecules, table(["1", "0"] * 15), "stratified", 1)
    assert rule == "stratified"
    assert sorted(np.concatenate(split)) == list(range(30))
    again, _ = divide(molecules, table(["1", "0"] * 15), "stratified", 2)
    assert split.test.tolist() != again.test.tolist()


def test_a_column_divides_the_molecules(molecules):
    parts = ["train"] * 10 + ["valid"] * 10 + ["test"] * 10
    split, rule = divide(molecules, table(["1", "0"] * 15, parts), "column", 0)
    assert rule == "column 'part'"
    assert [part[0] for part in split] == [0, 10, 20]


def test_a_column_without_validation_gives_a_tenth_of_the_training_part(molecules):
    parts = ["train"] * 20 + ["test"] * 10
    split, rule = divide(molecules, table(["1", "0"] * 15, parts), "column", 0)
    assert rule == "column 'part', validation at random"
    assert [len(part) for part in split] == [18, 2, 10]
    assert sorted(np.concatenate(split)) == list(range(30))


def test_unknown_rule(molecules):
    with pytest.raises(ValueError, match="there is no split 'magic': expected a column of the data or random, "):
        divide(molecules, table(["1", "0"] * 15), "magic", 0)


def test_one_class_in_the_training_part():
    labels = ["1"] * 20 + ["0"] * 10
    found = labelled(table(labels), TrainingPlan(Path()), print)
    split, _ = divide(found, table(labels, ["train"] * 15 + ["valid"] * 5 + ["test"] * 10), "column", 0)
    expected = "target 'y': the training part (15 molecules) has one class only, '1'; try another --split"
    with pytest.raises(ValueError, match=re.escape(expected)):
        check_classes(found, split)


def test_no_labels_of_a_target_in_the_training_part():
    frame = pd.DataFrame({"smiles": SMILES, "p": ["1", "0"] * 15, "q": [""] * 20 + ["0", "1"] * 5})
    several = MoleculeTable(frame, np.arange(2, 32), "smiles", ("p", "q"))
    found = labelled(several, TrainingPlan(Path()), print)
    split, _ = divide(found, table(["1", "0"] * 15, ["train"] * 20 + ["test"] * 10), "column", 0)
    with pytest.raises(ValueError, match=r"target 'q': the training part \(18 molecules\) has no labels"):
        check_classes(found, split)


def test_strict_names_the_first_bad_row():
    labels = ["1", "0"] * 15
    labels[4] = "maybe not"
    bad = table(["1", "0"] * 15)
    bad.frame.loc[4, "smiles"] = "C1CC"
    with pytest.raises(
        ValueError, match=r"rows that cannot be used: 1, and strict allows none; the first in line 6: unreadable"
    ):
        labelled(bad, TrainingPlan(Path(), strict=True), print)


def test_fingerprint_tells_molecules_apart():
    assert len({fingerprint(smiles) for smiles in SMILES}) == 30
    assert fingerprint("CCO") == fingerprint("CCO")


def test_a_run_without_a_test_part_has_no_figures(tmp_path, tiny, monkeypatch):
    parts = ["train"] * 20 + ["valid"] * 10
    monkeypatch.setattr("graphattn.training.recipe.Architecture.to_dict", lambda self: tiny)
    plan = TrainingPlan(
        tmp_path / "model", split="column", recipe=MoleculeRecipe(epochs=1), compare=False, descriptors=False
    )
    said = []
    model = train(table(["1", "0"] * 15, parts), plan, said.append, verbose=False)
    assert "metrics" not in model.record
    assert model.record["validation"]["name"] == "ROC-AUC"
    assert said[:2] == [
        "target 'y' is binary: 1 (15, positive) and 0 (15)",
        "split: column 'part', seed 0: 20 training, 10 validation, 0 test",
    ]
    assert said[2].startswith("Probabilities are calibrated on the validation part: slope ")
    assert len(said) == 7
    assert "measured" not in model.record
    assert (tmp_path / "model" / "model.json").is_file()


@pytest.fixture
def planned(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("graphattn.training.recipe.Architecture.to_dict", lambda self: tiny)

    def plan(**wanted):
        recipe = MoleculeRecipe(epochs=1)
        quick = {"compare": False, "descriptors": False, "split": "random", "recipe": recipe}
        return TrainingPlan(tmp_path / "model", **quick, wanted=Wanted(**wanted))

    return plan


def test_reliability_is_measured_kept_and_on_the_card(planned, tmp_path):
    said = []
    model = train(table(["1", "0"] * 15), planned(aim="mcc", coverage=0.5), said.append, verbose=False)
    again = load(tmp_path / "model")
    assert again.reliability == model.reliability
    assert again.reliability is not None
    # A column of weights is named where there is one.
    assert "weight" not in again.record["data"]
    assert (again.reliability.aim, again.reliability.coverage) == ("mcc", 0.5)
    assert set(again.record["measured"]) == {"calibration", "coverage", "threshold", "domain"}
    assert again.record["measured"]["coverage"][0]["molecules"] == 3
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "## How far to rely on it" in card
    for sentence in said[-5:]:
        assert f"- {sentence}" in card
    assert again.reliability.neighbours is not None
    assert len(again.reliability.neighbours.smiles) == 24
    path = tmp_path / "model" / "neighbours.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"neighbours\.safetensors was changed since the model was saved"):
        load(tmp_path / "model")
    with pytest.raises(ValueError, match=r"neighbours\.safetensors is damaged"):
        load(tmp_path / "model", trust=True)


def test_training_molecules_can_be_left_out_of_the_folder(planned, tmp_path):
    train(table(["1", "0"] * 15), planned(neighbours=False), print, verbose=False)
    found = load(tmp_path / "model").reliability
    assert found is not None
    assert found.neighbours is None
    assert not (tmp_path / "model" / "neighbours.safetensors").exists()
    texts = [path.read_bytes() for path in (tmp_path / "model").iterdir() if path.is_file()]
    assert not any(b"CCCCCCCCCO" in text for text in texts)


def test_an_aim_without_two_classes_is_refused_before_training(planned, tmp_path):
    with pytest.raises(
        ValueError, match="expected targets of two classes to choose a threshold for an aim, got a regres"
    ):
        train(table([str(n / 7) for n in range(30)]), planned(aim="mcc"), print, verbose=False)
    assert not (tmp_path / "model").exists()


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / name for name in ("train.csv", "valid.csv", "test.csv")]
    labelled = pd.DataFrame({"smiles": SMILES, "y": [1, 0] * 15})
    for path, rows in zip(paths, (slice(20), slice(20, 25), slice(24, 30)), strict=True):
        labelled[rows].to_csv(path, index=False)
    return [str(path) for path in paths]


def opened(files, validation, test, split=None):
    table, rule = open_divided(files[0], None, None, split, validation=validation, test=test)
    said = []
    molecules = labelled(table, TrainingPlan(Path(), split=rule), said.append)
    return molecules, *divide(molecules, table, rule, 0)


def test_files_are_the_parts(files):
    molecules, split, rule = opened(files, files[1], files[2])
    assert [part.tolist() for part in split] == [list(range(20)), list(range(20, 25)), list(range(25, 31))]
    assert rule == f"validation {files[1]}, test {files[2]}"
    said = []
    tell_shared(molecules, Split(split.train, split.validation, split.validation[:0]), said.append)
    assert said == []
    tell_shared(molecules, Split(split.validation, split.train, split.test), said.append)
    assert len(said) == 1
    assert said[0].startswith(
        "warning: 1 of 6 rows of the test part are of molecules of the training part: figures on them"
    )


@pytest.mark.parametrize(("place", "part"), [(1, "test"), (2, "validation")])
def test_a_part_without_a_file_comes_from_the_training_file_by_the_rule(files, place, part):
    given = [None, None]
    given[place - 1] = files[place]
    _, split, rule = opened(files, *given, split="random")
    assert rule == f"{'validation' if place == 1 else 'test'} {files[place]}, {part} random"
    assert len(split.train) == 18
    other = split[3 - place]
    assert len(other) == 2
    assert max(other) < 20
    assert min(split[place]) == 20


def test_a_column_of_the_training_file_may_name_the_part_without_a_file(files):
    words = ["train"] * 15 + ["valid"] * 5
    pd.read_csv(files[0]).assign(split=words).to_csv(files[0], index=False)
    _, split, rule = opened(files, None, files[2])
    assert rule == f"test {files[2]}, column 'split'"
    assert [len(part) for part in split] == [15, 5, 6]
    pd.read_csv(files[0]).assign(split="train").to_csv(files[0], index=False)
    _, split, rule = opened(files, None, files[2])
    assert rule == f"test {files[2]}, column 'split', validation at random"
    assert [len(part) for part in split] == [18, 2, 6]


def test_a_file_without_a_usable_row_is_named(files):
    pd.DataFrame({"smiles": ["C1CC"], "y": [1]}).to_csv(files[1], index=False)
    expected = f"none of the rows of {files[1]}, which is for the validation part, can be used"
    with pytest.raises(ValueError, match=re.escape(expected)):
        opened(files, files[1], files[2])


def test_the_record_names_the_files(planned, files):
    table, _ = open_divided(files[0], None, None, None, validation=files[1], test=files[2])
    model = train(table, planned(), [].append, verbose=False)
    assert model.record["data"]["validation"] == files[1]
    assert model.record["split"]["test"] == 6
    assert model.record["lines"]["test"] == list(range(2, 8))


def test_the_training_part_is_split_again_by_its_rule(monkeypatch):
    smiles = [f"{'C' * n}{end}" for n in range(1, 31) for end in ("O", "N")]
    frame = pd.DataFrame(
        {"smiles": smiles, "y": ["1", "0"] * 30, "batch": [f"b{n}" for n in range(12) for _ in range(5)]}
    )
    given = MoleculeTable(frame, np.arange(2, 62), "smiles", ("y",), "batch", ())
    found, rows = labelled(given, TrainingPlan(Path()), lambda said: None), np.arange(5, 60)
    draws = inner_splits(found, given, rows, "random", seed=1)
    assert [[len(part) for part in draw] for draw in draws] == [[44, 6, 5]] * 3
    assert len({tuple(draw.test.tolist()) for draw in draws}) == 3
    assert all(sorted(np.concatenate(draw)) == list(range(55)) for draw in draws)
    again = inner_splits(found, given, rows, "random", seed=1)
    assert [draw.test.tolist() for draw in again] == [draw.test.tolist() for draw in draws]
    for draw in inner_splits(found, given, rows, "column", seed=1):
        batches = [set(frame["batch"].iloc[rows[part]]) for part in draw]
        assert sum(map(len, batches)) == 11
    assert inner_splits(found, given, rows[:40], "random", seed=1) == []
    monkeypatch.setattr(dividing, "_LARGE", 54)
    assert len(inner_splits(found, given, rows, "random", seed=1)) == 1
    with monkeypatch.context() as patch:
        patch.setitem(dividing.SPLITS, "random", _no_room)
        assert inner_splits(found, given, rows, "random", seed=1) == []


def _no_room(keys, y, fractions, seed):
    raise ValueError("the random split leaves the test part empty")


def rings(sizes):
    """Molecules of one scaffold each: rings of carbon of a size, with a chain."""
    return [f"C1{'C' * (size - 1)}1{'C' * length}" for size in sizes for length in range(1, 5)]


def fold_table(split=None, smiles=None, **columns):
    smiles = smiles or rings(range(3, 12))
    frame = pd.DataFrame({"smiles": smiles, "y": ["1", "0"] * (len(smiles) // 2)} | columns)
    return MoleculeTable(frame, np.arange(len(smiles)) + 2, "smiles", ("y",), split, ())


def folded(table, rule, number):
    molecules = labelled(table, TrainingPlan(Path()), [].append)
    return molecules, *divide_folds(molecules, table, rule, number, 0)


@pytest.mark.parametrize("rule", ["random", "stratified", "scaffold", "scaffold_balanced"])
def test_every_molecule_is_tested_once_and_scaffolds_stay_in_one_fold(rule):
    molecules, splits, said = folded(fold_table(), rule, 3)
    assert said == rule
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(36))
    for split in splits:
        assert sorted(np.concatenate(split)) == list(range(36))
        assert len(split.validation)
        if rule.startswith("scaffold"):
            scaffolds = [{scaffold_key(molecules.smiles[row]) for row in part} for part in split]
            assert not scaffolds[2] & (scaffolds[0] | scaffolds[1])
    assert {len(split.test) for split in splits} == {12}


def test_columns_of_folds_and_of_groups():
    numbered = [str(n % 3) for n in range(36)]
    _, splits, said = folded(fold_table("part", part=numbered), "column", 3)
    assert said == "column 'part'"
    assert {frozenset(int(numbered[row]) for row in split.test) for split in splits} == {
        frozenset({n}) for n in range(3)
    }
    with pytest.raises(ValueError, match=re.escape("column 'part' numbers 3 folds: expected --folds 3, got 5")):
        folded(fold_table("part", part=numbered), "column", 5)
    batches = [f"batch {n // 4}" for n in range(36)]
    _, splits, _ = folded(fold_table("part", part=batches), "column", 3)
    for split in splits:
        assert not {batches[row] for row in split.test} & {batches[row] for row in (*split.train, *split.validation)}
        assert len(split.test) == 12


@pytest.mark.parametrize("cells", [["train", "test"] * 18, [str(2000 + n) for n in range(36)]])
def test_columns_that_have_no_folds(cells):
    with pytest.raises(ValueError, match="column 'part' names parts or times, not folds or groups: name a rule for"):
        folded(fold_table("part", part=cells), "column", 3)


def test_more_folds_than_scaffolds():
    with pytest.raises(ValueError, match="expected from 2 folds up to 9, the number of groups, got 10"):
        folded(fold_table(), "scaffold", 10)


def test_stratified_folds_of_values_or_of_several_targets():
    table = fold_table(z=["1", "0"] * 18)
    several = dataclasses.replace(table, target_columns=("y", "z"))
    with pytest.raises(ValueError, match="expected one target of classes for stratified folds, got 2 multilabel"):
        folded(several, "stratified", 3)


def test_folds_take_the_training_file_alone(files):
    table, rule = open_divided(files[0], None, None, "random", test=files[2])
    molecules = labelled(table, TrainingPlan(Path()), [].append)
    splits, _ = divide_folds(molecules, table, rule, 4, 0)
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(20))


def test_figures_of_folds_are_said_and_kept_and_resumed(planned, tmp_path):
    plan = dataclasses.replace(planned(), folds=3)
    said = []
    model = train(fold_table(), plan, said.append, verbose=False)
    known = model.record["folds"]
    assert (known["rule"], known["tested"]) == ("random", [12, 12, 12])
    assert len(known["figures"]["graph transformer"]["ROC-AUC"]) == 3
    assert "fold 3 of 3: 22 molecules trained on, 12 tested" in said
    card = (plan.out / "README.md").read_text()
    assert "## Cross-validation (3 folds, split: random, seed 0)" in card
    assert load(plan.out).record["folds"]["figures"] == known["figures"]
    assert not (plan.out / "training").exists()


def test_folds_go_on_where_they_were_interrupted(planned, monkeypatch):
    plan, table = dataclasses.replace(planned(), folds=3), fold_table()
    whole = train(table, dataclasses.replace(plan, out=plan.out.with_name("whole")), [].append, verbose=False)
    original, folders = choosing.fit_molecules, []

    def stopped(*parts, folder, **options):
        folders.append(folder.name)
        model = original(*parts, folder=folder, **options)
        if folder.name == "fold-2":
            raise Interrupted(model)
        return model

    monkeypatch.setattr(choosing, "fit_molecules", stopped)
    said = []
    with pytest.raises(Interrupted):
        train(table, plan, said.append, verbose=False)
    assert (
        said[-1] == f"Interrupted. {plan.out} holds the model; the same command with --resume goes on with the folds."
    )
    assert folders == ["model", "fold-1", "fold-2"]
    assert "folds" not in load(plan.out).record
    monkeypatch.setattr(choosing, "fit_molecules", original)
    resumed = train(table, dataclasses.replace(plan, resume=True), [].append, verbose=False)
    assert resumed.record["folds"] == whole.record["folds"]


def test_folds_beside_forests():
    said = []
    molecules = labelled(fold_table(smiles=SMILES[:6]), TrainingPlan(Path()), [].append)
    splits = [Split(np.array([4, 5]), np.array([4, 5]), np.array([0, 1, 2, 3]))] * 4
    y = labels_of(molecules)[splits[0].test].astype(float)
    record = cross_validate(
        molecules, splits, "random", Path(), lambda split, folder: {"ours": y, "forest": 1 - y}, said.append
    )
    assert record["figures"]["ours"]["ROC-AUC"] == [1.0] * 4
    assert record["figures"]["forest"]["ROC-AUC"] == [0.0] * 4
    assert record["compared"].startswith("ours beats forest by 1.000")
    assert said[-1] == record["compared"]
