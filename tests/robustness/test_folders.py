"""A model folder that was damaged is refused in words, or predicts as a model should."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_damaged_folders_are_refused_or_predict():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.robustness.folders", "--cases", "40"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    *wrong, count = done.stdout.splitlines()
    assert wrong == []
    assert count == "40 tried, 40 survived", done.stderr
    assert done.returncode == 0
