from matplotlib.figure import Figure

from graphattn.training.curve_drawing import draw_curves
from graphattn.training.runs import Curves


def test_curves_are_drawn_over_steps_and_what_was_kept_is_marked():
    rows = [{"step": 5.0, "loss": 2.0, "val_exact": 0.1}, {"step": 10.0, "loss": 1.0, "val_exact": 0.7}]
    axes = Figure().subplots()
    draw_curves(Curves(rows, 0.1, 0), axes, ["loss", "val_exact"])
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    assert drawn[:2] == [[[5, 2], [10, 1]], [[5, 0.1], [10, 0.7]]]
    assert drawn[2] == [[5, 0], [5, 1]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training loss", "val_exact"]
