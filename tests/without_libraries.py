"""A process in which only torch, PyG, SciPy and what they bring along can be imported."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What torch and PyG bring along or layers are made of.
NEEDED = {"torch", "torch-geometric", "networkx", "numpy", "scipy", "filelock", "jinja2", "lazy-loader"}
MODULES = {"scikit-learn": "sklearn", "lightning": "lightning pytorch_lightning"}

HIDE = """
import importlib.abc, sys, warnings
warnings.simplefilter("ignore")
HIDDEN = set({hidden!r})

class Hiding(importlib.abc.MetaPathFinder):
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Hiding, sys.meta_path)
"""


def hidden():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    packages = {requirement.partition(">=")[0] for requirement in declared} - NEEDED
    return {module for package in packages for module in MODULES.get(package, package).split()}


def said(code, **environment):
    """Lines that a process without these libraries prints."""
    program = f"{HIDE.format(hidden=sorted(hidden()))}\n{code}\nassert not HIDDEN & set(sys.modules), sys.modules"
    known = {"cwd": ROOT, "env": os.environ | environment, "capture_output": True, "text": True}
    finished = subprocess.run([sys.executable, "-c", program], check=False, **known)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()
