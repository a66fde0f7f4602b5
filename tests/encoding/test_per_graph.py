"""Every encoding of a graph: in a batch as alone, renumbered or not, of one node and of none, as a transform."""

import pickle
from functools import partial

import pytest
import torch
from torch.testing import assert_close
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from graphattn.encoding import (
    AddEncodings,
    anchor_distance,
    degree,
    hub_distance,
    laplacian,
    per_graph,
    random_walk,
    shortest_path,
)
from graphattn.topology import Edges, Full, Star

NOTHING = torch.empty(2, 0, dtype=torch.long)
BY_NODE = {
    "walk": partial(random_walk, steps=5),
    "eigenvectors": partial(laplacian, size=4),
    "degree": partial(degree, most=3),
    "hubs": partial(hub_distance, hubs=2, farthest=4),
}
ALL = BY_NODE | {"distance": partial(shortest_path, farthest=4)}
EACH = pytest.mark.parametrize("encode", ALL.values(), ids=ALL)


def some_graph(nodes, seed):
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.randint(0, nodes, (2, 2 * nodes), generator=generator)
    chain = torch.stack([torch.arange(nodes - 1), torch.arange(1, nodes)])
    return torch.cat([pairs, chain, chain.flip(0)], dim=1)


SIZES = [5, 0, 1, 8, 2, 0]
GRAPHS = [some_graph(nodes, number) if nodes > 1 else NOTHING for number, nodes in enumerate(SIZES)]


def as_data():
    return [Data(x=torch.ones(n, 1), edge_index=e, num_nodes=n) for n, e in zip(SIZES, GRAPHS, strict=True)]


@EACH
def test_batched_equals_alone(encode):
    starts = [sum(SIZES[:number]) for number in range(len(SIZES))]
    edge_index = torch.cat([edges + start for edges, start in zip(GRAPHS, starts, strict=True)], dim=1)
    alone = torch.cat([encode(edges, nodes) for edges, nodes in zip(GRAPHS, SIZES, strict=True)])
    shuffled = edge_index[:, torch.randperm(edge_index.size(1))]
    for ends in (edge_index, shuffled):
        graph = Edges(ends, ptr=torch.tensor([*starts, sum(SIZES)]))
        assert_close(per_graph(encode, graph), alone, rtol=0, atol=1e-5)


@EACH
def test_no_graph_and_full_graphs(encode):
    nothing = per_graph(encode, Full([]))
    assert torch.equal(nothing, encode(NOTHING, 0))
    assert per_graph(encode, Full([3, 1])).size(0) in {4, 10}


@pytest.mark.parametrize("name", ["walk", "degree", "distance"])
def test_renumbered_nodes_give_renumbered_encodings(name):
    edge_index, permutation = GRAPHS[3], torch.randperm(8)
    renumbered = ALL[name](permutation.argsort()[edge_index], 8)
    before = ALL[name](edge_index, 8)
    if name == "distance":
        renumbered, before = renumbered.view(8, 8), before.view(8, 8)[:, permutation]
    assert_close(renumbered, before[permutation])


def test_a_transform_adds_what_the_functions_return():
    add = Compose([AddEncodings(ALL)])
    for data, edges, nodes in zip(map(add, as_data()), GRAPHS, SIZES, strict=True):
        for name, encode in ALL.items():
            assert torch.equal(data[name], encode(edges, nodes))
            assert "x" in data


def test_a_loader_batches_encodings_by_rows():
    graphs = [AddEncodings(ALL)(data) for data in as_data()]
    batch = next(iter(DataLoader(graphs, batch_size=len(graphs))))
    for name in ALL:
        assert torch.equal(batch[name], torch.cat([graph[name] for graph in graphs]))
    assert batch.distance.size(0) == Full(batch).num_edges


def test_a_batch_is_encoded_graph_by_graph():
    batch = AddEncodings(ALL)(Batch.from_data_list(as_data()))
    assert batch.num_graphs == len(SIZES)
    for name in ALL:
        assert torch.equal(batch[name], torch.cat([AddEncodings(ALL)(data)[name] for data in as_data()]))
        assert torch.equal(batch[3][name], ALL[name](GRAPHS[3], 8))


def test_the_given_graph_stays_as_it_was_and_transforms_pickle():
    data = as_data()[0]
    add = pickle.loads(pickle.dumps(AddEncodings(BY_NODE)))
    assert "walk" in add(data)
    assert "walk" not in data
    assert repr(add) == "AddEncodings(walk, eigenvectors, degree, hubs)"


def test_anchors_of_one_graph():
    add = AddEncodings({"anchors": partial(anchor_distance, anchors=[0, 3], farthest=9)})
    assert add(as_data()[3]).anchors.shape == (8, 2)


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(ValueError, match=r"by which PyG batches otherwise, got \['walk_index', 'minibatch'\]"):
        AddEncodings({"walk_index": BY_NODE["walk"], "fine": BY_NODE["walk"], "minibatch": BY_NODE["walk"]})
    with pytest.raises(ValueError, match="got none"):
        AddEncodings({})
    with pytest.raises(ValueError, match=r"a Data or Batch with edge_index, got Data\(x=\[3, 1\]\)"):
        AddEncodings(BY_NODE)(Data(x=torch.ones(3, 1)))
    with pytest.raises(ValueError, match="senders and receivers to be the same nodes, got Star"):
        per_graph(BY_NODE["walk"], Star([3]))
