import os
import re

import pytest

from graphattn import files
from graphattn.training.folder.checks import check_drawings, check_file, check_folder, read_description, writing


def test_new_and_empty_folders_are_free(tmp_path):
    check_folder(tmp_path, resume=False)
    check_folder(tmp_path / "new" / "deep", resume=False)


def test_taken_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path} is not empty: name another folder with --out")):
        check_folder(tmp_path, resume=False)


def test_drawings_go_into_any_folder_but_that_of_a_model(tmp_path):
    check_drawings(tmp_path)
    check_drawings(tmp_path / "new" / "deep")
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(
        ValueError, match=re.escape(f"{tmp_path} holds a model, whose files drawings could replace; name")
    ):
        check_drawings(tmp_path)
    taken = tmp_path / "model.json"
    with pytest.raises(ValueError, match=re.escape(f"cannot write to {taken}: {taken} is a file")):
        check_drawings(taken)


def test_files_of_what_is_saved_are_not_replaced(tmp_path):
    for name in ("model.json", "notes.csv"):
        (tmp_path / name).write_text("{}")
    files.seal(tmp_path, ["model.json"])
    for name in ("model.json", "manifest.json"):
        refused = re.escape(f"{tmp_path / name} belongs to what is saved in {tmp_path}; name another file with --out")
        with pytest.raises(ValueError, match=refused):
            check_file(tmp_path / name, "-")
    check_file(tmp_path / "notes.csv", "-")
    (tmp_path / "manifest.json").write_text("[")
    check_file(tmp_path / "model.json", "-")


def test_unfinished_folder_can_be_resumed(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "settings.json").write_text("{}")
    check_folder(tmp_path, resume=True)
    with pytest.raises(
        ValueError, match="is not empty: add --resume to go on with the training in it, or name another"
    ):
        check_folder(tmp_path, resume=False)


def test_a_training_that_was_killed_early_can_be_resumed(tmp_path):
    (tmp_path / "rejected.csv").write_text("line,reason,smiles")
    check_folder(tmp_path, resume=True)
    (tmp_path / "training").mkdir()
    check_folder(tmp_path, resume=True)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="holds no interrupted training: nothing to resume"):
        check_folder(tmp_path, resume=True)


def test_a_folder_that_another_training_has_filled_meanwhile_is_refused(tmp_path):
    with writing(tmp_path, resume=False):
        again = pytest.raises(ValueError, match=f"expected one training at a time in {tmp_path / 'training'}")
        with again, writing(tmp_path, resume=False):
            pass
        (tmp_path / "model.json").touch()
    filled = pytest.raises(ValueError, match=f"{tmp_path} is not empty: another training has written to it")
    with filled, writing(tmp_path, resume=False):
        pass
    with writing(tmp_path, resume=True):
        pass


def test_a_training_that_is_refused_before_it_has_made_anything_leaves_nothing_behind(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="refused"), writing(out, resume=False):  # noqa: PT012
        (out / "training" / "settings.json").touch()
        raise ValueError("refused")
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    with pytest.raises(ValueError, match="refused"), writing(out, resume=False):
        raise ValueError("refused")
    assert list(tmp_path.rglob("*")) == [out]


def test_a_refused_training_keeps_what_was_made_and_what_a_resumed_one_has_found(tmp_path):
    with pytest.raises(ValueError, match="refused"), writing(tmp_path, resume=False):  # noqa: PT012
        (tmp_path / "rejected.csv").touch()
        raise ValueError("refused")
    assert (tmp_path / "rejected.csv").is_file()
    (tmp_path / "rejected.csv").unlink()
    (tmp_path / "training" / "settings.json").touch()
    with pytest.raises(ValueError, match="refused"), writing(tmp_path, resume=True):
        raise ValueError("refused")
    assert (tmp_path / "training" / "settings.json").is_file()


def test_a_training_that_was_killed_while_it_wrote_its_first_file_is_resumed(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "rejected.csv.partial").touch()
    check_folder(tmp_path, resume=True)
    (tmp_path / "mine.csv.partial").touch()
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path} holds no interrupted training: nothing to resume")):
        check_folder(tmp_path, resume=True)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path} holds no interrupted training: nothing to resume")):
        check_folder(tmp_path, resume=True)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path} holds a finished model: nothing to resume")):
        check_folder(tmp_path, resume=True)


def test_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ValueError, match=re.escape(f"cannot write to {tmp_path / 'file' / 'x'}: {tmp_path / 'file'} is a file")
    ):
        check_folder(tmp_path / "file" / "x", resume=False)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=re.escape(f"cannot write to {tmp_path / 'x'}: {tmp_path} is not writable")):
        check_folder(tmp_path / "x", resume=False)


def test_file_that_cannot_be_written(tmp_path, monkeypatch):
    check_file(tmp_path / "out.csv", "in.csv")
    with pytest.raises(ValueError, match=re.escape(f"cannot write to {tmp_path}: it is a folder")):
        check_file(tmp_path, "in.csv")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'no'} is no folder")):
        check_file(tmp_path / "no" / "out.csv", "in.csv")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path} is not writable")):
        check_file(tmp_path / "out.csv", "in.csv")


def test_file_that_is_read(tmp_path):
    (tmp_path / "in.csv").write_text("")
    with pytest.raises(ValueError, match=r"in\.csv is the input; name another file"):
        check_file(tmp_path / "in.csv", str(tmp_path / "in.csv"))


def test_json_that_is_no_description(tmp_path):
    (tmp_path / "model.json").write_text("[1]")
    with pytest.raises(
        ValueError, match=r"has format None, .* use the version that made it \(unknown\) or train again"
    ):
        read_description(tmp_path)
