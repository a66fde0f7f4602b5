import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphattn.comparison.fits.networks import prepared
from graphattn.comparison.problems.base import Problem
from graphattn.models.by_name import topologies
from graphattn.models.by_name.layers import LAYERS
from graphattn.models.by_name.topologies import TOPOLOGIES, Configuration, configurations, distance, shuffled_ends

RING = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]])


def random_graph(nodes, edges, seed=0):
    generator = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(nodes) for j in range(i)]
    ends = np.array([pairs[k] for k in generator.choice(len(pairs), edges, replace=False)]).T
    return torch.from_numpy(np.concatenate([ends, ends[::-1]], axis=1))


def ring_problem(**more):
    data = [Data(x=torch.zeros(4, 1), edge_index=RING, y=torch.tensor([float(k)]), **more) for k in range(3)]
    return Problem("rings", data, "regression")


def test_every_layer_stands_on_every_topology_but_two():
    every = configurations(LAYERS, TOPOLOGIES)
    assert len(every) == (len(LAYERS) - 1) * len(TOPOLOGIES) + 1 - 1
    assert [configuration for configuration in every if configuration.layer == "mlp"] == [Configuration("mlp", "none")]
    assert Configuration("edge_attention", "none") not in every


@pytest.mark.parametrize(
    ("layers", "topologies", "words"),
    [
        (["gnc"], ["full"], "expected layers of attention, .*mlp, each once, got gnc"),
        (["gcn", "gcn"], ["full"], "each once, got gcn, gcn"),
        (["gcn"], ["bonds"], r"expected topologies of edges, full, edges\+hub, none, shuffled, each once, got bonds"),
        ([], ["full"], "got none"),
        (["edge_attention"], ["none"], r"got layers \['edge_attention'\] on topologies \['none'\]"),
    ],
)
def test_wrong_names_are_told_with_those_that_there_are(layers, topologies, words):
    with pytest.raises(ValueError, match=words):
        configurations(layers, topologies)


def test_who_hears_whom():
    data = Data(x=torch.zeros(3, 1), edge_index=torch.tensor([[0, 1], [1, 0]]))
    batch = Batch.from_data_list([data, data])
    masks = {name: TOPOLOGIES[name].make(batch).mask().int() for name in ("edges", "full", "none")}
    one = torch.ones(3, 3, dtype=torch.int32)
    pair = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=torch.int32)
    assert masks["edges"].equal(torch.block_diag(pair, pair))
    assert masks["full"].equal(torch.block_diag(one, one))
    assert masks["none"].equal(torch.eye(6, dtype=torch.int32))


def test_shuffled_edges_are_others_with_the_same_degrees_and_the_same_for_a_seed():
    edge_index = random_graph(30, 60)
    first, again, other = (shuffled_ends(edge_index, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.equal(again)
    assert not first.equal(other)
    for row in (0, 1):
        assert first[row].bincount(minlength=30).equal(edge_index[row].bincount(minlength=30))
    pairs = set(map(tuple, first.T.tolist()))
    assert len(pairs) == 120
    assert not any(sender == receiver for sender, receiver in pairs)
    assert len(pairs & set(map(tuple, edge_index.T.tolist()))) < 30


@pytest.mark.parametrize("edge_index", [torch.zeros(2, 0, dtype=torch.long), torch.tensor([[0, 1], [1, 0]])])
def test_shuffling_ends_where_nothing_better_can_be_had(edge_index):
    shuffled = shuffled_ends(edge_index, np.random.default_rng(0))
    assert shuffled[0].equal(edge_index[0])
    assert shuffled[1].sort().values.equal(edge_index[1].sort().values)


def test_graphs_are_prepared_with_what_cells_hear_and_the_given_ones_stay():
    given = ring_problem(random_walk=torch.zeros(4, 16))
    assert sorted(prepared(given, [Configuration("gcn", "full")]).graphs[0].keys()) == ["edge_index", "x", "y"]
    configuration = Configuration("edge_attention", "full")
    assert sorted(prepared(given, [configuration]).graphs[0].keys()) == ["distance", "edge_index", "x", "y"]
    shuffled = prepared(given, [Configuration("gcn", "shuffled")], seed=3)
    assert sorted(shuffled.graphs[0].keys()) == ["edge_index", "shuffled_index", "x", "y"]
    assert sorted(given.graphs[0].keys()) == ["edge_index", "random_walk", "x", "y"]
    again = prepared(given, [Configuration("gin", "shuffled")], seed=3)
    drawn = [data["shuffled_index"].tolist() for data in shuffled.graphs]
    assert drawn == [data["shuffled_index"].tolist() for data in again.graphs]
    assert len({str(each) for each in drawn}) > 1, "graphs that are equal are shuffled each for itself"


def test_a_batch_of_shuffled_graphs_keeps_them_apart():
    batch = Batch.from_data_list(list(prepared(ring_problem(), [Configuration("gcn", "shuffled")]).graphs))
    graph = TOPOLOGIES["shuffled"].make(batch)
    assert (graph.num_graphs, graph.num_edges) == (3, 24)


def test_graphs_that_were_not_prepared_are_refused():
    with pytest.raises(
        ValueError,
        match=r"made by prepared\(data, configurations\), with shuffled_index, got \['edge_index', 'x', 'y'\]",
    ):
        TOPOLOGIES["shuffled"].make(ring_problem().graphs[0])


def test_distances_are_those_of_the_data_where_they_are_distances():
    counted = [0, 1, 2, 1, 1, 0, 1, 2, 2, 1, 0, 1, 1, 2, 1, 0]
    data = Data(x=torch.zeros(4, 1), edge_index=RING)
    assert distance(data).tolist() == counted
    data.distance = torch.arange(16)
    assert distance(data).equal(torch.arange(16))
    for other in (torch.rand(8), torch.arange(15), torch.arange(16) + 7):
        data.distance = other
        assert distance(data).tolist() == counted


def test_self_loops_are_not_shuffled():
    edges = torch.tensor([[0, 1, 1, 2, 3, 3, 0, 2], [1, 0, 1, 3, 2, 3, 2, 0]])
    data = Data(x=torch.zeros(4, 1), edge_index=edges)
    for seed in range(5):
        shuffled = topologies.prepared(data, [Configuration("gcn", "shuffled")], (seed,)).shuffled_index
        loops = edges[0] == edges[1]
        assert shuffled[:, loops].equal(edges[:, loops])
        assert shuffled[1].bincount().equal(edges[1].bincount())


@pytest.mark.parametrize(
    ("layer", "topology", "reads"),
    [
        ("gcn", "edges+hub", {"edge_weight"}),
        ("gcn", "shuffled", {"edge_weight"}),
        ("gcn", "none", set()),
        ("edge_attention", "full", {"edge_attr"}),
        ("edge_attention", "edges", {"edge_attr"}),
        ("sage", "edges", set()),
    ],
)
def test_what_is_read_of_edges(layer, topology, reads):
    assert Configuration(layer, topology).reads == reads
