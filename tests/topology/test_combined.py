"""Unions and hubs."""

import pytest
import torch

from graphattn.topology import Causal, Edges, Full, Grid, Star, Union, Window, collate, with_hubs

RING = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]]))


def test_a_union_has_the_edges_of_its_parts_one_behind_the_other():
    graph = Causal([3]) | RING | Grid(1, 3, kernel_size=(1, 3))
    assert [type(part) for part in graph.parts] == [Causal, Edges, Grid]
    ends = [part.edge_index() for part in graph.parts]
    assert torch.equal(graph.edge_index(), torch.cat(ends, dim=1))
    assert graph.num_edges == sum(part.size(1) for part in ends) == 6 + 3 + 7
    assert torch.equal(graph.mask(), graph.parts[0].mask() | RING.mask() | graph.parts[2].mask())
    assert graph.degrees().tolist() == [1 + 1 + 2, 2 + 1 + 3, 3 + 1 + 2]
    assert "parts=Causal | Edges | Grid" in repr(graph)


def test_types_of_a_union_are_those_of_its_parts_behind_each_other():
    graph = RING | Grid(1, 3, kernel_size=(1, 3)) | Full([3])
    assert graph.num_edge_types == 1 + 3 + 1
    assert graph.edge_type().tolist() == [0, 0, 0, 2, 3, 1, 2, 3, 1, 2, *[4] * 9]


def test_what_two_parts_share_is_there_twice():
    graph = RING | RING
    assert (graph.num_edges, int(graph.mask().sum())) == (6, 3)
    assert graph.to_networkx().number_of_edges(0, 1) == 2


def test_unions_are_reversed_collated_and_chosen_from_by_part():
    graph = Causal([3]) | RING
    assert torch.equal(graph.reverse().mask(), graph.mask().T)
    assert torch.equal(graph.subgraph(torch.tensor([0, 2])).mask(), graph.mask()[[0, 2]][:, [0, 2]])
    both = collate([graph, graph])
    assert both.edge_type().tolist() == [0] * 12 + [1] * 6
    assert torch.equal(both.mask(), torch.block_diag(graph.mask().int(), graph.mask().int()).bool())
    assert graph.with_self_loops() is graph
    lonely = RING | RING
    assert lonely.with_self_loops().edge_type().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_hubs_hear_all_and_are_heard_by_all_of_their_graph_only():
    graph = with_hubs(Window([2, 0, 3], radius=0), hubs=2)
    assert graph.receivers.ptr.tolist() == [0, 4, 6, 11]
    assert graph.node_rows.tolist() == [0, 1, 6, 7, 8]
    assert graph.hub_rows.tolist() == [[2, 3], [4, 5], [9, 10]]
    blocks = []
    for n in (2, 0, 3):
        block = torch.ones(n + 2, n + 2, dtype=torch.int)
        block[:n, :n] = torch.eye(n)
        blocks.append(block)
    assert torch.equal(graph.mask(), torch.block_diag(*blocks).bool())


def test_edges_of_the_graph_come_first_then_nodes_hear_hubs_then_hubs_hear():
    graph = with_hubs(RING, hubs=1)
    assert graph.edge_index().tolist() == [[0, 1, 2, 3, 3, 3, 0, 1, 2, 3], [1, 2, 0, 0, 1, 2, 3, 3, 3, 3]]
    assert graph.edge_type().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    typed = with_hubs(Grid(1, 2, kernel_size=(1, 3)))
    assert typed.num_edge_types == 5
    assert typed.edge_type().tolist() == [1, 2, 0, 1, 3, 3, 4, 4, 4]


def test_rows_are_put_where_they_belong():
    graph = with_hubs(Full([2, 0, 1]), hubs=2)
    x, hubs = torch.tensor([[1.0], [2.0], [3.0]]), -torch.arange(1.0, 7).view(3, 2, 1)
    rows = graph.rows(x, hubs)
    assert rows.flatten().tolist() == [1, 2, -1, -2, -3, -4, 3, -5, -6]
    assert torch.equal(rows[graph.node_rows], x)
    assert torch.equal(rows[graph.hub_rows], hubs)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Union(), r"expected one topology or more, got none"),
        (lambda: Full([3]) | Full([2, 1]), r"over the same graphs, got Full\(graphs=1.* and Full\(graphs=2"),
        (lambda: Full([1]) | Star([1]), r"over the same graphs, got Full.* and Star"),
        (lambda: with_hubs(Star([3])), r"the same nodes for hubs, got Star"),
        (lambda: with_hubs(RING, hubs=0), r"expected at least one hub per graph, got hubs=0"),
        (
            lambda: collate([RING | RING, RING | Full([3])]),
            r"got Union\(parts=Edges \| Edges.*Union\(parts=Edges \| Full",
        ),
    ],
)
def test_wrong_combinations_are_refused_with_their_values(build, message):
    with pytest.raises(ValueError, match=message):
        build()
