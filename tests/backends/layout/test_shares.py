"""Who shares a tile: the cheapest way in order of size, found by trying all."""

from itertools import combinations, pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from graphattn.backends.layout.shares import alike, cheapest
from graphattn.backends.layout.tiles import graphs_of
from graphattn.topology import Cross, Full


def cost(sizes, many, starts, call):
    total = 0
    for start, end in pairwise([*starts, len(sizes)]):
        n, m = (max(size[k] for size in sizes[start:end]) for k in (0, 1))
        total += call + sum(many[start:end]) * n * m
    return total


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5)), min_size=1, max_size=6))
def test_no_other_cut_costs_less(pieces):
    pieces = sorted(pieces)
    sizes, many = [piece[:2] for piece in pieces], [piece[2] for piece in pieces]
    tiles = cheapest(sizes, many, call=200)
    starts = [kind for kind in range(len(tiles)) if kind == 0 or tiles[kind] != tiles[kind - 1]]
    others = [(0, *cuts) for count in range(len(sizes)) for cuts in combinations(range(1, len(sizes)), count)]
    assert tiles[0] == 0
    assert all(late - early in (0, 1) for early, late in pairwise(tiles))
    assert cost(sizes, many, starts, 200) == min(cost(sizes, many, other, 200) for other in others)


def test_alike_sizes_share_and_a_large_graph_stands_alone():
    graph = Full([10, 300, 11, 0, 12])
    assert [share.pieces.tolist() for share in alike(graphs_of(graph), torch.tensor([0, 1, 2, 4]))] == [[0, 2, 4], [1]]
    assert len(Full([20, 30] * 4).plan().tiles) == 1


def test_many_sizes_are_rounded_until_they_are_few():
    sizes = list(range(1, 400))
    tiles = Cross(sizes, sizes[::-1]).plan().tiles
    assert sum(tile.receiver.size(0) for tile in tiles) == 399
    assert len(tiles) <= 64


def test_large_tiles_keep_no_pairs():
    large, small = Full([2000]).plan().tiles[0], Full([20]).plan().tiles[0]
    assert large.known is None
    assert small.known is not None
    assert large.edge[0, 3, 7] == 3 * 2000 + 7
