"""Forms of graphs, and what is read of them."""

import torch
from torch_geometric.data import Data

from graphattn.data.graphs import fault, form, gaps, misfits, plain

RING = torch.tensor([[0, 1, 2], [1, 2, 0]])


def ring(**more):
    return Data(x=torch.ones(3, 2), edge_index=RING, **more)


def test_the_form_names_weights():
    assert str(form(ring(edge_weight=torch.ones(3)))) == "x of 2 numbers, edge_index"
    assert form(ring(edge_weight=torch.ones(3))).edge_weight
    assert not form(ring(edge_weight=torch.ones(3)), reads=()).edge_weight


def test_what_is_not_read_is_neither_a_fault_nor_a_form_nor_copied():
    odd = ring(edge_attr=torch.full((3, 1), torch.inf), edge_weight=torch.full((3,), torch.nan))
    assert fault(odd) == "edge_attr of edge 0 is inf in feature 0"
    assert fault(odd, {"edge_weight"}) == "edge_weight of edge 0 is nan"
    assert fault(odd, ()) == ""
    assert misfits([odd, ring()], reads=())[1] == {}
    assert sorted(plain(odd, reads=()).keys()) == ["edge_index", "x"]


def test_weights_are_a_feature_of_numbers_and_none_of_categories():
    weight = torch.tensor([2, 3, 4])
    numbers = plain(ring(edge_attr=torch.ones(3, 1), edge_weight=weight))
    assert numbers.edge_attr.tolist() == [[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]
    categories = plain(ring(edge_attr=torch.tensor([1, 0, 1]), edge_weight=weight))
    assert categories.edge_attr.tolist() == [[1], [0], [1]]
    assert categories.edge_weight.tolist() == [2.0, 3.0, 4.0]
    assert "edge_attr" not in plain(ring(edge_weight=weight), reads={"edge_weight"})


def test_gaps_are_counted_over_all_graphs():
    nan = torch.nan
    held = [
        ring(),
        Data(x=torch.tensor([[nan, 1.0]] * 1_000), edge_index=RING, edge_attr=torch.tensor([nan, 1.0, nan])),
    ]
    assert gaps(held) == (
        "feature 0: 1,000 of 1,003 values missing, replaced by the mean of the training part",
        "edge feature 0: 2 of 3 values missing, replaced by the mean of the training part",
    )
    assert gaps(held, reads=()) == gaps(held)[:1]
    assert gaps([Data(x=torch.ones(3, 1).long(), edge_index=RING)]) == ()
