"""Vectors do what NumPy does; compiled kernels are compiled anew when what they call from another file has changed."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import graphattn.backends.numba.vector as shared
from graphattn.backends.numba.compiling import inner
from graphattn.backends.numba.vector import bits, count, exp, highest, lanes_of, load, select, store, total

SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import kernels
from vector import lanes_of
y = np.zeros(4, np.float32)
kernels.add_twice(lanes_of(4), y, np.ones(4, np.float32))
print(int(y[0]), sum(kernels.add_twice.stats.cache_hits.values()))
"""
KERNEL = """
from graphattn.backends.numba.compiling import compiled
from vector import add_all
import numpy as np

@compiled
def add_twice(lanes, y, x):
    add_all(y, 0, np.float32(2), x, 0, 4, lanes)
"""
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.mark.parametrize(("channels", "number"), [((16,), 16), ((24, 16), 8), ((7,), 1), ((256,), 64), ((0,), 1)])
def test_lanes_divide_all_channels(channels, number):
    assert count(numba.typeof(lanes_of(*channels))) == number


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

    (folder / "vector.py").write_text(text)
    assert run() == ["2", "0"]
    assert run() == ["2", "1"]
    product = "add(y, yt + c, factor * load(x, xt + c, lanes))"
    assert product in text
    (folder / "vector.py").write_text(text.replace(product, "add(y, yt + c, load(x, xt + c, lanes))"))
    assert run() == ["1", "0"]


@inner
def raised(x, y):
    for at in range(0, x.size, 16):
        store(y, at, exp(load(x, at, 16)))


@DTYPES
def test_the_exponential_is_exact_to_a_few_bits(dtype):
    low = -87 if dtype == np.float32 else -708
    x, y = np.linspace(low + 0.01, 1, 1024).astype(dtype), np.empty(1024, dtype)
    raised(x, y)
    np.testing.assert_allclose(y, np.exp(x.astype(np.float64)), rtol=4 * np.finfo(dtype).eps)


@DTYPES
def test_what_is_very_low_is_silent_and_no_number_stays_none(dtype):
    x, y = np.full(16, -np.inf, dtype), np.empty(16, dtype)
    x[:4] = 0, -1e4, np.nan, -1
    raised(x, y)
    np.testing.assert_allclose(y[:4], [1, 0, np.nan, np.exp(-1)], rtol=1e-6)
    assert not y[4:].any()


@inner
def compared(x, y, out):
    a, b = load(x, 0, 8), load(y, 0, 8)
    store(out, 0, select((a > b) | (a != a), a * 2 - b, 0))
    return bits(a == b), bits(a < 1), total(b), highest(b)


@DTYPES
def test_vectors_are_compared_lane_by_lane(dtype):
    x, y, out = np.arange(8, dtype=dtype), np.array([3, 1, 2, 2, 9, 5, -1, 0], dtype), np.empty(8, dtype)
    x[7] = np.nan
    equal, low, whole, most = compared(x, y, out)
    np.testing.assert_array_equal(out, [0, 0, 0, 4, 0, 0, 13, np.nan])
    assert [equal, low] == [0b00100110, 0b00000001]
    assert [whole, most] == [21, 9]
