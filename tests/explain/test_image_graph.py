import pytest
import torch
from matplotlib.figure import Figure

from graphattn.explain.image_graph import draw_on_image
from graphattn.topology import Grid


def test_lines_come_from_those_who_are_heard():
    axes, graph = Figure().subplots(), Grid(4, 5)
    pos = torch.cartesian_prod(torch.arange(4.0), torch.arange(5.0))
    draw_on_image(torch.rand(4, 5), axes, graph, pos, receiver=0)
    heard = {(line.get_ydata()[0], line.get_xdata()[0]) for line in axes.lines}
    assert heard == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all((line.get_ydata()[1], line.get_xdata()[1]) == (0, 0) for line in axes.lines)


def test_every_node_has_a_place():
    with pytest.raises(ValueError, match="places of 9 nodes, got 8"):
        draw_on_image(torch.rand(3, 3), Figure().subplots(), Grid(3, 3), torch.zeros(8, 2), receiver=0)
