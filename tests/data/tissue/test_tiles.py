"""Tiles with a halo: what layers make of a tile's own nodes, and their gradients, are those of the whole slide."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch_geometric.data import Data

from graphattn import Edges, SelfAttention
from graphattn.data import tissue
from graphattn.data.generated import mixed_cells
from graphattn.models import TISSUE_MODELS, TissueInputs


def slide(cells=150, seed=0):
    (graph,) = mixed_cells(1, cells=cells, seed=seed)
    draw = torch.Generator().manual_seed(seed)
    graph.x = torch.randn(cells, 4, generator=draw).double()
    graph.edge_attr = graph.edge_attr.double()
    graph.y = torch.randint(0, 3, (cells,), generator=draw)
    return graph


def of_tiles(model, graph, cells, hops):
    """The outputs of all nodes, and the gradients of the sum of the losses of tiles."""
    model.zero_grad()
    found = torch.full((graph.num_nodes, 3), torch.nan).double()
    for tile in tissue.tiles(graph, cells, hops):
        out = model(tile)
        cross_entropy(out, tile.y, reduction="sum").backward()
        found[tile.node[tile.own]] = out[tile.own].detach()
    return found, [weight.grad.clone() for weight in model.parameters()]


@pytest.mark.parametrize("cells", [11, 50, 1000])
@pytest.mark.parametrize("name", ["gland_graph", "slide_graph"])
def test_nodes_of_tiles_are_those_of_the_slide_values_and_gradients(name, cells):
    graph = slide()
    torch.manual_seed(0)
    model = TISSUE_MODELS[name](TissueInputs.of([graph]), 3, "node", 8).double().eval()
    whole = model(graph)
    cross_entropy(whole, graph.y, reduction="sum").backward()
    expected = [weight.grad.clone() for weight in model.parameters()]
    found, gradients = of_tiles(model, graph, cells, hops=2)
    torch.testing.assert_close(found, whole.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-10)


def test_a_halo_of_too_few_hops_is_another_result():
    graph, layers = slide(), nn.ModuleList(SelfAttention(4, heads=2) for _ in range(2)).double()

    def heard(data):
        x, edges = data.x, Edges(data.edge_index, len(data.x))
        return layers[1](layers[0](x, edges), edges)

    whole = heard(graph)
    for hops, same in ((0, False), (1, False), (2, True), (3, True)):
        parts = [(tile, heard(tile)) for tile in tissue.tiles(graph, 50, hops)]
        apart = max(float((out[tile.own] - whole[tile.node[tile.own]]).abs().max().detach()) for tile, out in parts)
        assert (apart < 1e-12) == same, (hops, apart)


@pytest.mark.parametrize("cells", [1, 13, 64, 65, 1000])
def test_every_node_is_the_own_of_one_tile_with_all_it_hears(cells):
    graph = slide(64)
    parts = list(tissue.tiles(graph, cells, hops=1))
    assert sorted(torch.cat([tile.node[tile.own] for tile in parts]).tolist()) == list(range(64))
    assert max(int(tile.own.sum()) for tile in parts) <= cells
    for tile in parts:
        ends = tile.node[tile.edge_index]
        kept = torch.isin(graph.edge_index[1], tile.node[tile.own])
        assert torch.equal(ends, graph.edge_index[:, kept])
        assert torch.equal(tile.edge_attr, graph.edge_attr[kept])
        assert torch.equal(tile.pos, graph.pos[tile.node])


def test_the_halo_is_not_labelled_and_what_is_of_the_slide_stays_with_it():
    graph = slide(64)
    graph.slide_level = torch.zeros(3)
    graph.image = "a"
    tile = next(tissue.tiles(graph, 16, hops=2))
    assert (tile.y[~tile.own] == -100).all()
    assert torch.equal(tile.y[tile.own], graph.y[tile.node[tile.own]])
    assert "slide_level" not in tile
    assert "image" not in tile
    graph.y = torch.rand(64)
    tile = next(tissue.tiles(graph, 16, hops=1))
    assert tile.y[~tile.own].isnan().all()
    assert graph.y.isfinite().all()


def test_slides_without_cells_or_edges():
    nothing = Data(pos=torch.empty(0, 2), edge_index=torch.empty(2, 0).long(), num_nodes=0)
    assert list(tissue.tiles(nothing, 5, hops=1)) == []
    alone = Data(pos=torch.rand(3, 2), edge_index=torch.empty(2, 0).long())
    assert [tile.num_nodes for tile in tissue.tiles(alone, 2, hops=2)] == [2, 1]


@pytest.mark.parametrize(
    ("cells", "hops", "words"),
    [(0, 1, "from 1 as cells, got 0"), (2.5, 1, "from 1 as cells, got 2.5"), (3, -1, "from 0 as hops, got -1")],
)
def test_sizes_that_are_none_are_refused(cells, hops, words):
    with pytest.raises(ValueError, match=f"expected a whole number {words}"):
        next(tissue.tiles(slide(4), cells, hops))
