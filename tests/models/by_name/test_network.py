import copy
import pickle
from dataclasses import replace

import pytest
import torch
from torch.nn import functional
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCNConv

from graphattn.backends import use_backend
from graphattn.comparison.fits.networks import network, prepared
from graphattn.comparison.problems.base import Problem
from graphattn.models.by_name import topologies
from graphattn.models.by_name.features import Features
from graphattn.models.by_name.layers import LAYERS
from graphattn.models.by_name.network import Size, named_network, parameters
from graphattn.models.by_name.topologies import TOPOLOGIES, Configuration, configurations
from graphattn.topology import Full, WithHubs

CELLS = configurations(LAYERS, TOPOLOGIES)
SMALL = Size(width=8, hidden=16, depth=2, heads=2)


def tree(nodes, generator, categories=False):
    child = torch.arange(1, nodes)
    parent = torch.tensor([int(torch.randint(each, (), generator=generator)) for each in child.tolist()]).long()
    ends = torch.stack([torch.cat([child, parent]), torch.cat([parent, child])])
    kind = torch.randint(3, (nodes - 1, 2), generator=generator).repeat(2, 1)
    if categories:
        return {"x": torch.randint(4, (nodes, 3), generator=generator), "edge_index": ends, "edge_attr": kind}
    return {"x": torch.randn(nodes, 3, generator=generator), "edge_index": ends, "edge_attr": kind.float()}


def trees(count=16, level="graph", categories=False, classes=2):
    """Trees of 1 to 7 nodes, and labels that mean nothing."""
    generator = torch.Generator().manual_seed(1)
    graphs = []
    for number in range(count):
        nodes = 1 + number % 7
        asked = 1 if level == "graph" else nodes
        label = (
            (torch.arange(asked) + number) % classes
            if number < 2
            else torch.randint(classes, (asked,), generator=generator)
        )
        graphs.append(Data(**tree(nodes, generator, categories), y=label))
    return Problem("trees", graphs, "binary", ("no", "yes"), level)


def batch_of(problem, rows=None):
    return Batch.from_data_list([problem.graphs[row] for row in (range(len(problem.graphs)) if rows is None else rows)])


@pytest.mark.parametrize("categories", [False, True])
@pytest.mark.parametrize("configuration", CELLS, ids=str)
def test_batched_is_what_graphs_are_alone_and_all_backends_agree(configuration, categories):
    problem = prepared(trees(8, categories=categories), CELLS)
    model = network(problem, configuration, SMALL).double().eval()
    together = model(batch_of(problem))
    assert together.shape == (8, 2)
    for row in range(8):
        assert model(batch_of(problem, [row])).allclose(together[row], atol=1e-12)
    with use_backend("edgewise"):
        assert model(batch_of(problem)).allclose(together, atol=1e-10)


@pytest.mark.parametrize("configuration", CELLS, ids=str)
def test_all_parameters_learn(configuration):
    problem = prepared(trees(8), CELLS)
    model = network(problem, configuration, SMALL)
    model(batch_of(problem)).square().sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("configuration", CELLS, ids=str)
def test_every_cell_learns_sixteen_graphs_by_heart(configuration):
    problem = prepared(trees(16), [configuration])
    model, batch = network(problem, configuration, Size(width=16, hidden=32, depth=1, heads=2)), batch_of(problem)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(model(batch), batch.y).backward()
        optimizer.step()
    assert (model(batch).argmax(1) == batch.y).all()


@pytest.mark.parametrize(
    "configuration",
    [Configuration("attention", "edges+hub"), Configuration("edge_attention", "full"), Configuration("gin", "edges")],
)
def test_nodes_may_stand_in_any_order(configuration):
    problem = prepared(trees(8), [configuration])
    (data,) = [problem.graphs[6]]
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    place = order.argsort()
    turned = Data(x=data.x[order], edge_index=place[data.edge_index], edge_attr=data.edge_attr, y=data.y)
    turned = prepared(replace(problem, graphs=[turned, *problem.graphs[1:]]), [configuration]).graphs[0]
    model = network(problem, configuration, SMALL).double().eval()
    assert model(turned).allclose(model(data), atol=1e-12)


@pytest.mark.parametrize(
    "configuration",
    [Configuration("gat", "edges+hub"), Configuration("attention", "full"), Configuration("mlp", "none")],
)
def test_nodes_are_answered_one_by_one(configuration):
    problem = prepared(trees(5, level="node"), [configuration])
    assert network(problem, configuration, SMALL)(batch_of(problem)).shape == (1 + 2 + 3 + 4 + 5, 2)


