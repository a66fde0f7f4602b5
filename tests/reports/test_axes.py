"""Where values stand, which ticks there are, and what may be too far off to be shown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphattn.reports.axes import PlotAxis, around, decades, lowest_shown, polyline, together, written

NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20)


@given(NUMBERS)
def test_every_value_is_on_its_axis(values):
    axis = around(values)
    assert all(axis.low < value < axis.high for value in values)
    assert all(0 <= axis.at(value) <= 100 for value in values)
    assert [axis.at(value) for value in sorted(values)] == sorted(axis.at(value) for value in values)


def test_what_is_outside_is_on_the_edge():
    assert (PlotAxis(0.0, 1.0).at(-5.0), PlotAxis(0.0, 1.0).at(5.0)) == (0.0, 100.0)


def test_values_that_are_not_known_make_no_axis_wider():
    assert around([0.0, math.nan, 1.0]) == around([0.0, 1.0])
    assert decades([0.0, math.nan, 1.0, 10.0]) == decades([1.0, 10.0])
    assert around([]).low < 0 < around([]).high
    assert decades([]).low < 1 < decades([]).high


@given(st.floats(-10, 10), st.floats(1e-3, 10))
def test_ticks_are_inside_and_some(low, width):
    ticks = PlotAxis(low, low + width).ticks()
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-6 <= tick <= low + width + 1e-6 for tick in ticks)


def test_logarithmic_ticks():
    assert PlotAxis(0.9, 11.0, logarithmic=True).ticks() == [1.0, 2.0, 5.0, 10.0]
    assert PlotAxis(0.9, 1.2e4, logarithmic=True).ticks() == [1.0, 10.0, 100.0, 1000.0, 10000.0]
    assert PlotAxis(1.0, 100.0, logarithmic=True).at(10.0) == pytest.approx(50)


def test_ticks_are_written_alike():
    assert written([-0.25, 0.0, 0.25]) == ["−0.25", "0.00", "0.25"]
    assert written([]) == []


@pytest.mark.parametrize(
    ("values", "lowest"),
    [
        ([0.93, 0.9, 0.5], 0.9),  # the upper half, and what is not far below
        ([0.93, 0.5], 0.93),
        ([0.9, 0.8, 0.72, 0.6], 0.6),
        ([0.5, 0.5, 0.5], 0.5),
        ([0.7], 0.7),
        ([math.nan, 0.7], 0.7),
    ],
)
def test_the_lowest_that_is_shown(values, lowest):
    assert lowest_shown(values) == lowest


def test_nothing_is_below_no_values():
    assert lowest_shown([]) == -math.inf


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([1.0, 1.2, 1.4, 1.1, 200.0], (1.0, 1.4)),  # one far above
        ([0.001, 1.0, 1.2, 1.4, 1.1], (1.0, 1.4)),  # one far below
        ([1.0, 1.1, 9.0, 10.0], (1.0, 10.0)),  # two groups are no outliers
        ([1.0, 1.0, 1.0, 1.5], (1.0, 1.5)),  # not threefold
        ([1.0, 500.0], (1.0, 500.0)),
        ([math.nan, 0.0], (1.0, 1.0)),
    ],
)
def test_what_shares_a_logarithmic_axis(values, ends):
    assert together(values) == ends


def test_a_line_leaves_out_what_is_not_known():
    axis = PlotAxis(0.0, 4.0)
    assert polyline(axis, axis, [1, 2, 3], [4.0, math.nan, 0.0]) == "25,0 75,100"
