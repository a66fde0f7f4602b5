import pytest
import torch

from graphattn.encoding import LearnedPlaces
from graphattn.topology import Full, Star


def test_each_place_has_its_row():
    places = LearnedPlaces(3, channels=4)
    assert torch.equal(places(Full([2, 0, 3])), places.table[torch.tensor([0, 1, 0, 1, 2])])
    assert torch.equal(places(Star([1, 2], hubs=5)), places.table[torch.tensor([0, 0, 1])])
    assert places(Full([])).shape == places(Full([0, 0])).shape == (0, 4)


def test_rows_learn_and_are_drawn_anew():
    places = LearnedPlaces(3, channels=4)
    places(Full([2, 1])).sum().backward()
    assert places.table.grad.tolist() == [[2.0] * 4, [1.0] * 4, [0.0] * 4]
    before = places.table.clone()
    places.reset_parameters()
    assert not torch.equal(places.table, before)


def test_a_graph_beyond_the_table_is_refused():
    with pytest.raises(ValueError, match="graphs of at most 3 nodes, got one of 4"):
        LearnedPlaces(3, channels=4)(Full([2, 4]))


def test_it_compiles_into_one_graph():
    places, graph = LearnedPlaces(8, channels=4), Full([2, 5])
    torch._dynamo.reset()
    assert torch.equal(torch.compile(places, fullgraph=True, backend="eager")(graph), places(graph))
