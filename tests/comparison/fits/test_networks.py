import math

import pytest
import torch
from torch_geometric.data import Data

from graphattn.comparison.fits.networks import matched, network
from graphattn.comparison.problems.base import Problem
from graphattn.models.by_name.layers import LAYERS
from graphattn.models.by_name.network import Size, parameters
from graphattn.models.by_name.topologies import TOPOLOGIES, Configuration, configurations

CELLS = configurations(LAYERS, TOPOLOGIES)
EDGES = torch.tensor([[0, 1], [1, 0]])


def problem(categories=False):
    x = torch.tensor([[0, 4, 90], [3, 1, 7]]) if categories else torch.randn(2, 5)
    attr = torch.tensor([[1, 3], [1, 3]]) if categories else None
    graphs = [Data(x=x, edge_index=EDGES, y=torch.tensor([y]), edge_attr=attr) for y in range(3)]
    return Problem("pair", graphs, "multiclass", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("reference", "categories"),
    [
        (Size(16, 32, 1, 2), True),
        (Size(64, 128, 3, 4), True),
        (Size(48, 96, 2, 3), False),
        (Size(128, 512, 6, 8), False),
    ],
    ids=str,
)
def test_parameter_counts_agree_within_5_percent_in_every_cell(reference, categories):
    task = problem(categories)
    sizes = matched(task, CELLS, reference)
    assert list(sizes) == CELLS
    counts = {configuration: parameters(network(task, configuration, size)) for configuration, size in sizes.items()}
    target = counts[CELLS[0]]
    assert {
        configuration: count for configuration, count in counts.items() if abs(count - target) > 0.05 * target
    } == {}
    for size in sizes.values():
        assert size == reference or size.width % math.lcm(8, reference.heads) == 0
        assert (size.depth, size.heads) == (reference.depth, reference.heads)
        assert 1 / 4 < (size.hidden / size.width) / (reference.hidden / reference.width) < 4, "it keeps its shape"


def test_the_reference_is_the_first_attention_cell_else_the_first():
    chosen, reference = configurations(["gcn", "attention"], ["edges", "full"]), Size(64, 128)
    sizes = matched(problem(), chosen, reference)
    assert sizes[Configuration("attention", "edges")] == sizes[Configuration("attention", "full")] == reference
    assert sizes[Configuration("gcn", "edges")] == sizes[Configuration("gcn", "full")] != reference
    without = matched(problem(), configurations(["gcn", "mlp"], ["edges"]), reference)
    assert without[Configuration("gcn", "edges")] == reference


def test_nothing_to_match_is_refused():
    with pytest.raises(ValueError, match="configurations to match, got none"):
        matched(problem(), [], Size(8, 8))


def test_a_size_that_no_other_layer_has_is_refused():
    with pytest.raises(
        ValueError, match=r"a size of edge_attention on full with 136 parameters within 5%, got none for Size\("
    ):
        matched(
            problem(),
            [Configuration("mlp", "none"), Configuration("edge_attention", "full")],
            Size(4, 1, depth=1, heads=1),
        )
