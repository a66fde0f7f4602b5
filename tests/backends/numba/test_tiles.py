"""Instructions for small matrices do what torch and NumPy do."""

import numpy as np
import pytest

from graphattn.backends.numba.lanes import inner
from graphattn.backends.numba.products import multiply
from graphattn.backends.numba.tiles import exponentials, highest, turn_square


@inner
def multiplied(out, ostep, left, lrow, lstep, right, rstep, rows, columns, number, more):
    multiply(out, ostep, left, lrow, lstep, right, rstep, rows, columns, number, more)


@inner
def raised(x, at, number, top, factor):
    return exponentials(x, at, number, top, factor), highest(x, at, number)


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
def test_the_exponential_is_exact_to_a_few_bits(dtype):
    low = -87 if dtype == np.float32 else -708
    x = np.linspace(low + 0.01, 0, 1024).astype(dtype)
    out = np.append(np.zeros(16, dtype), x)
    total, _ = raised(out, 16, 1024, dtype(0), dtype(1))
    np.testing.assert_allclose(out[16:], np.exp(x.astype(np.float64)), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(total, np.exp(x.astype(np.float64)).sum(), rtol=1e-5)
    assert not out[:16].any()


@DTYPES
def test_what_is_very_low_is_silent(dtype):
    x = np.full(16, -np.inf, dtype)
    x[3], x[5], x[7] = 0, -1e4, 2
    total, top = raised(x, 0, 16, dtype(2), dtype(0.5))
    np.testing.assert_allclose(x[[0, 3, 5, 7]], [0, 0.5 * np.exp(-2), 0, 0.5], rtol=1e-6)
    assert top == 0.5
    np.testing.assert_allclose(total, x.sum(), rtol=1e-6)


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
