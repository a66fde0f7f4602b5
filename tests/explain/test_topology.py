"""Drawings of topologies: what is on them, not how they look."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from graphattn.explain.topology import COLOURS, draw
from graphattn.topology import Causal, Cross, Edges, Full, Grid, Line, Prefix, Star, Window, with_hubs

RING = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]]))
GRAPHS = [
    Full([3, 2]),
    Causal([4]),
    Causal([4]).reverse(),
    Window([5], radius=1),
    Prefix([4, 1], prefix=2),
    Cross([3, 0, 2], [1, 2, 2]),
    Star([4]),
    Grid(3, 4),
    Grid(4, 4, 2, 2, padding=0, images=2),
    Line([5, 4], 3, 2, padding=1),
    with_hubs(RING, hubs=2),
    RING | Full([3]),
    Full([]),
    Full([0, 1]),
]


@pytest.mark.parametrize("graph", GRAPHS, ids=repr)
def test_every_topology_is_drawn_with_an_arrow_for_each_edge_and_its_matrix(graph, tmp_path):
    figure = graph.draw()
    nodes, matrix = figure.axes
    sender, receiver = graph.edge_index()
    others = len(sender) if graph.senders is not graph.receivers else int((sender != receiver).sum())
    assert sum(isinstance(patch, FancyArrowPatch) for patch in nodes.patches) == others
    cells = np.asarray(matrix.images[0].get_array()) if matrix.images else np.ones((0, 0, 3))
    assert np.array_equal((cells != 1).any(-1), graph.mask().numpy())
    assert str(graph) == figure.get_suptitle()
    figure.savefig(tmp_path / "graph.png", dpi=40)
    assert (tmp_path / "graph.png").stat().st_size > 1000


def test_colours_are_types_and_one_receiver_stands_out():
    figure = draw(Line([3]), title="a line", receiver=1)
    assert figure.get_suptitle() == "a line"
    cells = np.asarray(figure.axes[1].images[0].get_array())
    assert np.allclose(cells[1], [to_rgb(colour) for colour in COLOURS[:3]])
    assert (cells[0, 0] > to_rgb(COLOURS[1])).all()
    alphas = sorted(patch.get_alpha() for patch in figure.axes[0].patches)
    assert alphas[-1] == 1
    assert alphas[0] < 0.5


def test_a_picture_of_too_many_edges_is_refused():
    with pytest.raises(ValueError, match=r"at most 3000 edges in a picture, got Causal.*edges=5050\)"):
        Causal([100]).draw()


def test_topologies_do_not_import_matplotlib():
    code = "import sys, graphattn.topology, graphattn.explain.topology; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