def test_alone_nothing_that_others_say_is_heard_and_over_a_hub_all_of_it():
    data = Data(x=torch.randn(4, 3), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.tensor([0, 1, 0, 1]))
    problem = Problem("pair", [data], "binary", ("no", "yes"), "node")

    def heard(layer, topology):
        model = network(problem, Configuration(layer, topology), SMALL)
        x = model.embedding(data).detach().requires_grad_()
        out = model.through(x, data)[-1]
        return [bool(torch.autograd.grad(out[0].norm(), x, retain_graph=True)[0][node].any()) for node in range(4)]

    for layer in ("attention", "gcn", "gatv2", "edgeconv"):
        assert heard(layer, "none") == [True, False, False, False]
        assert heard(layer, "edges") == [True, True, False, False]
        assert heard(layer, "full") == [True, True, True, True]
    for layer in ("attention", "gcn", "gin", "sage"):
        assert heard(layer, "edges+hub") == [True, True, True, True]


def test_places_are_told_to_all_wherever_the_graph_stands():
    problem = trees(4)
    for data in problem.graphs:
        data.pos = torch.randn(data.num_nodes, 2)
    model = network(problem, Configuration("mlp", "none"), SMALL).double()
    moved, turned = batch_of(problem), batch_of(problem)
    moved.pos = moved.pos + torch.tensor([1000.0, -5])
    turned.pos = turned.pos.flip(1)
    assert model(moved).allclose(model(batch_of(problem)), atol=1e-3)
    assert not model(turned).allclose(model(batch_of(problem)), atol=1e-3)


def test_hubs_stand_behind_their_graphs_and_are_not_read():
    model, batch, heard = network(trees(4), Configuration("gcn", "edges+hub"), SMALL), batch_of(trees(4)), []
    for block in model.trunk.blocks:
        block.register_forward_hook(lambda block, given, out: heard.append((type(given[1]), len(out))))
    assert [len(x) for x in model.through(model.start(batch), batch)] == [10, 10, 10]
    assert heard == [(WithHubs, 10 + 4)] * 2
    assert model.states(batch).equal(model.trunk.norm(model.through(model.start(batch), batch)[-1]))


def test_a_seed_repeats_the_weights_and_leaves_the_callers_alone():
    problem, configuration = trees(2), Configuration("attention", "edges")
    before = torch.random.get_rng_state()
    first, again, other = (network(problem, configuration, SMALL, seed) for seed in (0, 0, 1))
    assert torch.random.get_rng_state().equal(before)
    assert first.head[0].weight.equal(again.head[0].weight)
    assert not first.head[0].weight.equal(other.head[0].weight)


@pytest.mark.parametrize(
    "configuration",
    [Configuration("gat", "edges+hub"), Configuration("edge_attention", "full"), Configuration("gcn", "shuffled")],
)
def test_networks_are_copied_and_pickled(configuration):
    problem = prepared(trees(3), [configuration])
    model, batch = network(problem, configuration, SMALL), batch_of(problem)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other(batch).equal(model(batch))


def test_numbers_of_any_size_are_heard_alike():
    problem, configuration = trees(8), Configuration("attention", "edges")
    large = replace(problem, graphs=[copy.copy(data) for data in problem.graphs])
    for data in large.graphs:
        data.x = 1000 * data.x + 7
    said = [network(each, configuration, SMALL)(batch_of(each)) for each in (problem, large)]
    assert said[0].allclose(said[1], atol=1e-4)


def test_cells_of_one_width_begin_with_the_same_encoder_and_head():
    problem = trees(2)
    models = [network(problem, configuration, SMALL, seed=3) for configuration in CELLS]
    for model in models[1:]:
        assert model.embedding.start.map.weight.equal(models[0].embedding.start.map.weight)
        assert model.head[-1].weight.equal(models[0].head[-1].weight)


def test_parameters_of_a_gcn_are_these():
    encoder, norm, head = 3 * 8 + 8, 2 * 8, 8 * 8 + 8 + 8 * 2 + 2
    block = 8 * 8 + 8 + 2 * 16 + (8 * 16 + 16 + 16 * 8 + 8)
    assert parameters(network(trees(2), Configuration("gcn", "edges"), SMALL)) == encoder + norm + head + 2 * block
    assert (
        parameters(network(trees(2), Configuration("gcn", "edges+hub"), SMALL)) == encoder + norm + head + 2 * block + 8
    )


