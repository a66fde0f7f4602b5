"""Compiled kernels are kept on disk, and compiled anew when what they call from another file has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphattn.backends.numba.lanes as shared
from graphattn.backends.numba.lanes import lanes

SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import kernels
from lanes import lanes
y = np.zeros(4, np.float32)
kernels.add_twice(lanes(4), y, np.ones(4, np.float32))
print(int(y[0]), sum(kernels.add_twice.stats.cache_hits.values()))
"""
KERNEL = """
from lanes import add, compiled
import numpy as np

@compiled
def add_twice(lanes, y, x):
    add(y, 0, np.float32(2), x, 0, lanes)
"""


@pytest.mark.parametrize(("channels", "number"), [((16,), 16), ((24, 16), 8), ((7,), 1), ((256,), 64), ((0,), 1)])
def test_lanes_divide_all_channels(channels, number):
    assert lanes(*channels).dtype.itemsize == number


def test_an_edit_of_what_kernels_share_is_seen(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    text = Path(shared.__file__).read_text()
    (folder / "kernels.py").write_text(KERNEL)

    def run():
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        command = [sys.executable, "-c", SCRIPT, str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    (folder / "lanes.py").write_text(text)
    assert run() == ["2", "0"]
    assert run() == ["2", "1"]
    product = "builder.fmul(spread(builder, arguments[2], vector), other, flags=MATH)"
    assert product in text
    (folder / "lanes.py").write_text(text.replace(product, "other"))
    assert run() == ["1", "0"]
