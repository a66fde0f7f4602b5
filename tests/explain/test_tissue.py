"""Pictures of tissue: types or scores, edges up to a number, and a bar of the right length."""

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from torch_geometric.data import Data

from graphattn.data import tissue
from graphattn.explain.tissue import draw_tissue


def graph(count=40, **given):
    pos = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 200
    held = {
        "unit": "um",
        "mpp": 0.5,
        "image": "biopsy",
        "cell_type": torch.arange(count) % 3 - 1,
        "cell_type_names": ["B", "T"],
    }
    return tissue.knn(Data(pos=pos, origin=torch.zeros(2, dtype=torch.float64), **(held | given)), 4)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_types_have_a_legend_with_their_numbers_and_a_bar_in_micrometres():
    (axes,) = draw_tissue(graph()).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["B (13)", "T (13)", "without a type (14)"]
    assert texts(axes) == ["20 µm"]
    assert axes.get_title() == "biopsy: 40 cells, 160 edges"
    assert axes.yaxis_inverted()


def test_the_bar_is_as_long_as_it_says():
    (axes,) = draw_tissue(graph()).axes
    (bar,) = axes.lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(20)
    (over,) = draw_tissue(graph(), image=np.zeros((400, 400))).axes
    (bar,) = over.lines
    assert texts(over) == ["20 µm"]
    assert np.ptp(bar.get_xdata()) == pytest.approx(40)  # in pixels of half a micrometre


def test_scores_have_a_bar_around_zero():
    axes, bar = draw_tissue(graph(), torch.linspace(-2, 1, 40), name="risk").axes
    assert bar.get_ylabel() == "risk"
    assert axes.collections[-1].get_clim() == (-2, 2)
    axes, _ = draw_tissue(graph(), [0.25] * 39 + [float("nan")]).axes
    assert axes.collections[-1].get_clim() == (0.25, 1.25)


def test_one_outlier_pales_no_others():
    axes, _ = draw_tissue(graph(400), np.r_[np.linspace(0, 1, 399), 1000.0]).axes
    assert axes.collections[-1].get_clim()[1] < 1.01


def test_many_edges_are_not_drawn_and_that_is_said(monkeypatch):
    monkeypatch.setattr("graphattn.explain.tissue.MOST_EDGES", 100)
    (axes,) = draw_tissue(graph()).axes
    assert axes.get_title() == "biopsy: 40 cells, 160 edges not drawn"
    assert not any(isinstance(each, LineCollection) for each in axes.collections)


@pytest.mark.parametrize("count", [0, 1])
def test_an_image_of_no_cell_or_one_is_drawn(count, tmp_path):
    draw_tissue(graph(count)).savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_without_a_unit_there_is_no_bar():
    (axes,) = draw_tissue(graph(unit="unknown")).axes
    assert texts(axes) == []


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"expected scores of shape \(40,\), one for each cell, got \(3,\)"):
        draw_tissue(graph(), [1, 2, 3])
    with pytest.raises(ValueError, match="says no pixel size"):
        draw_tissue(graph(mpp=float("nan")), image=np.zeros((4, 4)))
