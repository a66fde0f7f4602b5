import pytest
import torch
from torch_geometric.data import Batch, Data

from graphattn.topology import graph_of, read_sizes


def data(nodes):
    return Data(x=torch.zeros(nodes, 2), edge_index=torch.empty(2, 0, dtype=torch.long))


def test_all_sources_agree():
    batch = Batch.from_data_list([data(3), data(0), data(2), data(0)])
    expected = [0, 3, 3, 5, 5]
    vector = torch.tensor([0, 0, 0, 2, 2])
    for sizes in (
        read_sizes(batch),
        read_sizes([3, 0, 2, 0]),
        read_sizes(ptr=torch.tensor(expected)),
        read_sizes(batch=vector, num_graphs=4),
        read_sizes(read_sizes([3, 0, 2, 0])),
    ):
        assert sizes.ptr.tolist() == expected
        assert (sizes.max, sizes.equal) == (3, False)


def test_one_graph_and_no_graph():
    assert read_sizes(data(4)).ptr.tolist() == [0, 4]
    assert read_sizes([4]).equal
    empty = read_sizes([])
    assert (empty.ptr.tolist(), empty.max, empty.equal) == ([0], 0, True)


def test_graph_of_skips_empty_graphs():
    assert graph_of(torch.tensor([0, 0, 2, 2, 3]), torch.arange(3)).tolist() == [1, 1, 3]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"expected exactly one of source, ptr and batch, got none of them"),
        ({"source": [1], "ptr": torch.tensor([0, 1])}, r"got \['source', 'ptr'\]"),
        ({"ptr": torch.tensor([1, 2])}, r"expected ptr to start at 0 and never to fall, got \[1, 2\]"),
        ({"ptr": torch.tensor([0, 3, 2])}, r"got \[0, 3, 2\]"),
        ({"source": [2, -1]}, r"expected sizes of 0 or more, got \[2, -1\]"),
        ({"batch": torch.tensor([0])}, r"expected num_graphs with batch: .*, got None"),
        ({"batch": torch.tensor([0, 2]), "num_graphs": 2}, r"from 0 to 1, got values from 0 to 2"),
        ({"batch": torch.tensor([1, 0]), "num_graphs": 2}, r"got values from 0 to 1, unsorted"),
    ],
)
def test_wrong_sizes_are_refused_with_their_values(given, message):
    with pytest.raises(ValueError, match=message):
        read_sizes(**given)


def test_another_kind_of_source_is_refused():
    with pytest.raises(TypeError, match="expected a PyG Data or Batch, Sizes or a list of sizes, got str"):
        read_sizes("3")
