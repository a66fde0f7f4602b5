"""A training that is killed goes on to the same bits, whatever it was about to write."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_killed_trainings_go_on():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.robustness.kills", "--runs", "8"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    *wrong, count = done.stdout.splitlines()
    assert wrong == []
    assert count.startswith("8 tried, 8 survived"), done.stderr
    assert done.returncode == 0