def test_dropout_is_heard_in_training_only():
    problem = trees(4)
    model = network(problem, Configuration("gcn", "full"), Size(8, 16, heads=2, dropout=0.5))
    batch = batch_of(problem)
    assert not model(batch).equal(model(batch))
    assert model.eval()(batch).equal(model(batch))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"width": 10, "hidden": 8, "heads": 4}, r"a width that the heads divide, got Size\(width=10, "),
        ({"width": 8, "hidden": 0}, "of 1 or more.*hidden=0"),
        ({"width": 8, "hidden": 8, "dropout": 1.0}, "a dropout of at least 0 and below 1, got 1.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Size(**given)


def weighted():
    """Five nodes in two graphs; one hears itself already, with a weight of its own."""
    ends = [torch.tensor([[0, 1, 1, 2], [1, 0, 1, 1]]), torch.tensor([[0, 1], [1, 0]])]
    weights = [torch.tensor([0.5, 2.0, 3.0, 0.0]), torch.tensor([1.5, 0.25])]
    return Batch.from_data_list(
        [
            Data(x=torch.randn(nodes, 2), edge_index=each, edge_weight=weight.double())
            for nodes, each, weight in zip((3, 2), ends, weights, strict=True)
        ]
    )


@pytest.mark.parametrize("topology", ["edges", "edges+hub"])
def test_a_gcn_weighs_edges_as_pyg_does(topology):
    batch, configuration = weighted(), Configuration("gcn", topology)
    model = named_network(configuration, SMALL, Features.of([batch]), 1)
    graph = configuration(batch)
    edge = model.edges(batch, graph)
    layer, theirs = model.trunk.blocks[0].layers[0], GCNConv(8, 8)
    theirs.lin.weight, theirs.bias = layer.message_function.linear.weight, layer.update_function.bias
    if topology == "edges":
        x = torch.randn(5, 8)
        expected = theirs(x, batch.edge_index, batch.edge_weight.float())
    else:
        graph, x = WithHubs(graph, 1), torch.randn(7, 8)
        theirs.add_self_loops = False
        expected = theirs(x, graph.edge_index(), edge["edge_attr"].float())
        assert len(edge["edge_attr"]) == graph.num_edges
    assert edge["edge_attr"][:6].equal(batch.edge_weight)
    assert edge["edge_attr"][6:].eq(1).all()
    found = layer(x, graph, edge)
    assert found.allclose(expected, atol=1e-6)
    with use_backend("edgewise"):
        assert found.allclose(layer(x, graph, edge), atol=1e-6)
    found.sum().backward()


def test_edges_that_all_weigh_1_are_edges_without_weights():
    batch = weighted()
    ones = batch.clone().update({"edge_weight": torch.ones(6, dtype=torch.float64)})
    bare = batch.clone()
    del bare.edge_weight
    for topology in ("edges", "edges+hub"):
        model = named_network(Configuration("gcn", topology), SMALL, Features.of([batch]), 1).eval()
        assert model(ones).allclose(model(bare), atol=1e-6)
        assert not model(batch).allclose(model(bare), atol=1e-3)


def test_a_self_loop_says_its_feature_and_leaves_distances_right():
    edges = torch.tensor([[0, 1, 1, 2, 1], [1, 0, 2, 1, 1]])
    data = Data(x=torch.zeros(3, 1), edge_index=edges, edge_attr=torch.tensor([[0], [0], [1], [1], [2]]))
    made = topologies.prepared(data, [Configuration("edge_attention", "full")])
    assert made.distance.view(3, 3).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    model = named_network(Configuration("edge_attention", "full"), SMALL, Features.of([data]), 1)
    state = model.edges(made, Full([3]))
    kinds = state["pair_kind"].view(3, 3)
    assert kinds.diagonal().tolist() == [0, int(state["bond_kind"][list(state["bond_number"]).index(4)]) + 22, 0]
    listed = named_network(Configuration("edge_attention", "edges"), SMALL, Features.of([data]), 1)
    graph = Configuration("edge_attention", "edges")(data)
    assert graph.edge_index()[:, :5].equal(edges)
    assert graph.edge_index()[:, 5:].tolist() == [[0, 2], [0, 2]], "no second loop"
    assert listed.edges(data, graph)["bond_number"].tolist() == [0, 1, 2, 3, 4]
