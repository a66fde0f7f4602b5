"""A training that is killed goes on to the same bits, whatever it was about to write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("killed", ["train", "compare", "tissue", "pretrain"])
def test_what_is_killed_goes_on(killed):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.robustness.kills", "--runs", "8", "--command", killed]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    *wrong, count = done.stdout.splitlines()
    assert wrong == []
    assert count.startswith("8 tried, 8 survived"), done.stderr
    assert done.returncode == 0
