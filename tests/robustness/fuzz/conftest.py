import sys
from pathlib import Path

# `python -m tests.robustness.fuzz` and tests import the same modules; importlib mode puts no folder on the path.
sys.path.insert(0, str(Path(__file__).parents[3]))
