"""Instructions for small matrices do what torch and NumPy do."""

import numpy as np
import pytest

from graphattn.backends.numba.compiling import inner
from graphattn.backends.numba.matrices import multiply, turn_square


@inner
def multiplied(out, ostep, left, lrow, lstep, right, rstep, rows, columns, number, more):
    multiply(out, ostep, left, lrow, lstep, right, rstep, rows, columns, number, more)


@inner
def turned(y, ystep, x, xstep, rows):
    turn_square(y, 0, ystep, x, 0, xstep, rows)


DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
@pytest.mark.parametrize(("rows", "number", "panels"), [(4, 1, 1), (8, 5, 1), (12, 3, 2), (20, 16, 3), (4, 0, 5)])
def test_products_of_matrices(dtype, rows, number, panels):
    random, columns = np.random.default_rng(0), panels * 64 // np.dtype(dtype).itemsize
    left, right = random.normal(size=(rows, number)).astype(dtype), random.normal(size=(number, columns)).astype(dtype)
    start = random.normal(size=(rows, columns)).astype(dtype)
    for more in (0, 1):
        for kept, row, step in ((left, number, 1), (left.T, 1, rows)):
            out = start.copy().ravel()
            flat = np.ascontiguousarray(kept).ravel()
            multiplied(out, columns, flat, row, step, right.ravel(), columns, rows, columns, number, more)
            np.testing.assert_allclose(out.reshape(rows, columns), more * start + left @ right, rtol=1e-5, atol=1e-5)


@DTYPES
def test_squares_are_turned_and_the_last_row_repeated(dtype):
    size = 64 // np.dtype(dtype).itemsize
    x = np.arange(size * 20, dtype=dtype).reshape(size, 20)
    for rows in (size, 5, 1):
        out = np.zeros((size, size + 3), dtype)
        turned(out.ravel(), size + 3, x[:rows].ravel(), 20, rows)
        np.testing.assert_array_equal(out[:, :rows], x[:rows, :size].T)
        np.testing.assert_array_equal(out[:, rows:size], np.repeat(x[rows - 1, :size, None], size - rows, 1))
        assert not out[:, size:].any()
