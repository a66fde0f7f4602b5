import multiprocessing
from pathlib import Path

import pytest

from graphattn import files


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    files.write(path, "old")

    def killed(self, target):
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(OSError, match="killed"):
            files.write(path, "new")
    assert path.read_text() == "old"
    files.write(path, b"new")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["model.json"]


def _hold(lock, held, done):
    with files.alone(lock, "training"):
        held.set()
        done.wait(30)


def test_two_processes_are_never_inside_at_once(tmp_path):
    context, lock = multiprocessing.get_context("fork"), tmp_path / "running.lock"
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(lock, held, done))
    other.start()
    assert held.wait(30)
    again = pytest.raises(ValueError, match=f"expected one training at a time in {tmp_path}, got a second one")
    with again, files.alone(lock, "training"):
        pass
    other.kill()
    other.join()
    with files.alone(lock, "training"):
        assert lock.exists()
