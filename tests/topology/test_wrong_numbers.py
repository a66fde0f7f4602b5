"""What is no number of nodes, steps or hubs is refused in words when a topology is made."""

import re
from functools import partial

import pytest
import torch

from graphattn.topology import Causal, Cross, Edges, Full, Grid, Line, Prefix, Star, Window, with_hubs

# Of every kind what counts, by the name in the sentence; the least that it takes, and the sentence below that.
COUNTS = {
    "Full sizes": (lambda n: Full([n]), 0, r"expected sizes of 0 or more, got \[-1\]"),
    "Causal sizes": (lambda n: Causal([2, n]), 0, r"expected sizes of 0 or more, got \[2, -1\]"),
    "Cross sizes": (lambda n: Cross([2], [n]), 0, r"expected sizes of 0 or more, got \[-1\]"),
    "Full num_graphs": (lambda n: Full(batch=torch.zeros(0).long(), num_graphs=n), 0, "num_graphs of 0 or more, .* -1"),
    "Window radius": (lambda n: Window([5], n), 0, "expected a radius of 0 or more .* got radius=-1"),
    "Window dilation": (lambda n: Window([5], 1, dilation=n), 1, "dilation of 1 or more, .* dilation=0"),
    "Prefix prefix": (lambda n: Prefix([5], n), 0, "expected one prefix of 0 or more, .* got -1"),
    "Star hubs": (lambda n: Star([5], n), 1, "expected at least one hub per graph, got hubs=0"),
    "WithHubs hubs": (lambda n: with_hubs(Full([5]), n), 1, "expected at least one hub per graph, got hubs=0"),
    "Grid height": (lambda n: Grid(n, 3), 0, "expected sizes of 0 or more, got height=-1"),
    "Grid width": (lambda n: Grid(3, n), 0, "expected sizes of 0 or more, .* width=-1"),
    "Grid images": (lambda n: Grid(3, 3, images=n), 0, "expected sizes of 0 or more, .* images=-1"),
    "Grid kernel_size": (partial(Grid, 3, 3), 1, r"of 1 or more, got \[0, 0\], "),
    "Grid stride": (lambda n: Grid(3, 3, stride=n, padding=0), 1, r"of 1 or more, got \[3, 3\], \[0, 0\]"),
    "Grid dilation": (lambda n: Grid(3, 3, dilation=n), 1, r"of 1 or more, got .* and \[0, 0\]"),
    "Grid padding": (lambda n: Grid(3, 3, padding=n), 0, r"expected a padding of 0 or more, got \[-1, -1\]"),
    "Line sizes": (lambda n: Line([n]), 0, r"expected sizes of 0 or more, got \[-1\]"),
    "Line kernel_size": (lambda n: Line([3], n), 1, r"of 1 or more, got \[0\], "),
    "Line stride": (lambda n: Line([3], stride=n, padding=0), 1, r"of 1 or more, got \[3\], \[0\]"),
    "Line padding": (lambda n: Line([3], padding=n), 0, r"expected a padding of 0 or more, got \[-1\]"),
    "Edges num_nodes": (lambda n: Edges(torch.zeros(2, 0).long(), n), 0, "expected num_nodes of 0 or more, got -1"),
}


@pytest.mark.parametrize(("name", "make", "least", "less"), [(name, *row) for name, row in COUNTS.items()], ids=COUNTS)
def test_other_than_integers_are_refused_by_name_and_value(name, make, least, less):
    name = name.split()[1]
    told = {
        "sizes": "expected integers as sizes of graphs, got",
        "num_nodes": "expected num_nodes as an integer or .*, got",
    }
    for wrong in (1.5, "1", True):
        with pytest.raises(TypeError, match=f"{told.get(name, f'expected an integer in {name}, got')} .*{wrong}"):
            make(wrong)
    with pytest.raises(ValueError, match=less):
        make(least - 1)
    assert make(least) is not None


@pytest.mark.parametrize(
    "kind", [Full, Causal, Star, partial(Window, radius=1), partial(Prefix, prefix=1), Line, Edges]
)
@pytest.mark.parametrize("source", [5, 1.5, "5", True, {5}])
def test_other_than_sizes_are_refused(kind, source):
    with pytest.raises(TypeError, match=f"expected .*, got {type(source).__name__}"):
        kind(source)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Window([5, 4]), "expected an integer in radius, got None"),
        (lambda: Window([5, 4], (1, 2)), "expected an integer in radius, got (1, 2)"),
        (lambda: Prefix([5, 4]), "expected an integer in prefix, got None"),
        (lambda: Prefix([5, 4], [1, 2.5]), "expected an integer in prefix, got 2.5"),
        (lambda: Prefix([5, 4], torch.tensor([1.0, 2.0])), "expected integers in prefix, got torch.float32"),
        (lambda: Grid(3, 3, padding="valid"), "expected an integer in padding, got 'valid'"),
        (lambda: Grid(3, 3, (3, 2.5)), "expected an integer in kernel_size, got 2.5"),
    ],
)
def test_what_is_missing_or_mixed_is_named(make, said):
    with pytest.raises(TypeError, match=re.escape(said)):
        make()


def test_what_a_topology_is_made_of_besides_sizes_may_stand_behind_them():
    assert Window([5, 4], 2).edge_index().equal(Window([5, 4], radius=2).edge_index())
    assert Prefix([5, 4], [2, 1]).edge_index().equal(Prefix([5, 4], prefix=[2, 1]).edge_index())
    assert Star([5, 4], 2).edge_index().equal(Star([5, 4], hubs=2).edge_index())
