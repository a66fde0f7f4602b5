import torch
from matplotlib.figure import Figure

from graphattn.explain.score_drawing import draw_scores


def test_every_run_is_a_dot_and_what_is_known_a_bar_beside_them():
    axes = Figure().subplots()
    scores = {("ViT", "with"): [0.96, 0.97], ("ViT", "without"): [0.75], ("CNN", "with"): [0.98]}
    draw_scores(scores, axes, {("ViT", "without"): 0.77, ("MLP", "with"): 0.9})
    dots = [dot.get_offsets().tolist() for dot in axes.collections if len(dot.get_offsets())]
    assert [[x for x, _ in row] for row in dots] == [[0.96, 0.97], [0.75], [0.98]]
    heights = [row[0][1] for row in dots]
    assert heights[0] < 0 < heights[1] < 0.5 < heights[2] < 1
    (bar,) = (line for line in axes.lines if len(line.get_xdata()))
    assert list(bar.get_xdata()) == [0.77, 0.77]
    assert min(bar.get_ydata()) < heights[1] < max(bar.get_ydata())
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["with", "without", "known"]


def test_scores_may_be_tensors_and_nothing_known():
    axes = Figure().subplots()
    draw_scores({("ViT", "with"): torch.tensor([0.96]).tolist()}, axes)
    assert not axes.lines
