import pickle

import pytest
import torch
from torch.testing import assert_close
from torch_geometric.data import Batch, Data

from graphattn.slots import Sizes
from graphattn.topology import Causal, Cross, Full, Grid, Line, Star, Window, graph_of, read_sizes, with_hubs
from graphattn.topology.sizes import of_equal, order_of
from graphattn.zoo import SelfAttention


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
        ({"batch": torch.tensor([[0, 0]]), "num_graphs": 1}, r"batch of shape \[N\] .*, got \[1, 2\] and 1"),
        ({"batch": torch.tensor([]).long(), "num_graphs": -1}, r"num_graphs of 0 or more, got \[0\] and -1"),
        ({"ptr": torch.tensor([[0, 1]])}, r"start at 0 and never to fall, got \[\[0, 1\]\]"),
        ({"source": [2**62, 2**62]}, r"never to fall, got \[0, 4611686018427387904, -9223372036854775808\]"),
    ],
)
def test_wrong_sizes_are_refused_with_their_values(given, message):
    with pytest.raises(ValueError, match=message):
        read_sizes(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "3"}, "expected a PyG Data or Batch, Sizes or a list of sizes, got str$"),
        (
            {"source": torch.tensor([0, 0, 1])},
            r"got Tensor; a tensor is given by name, as Full\(batch=..., num_graphs=...\) or Full\(ptr=...\)",
        ),
        ({"source": [2, 2.5]}, r"expected integers as sizes of graphs, got \[2, 2.5\]"),
        ({"ptr": torch.tensor([0.0, 2.0])}, "expected integers in ptr, got torch.float32"),
        ({"ptr": torch.tensor([False, True])}, "expected integers in ptr, got torch.bool"),
        ({"ptr": [0, 2]}, "expected integers in ptr, got list"),
        ({"batch": torch.tensor([0.0, 1.0]), "num_graphs": 2}, "expected integers in batch, got torch.float32"),
        ({"batch": torch.tensor([False, True]), "num_graphs": 2}, "expected integers in batch, got torch.bool"),
    ],
)
def test_another_kind_of_source_is_refused(given, message):
    with pytest.raises(TypeError, match=message):
        read_sizes(**given)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_all_integers_of_torch_are_sizes(dtype):
    ptr, batch = torch.tensor([0, 2, 5], dtype=dtype), torch.tensor([0, 0, 1, 1, 1], dtype=dtype)
    assert read_sizes(ptr=ptr).ptr.tolist() == read_sizes(batch=batch, num_graphs=2).ptr.tolist() == [0, 2, 5]
    assert Full(ptr=ptr).mask().sum() == 13


LIES = {
    "max": (Sizes(torch.tensor([0, 2, 5]), 2, False), "expected max=3 and equal=False .*, got max=2 and equal=False"),
    "equal": (Sizes(torch.tensor([0, 2, 5]), 3, True), "expected max=3 and equal=False .*, got max=3 and equal=True"),
    "falls": (Sizes(torch.tensor([0, 4, 2]), 4, False), r"start at 0 and never to fall, got \[0, 4, 2\]"),
    "starts late": (Sizes(torch.tensor([1, 5]), 4, True), r"got \[1, 5\]"),
    "empty": (Sizes(torch.tensor([], dtype=torch.long), 0, True), r"got \[\]"),
}


@pytest.mark.parametrize(("sizes", "message"), LIES.values(), ids=LIES)
@pytest.mark.parametrize("take", [Full, Causal, Star, Line, lambda sizes: Cross([2, 3], sizes)])
def test_sizes_made_by_hand_are_checked_where_a_topology_takes_them(take, sizes, message):
    with pytest.raises(ValueError, match=message):
        take(sizes)


def test_right_sizes_made_by_hand_are_taken():
    assert Full(Sizes(torch.tensor([0, 2, 5]), 3, False)).num_edges == 13


TOPOLOGIES = {
    "Full": lambda: Full([2, 3]),
    "Causal": lambda: Causal([2, 3]),
    "Window": lambda: Window([2, 3], radius=1),
    "Line": lambda: Line([2, 3]),
    "Grid": lambda: Grid(1, 5),
    "WithHubs": lambda: with_hubs(Full([1, 2]), 1),
    "its graph": lambda: with_hubs(Full([1, 2]), 1),
    "Union": lambda: Full([2, 3]) | Window([2, 3], radius=1),
    "reversed": lambda: Causal([2, 3]).reverse(),
    "moved": lambda: Full([2, 3]).to("cpu"),
    "unpickled": lambda: pickle.loads(pickle.dumps(Full([2, 3]))),
}


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_boundaries_that_were_written_into_are_refused(name, used):
    graph, layer, x = TOPOLOGIES[name](), SelfAttention(8), torch.randn(5, 8)
    if used or name == "unpickled":
        layer(x, graph)
    shown = (graph.graph if name == "its graph" else graph).receivers.ptr
    shown.numpy()[1] = 4
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"as they were when the topology was made, got ptr \[0, 4.* written into since"
        ):
            layer(x, graph)


def test_a_caller_keeps_the_tensor_of_boundaries_that_it_gave():
    ptr = torch.tensor([0, 2, 5], dtype=torch.int32)
    graph = Full(ptr=ptr)
    ptr[1] = 10**6
    assert graph.receivers.ptr.tolist() == [0, 2, 5]
    assert graph.receivers.ptr.dtype == torch.long
    layer, x = SelfAttention(8), torch.randn(5, 8)
    assert_close(layer(x, graph), layer(x, Full([2, 3])))


def test_equal_graphs_of_no_nodes_and_no_graphs():
    for graphs, nodes in ((0, 3), (2, 0), (3, 2)):
        sizes, right = of_equal(graphs, nodes, torch.device("cpu")), read_sizes([nodes] * graphs)
        assert (sizes.ptr.tolist(), *sizes[1:]) == (right.ptr.tolist(), *right[1:])


def test_parts_of_graphs_are_brought_together():
    order, sizes = order_of(read_sizes([2, 0, 1]), read_sizes([0, 1, 2]))
    assert order.tolist() == [0, 1, 3, 2, 4, 5]
    assert sizes.ptr.tolist() == [0, 2, 3, 6]
