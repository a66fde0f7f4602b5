"""Layers live where PyG's layers live: containers, loaders, compilers, explainers, several processes."""

import copy

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.testing import assert_close
from torch_geometric.data import Data, HeteroData
from torch_geometric.explain import CaptumExplainer, Explainer
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GPSConv, HeteroConv, Sequential, to_hetero
from torch_geometric.utils import trim_to_layer

from graphattn.edge_terms import LinearBias
from graphattn.slots import Sizes
from graphattn.topology import Causal, Edges, Full
from graphattn.zoo import GCN, TABLE, EdgeConv, SelfAttention

EDGES = torch.tensor([[0, 1, 2, 0, 4], [1, 2, 1, 3, 0]])
LAYERS = {
    "SelfAttention": lambda: SelfAttention(8, heads=2),
    "GCN": lambda: GCN(8, 8),
    "EdgeConv": lambda: EdgeConv(nn.Linear(16, 8)),
}
EACH = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


class Net(nn.Module):
    """Two layers on one graph: given, or part of the model."""

    def __init__(self, make, graph=None):
        super().__init__()
        self.first, self.second, self.graph = make(), make(), graph

    def forward(self, x, edge_index=None):
        graph = self.graph if edge_index is None else edge_index
        return self.second(self.first(x, graph).relu(), graph)


@EACH
def test_batches_of_a_loader_equal_their_graphs_alone(make):
    graphs = [Data(x=torch.randn(n, 8), edge_index=torch.randint(n, (2, 2 * n))) for n in (3, 1, 5)]
    layer = make()
    (batch,) = DataLoader(graphs, batch_size=3)
    alone = torch.cat([layer(graph.x, graph.edge_index) for graph in graphs])
    assert_close(layer(batch.x, batch.edge_index), alone)
    assert_close(layer(batch.x, Edges(batch.edge_index, ptr=batch.ptr)), alone)


def test_attention_weights_come_with_their_edges_in_order():
    layer, x = SelfAttention(8, heads=2), torch.randn(5, 8)
    out, (ends, alpha) = layer(x, EDGES, return_attention_weights=True)
    assert torch.equal(ends, EDGES)
    assert alpha.shape == (5, 2)
    assert_close(out, layer(x, EDGES))
    turned = torch.tensor([3, 0, 4, 1, 2])
    _, (ends, other) = layer(x, EDGES[:, turned], return_attention_weights=True)
    assert torch.equal(ends, EDGES[:, turned])
    assert_close(other, alpha[turned])
    _, (ends, alpha) = layer(x, Full([5]), return_attention_weights=True)
    assert ends.shape == (2, 25)
    with pytest.raises(ValueError, match="aggregation that weighs scores, got Sum"):
        GCN(8, 8)(x, EDGES, return_attention_weights=True)


@EACH
def test_trimmed_neighbourhoods_give_the_seeds_what_the_whole_graph_does(make):
    # Two hops around node 0: nodes 1 and 2 speak to it, then 3 and 4 to them.
    edge_index, nodes, edges = torch.tensor([[1, 2, 3, 4], [0, 0, 1, 2]]), [1, 2, 2], [2, 2]
    model, x = Net(make), torch.randn(5, 8)
    h, ends = x, edge_index
    for number, layer in enumerate((model.first, model.second)):
        h, ends, _ = trim_to_layer(number, nodes, edges, h, ends)
        h = layer(h, ends)
        h = h.relu() if number == 0 else h
    # Without the edges that only a first layer needs, degrees in the second are those of its own edges.
    truth = model.second(model.first(x, edge_index).relu()[:3], edge_index[:, :2])
    assert_close(h[:1], truth[:1])


# torch.fx and to_hetero warn of their own internals.
@pytest.mark.filterwarnings("ignore")
def test_layers_live_in_heterogeneous_models():
    data = HeteroData()
    data["a"].x, data["b"].x = torch.randn(4, 8), torch.randn(5, 6)
    data["a", "to", "b"].edge_index = torch.tensor([[0, 3], [1, 4]])
    data["b", "back", "a"].edge_index = torch.tensor([[0, 2], [1, 1]])
    lazy = HeteroConv({kind: EdgeConv(nn.Linear(16, 8)) for kind in data.edge_types})
    data["b"].x = torch.randn(5, 8)
    out = lazy(data.x_dict, data.edge_index_dict)
    layer = lazy.convs["a", "to", "b"]
    assert_close(out["b"], layer((data["a"].x, data["b"].x), data["a", "to", "b"].edge_index))
    model = to_hetero(Net(LAYERS["SelfAttention"]), data.metadata())
    assert {name: value.shape for name, value in model(data.x_dict, data.edge_index_dict).items()} == {
        "a": (4, 8),
        "b": (5, 8),
    }


@EACH
def test_layers_are_the_local_part_of_gps(make):
    block = GPSConv(8, conv=make(), heads=2, norm=None)
    block.reset_parameters()
    assert block(torch.randn(5, 8), EDGES, torch.tensor([0, 0, 0, 1, 1])).shape == (5, 8)


def test_edge_features_reach_a_layer_inside_gps_and_sequential():
    layer, x, edge_attr = (
        SelfAttention(8, edge_bias=LinearBias("edge_attr", 3, 1)),
        torch.randn(5, 8),
        torch.randn(5, 3),
    )
    block = GPSConv(8, conv=layer, norm=None).eval()
    assert not torch.equal(block(x, EDGES, edge_attr=edge_attr), block(x, EDGES, edge_attr=-edge_attr))
    chain = Sequential("x, edge_index, edge_attr", [(layer, "x, edge_index, edge_attr -> x"), nn.ReLU()])
    assert_close(chain(x, EDGES, edge_attr), layer(x, EDGES, edge_attr).relu())


@EACH
def test_a_compiled_layer_is_not_compiled_anew_for_every_batch(make):
    torch._dynamo.reset()
    counter, layer = CompileCounter(), make()
    compiled = torch.compile(layer, fullgraph=True, backend=counter)
    for sizes in ([5, 7], [3, 9], [8, 2], [6, 11], [4, 4, 1], [9, 3], [2]):
        x, ptr = torch.randn(sum(sizes), 8), torch.tensor([0, *sizes]).cumsum(0)
        ends = [
            start + torch.randint(size, (2, 2 * size + 1)) for start, size in zip(ptr.tolist(), sizes, strict=False)
        ]
        graph = Edges(torch.cat(ends, dim=1), ptr=ptr)
        assert_close(compiled(x, graph), layer(x, graph))
    # Once for the sizes of the first batch, once for all sizes.
    assert counter.frame_count == 2


@pytest.mark.parametrize("topology", [Full, Causal])
def test_prepared_graphs_of_all_sizes_are_compiled_twice(topology):
    torch._dynamo.reset()
    counter, layer = CompileCounter(), SelfAttention(8, heads=2)
    compiled = torch.compile(layer, fullgraph=True, backend=counter)
    batches = ([5, 7], [3, 9, 2], [8, 2, 1, 30], [30, 5, 70], [3, 0, 5, 90], [0, 4, 4], [200, 1, 1, 8, 9, 70], [2, 3])
    for sizes in batches:
        x, graph = torch.randn(sum(sizes), 8), topology(sizes).prepare()
        assert_close(compiled(x, graph), layer(x, topology(sizes)))
    # Once for the sizes of the first batch, once for all sizes.
    assert counter.frame_count == 2
    # Graphs of one size need no padding: a form of its own.
    compiled(torch.randn(12, 8), topology([4, 4, 4]).prepare())
    assert counter.frame_count == 3


def test_a_compiled_model_is_one_graph():
    torch._dynamo.reset()
    counter, model, x = CompileCounter(), Net(LAYERS["SelfAttention"]), torch.randn(5, 8)
    graph = Full([3, 2])
    graph.plan()
    compiled = torch.compile(model, fullgraph=True, backend=counter)
    for each in (graph, Edges(EDGES, 5)):
        assert_close(compiled(x, each), model(x, each))
    assert counter.frame_count == 2


@EACH
@pytest.mark.parametrize("graph", [Edges(EDGES, 5), Full([3, 2])], ids=lambda graph: type(graph).__name__)
# torch's export warns of torch's tree maps.
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_with_a_prebuilt_graph_is_exported(make, graph):
    model, x = Net(make, graph.prepare()).eval(), torch.randn(5, 8)
    exported = torch.export.export(model, (x,))
    other = torch.randn(5, 8)
    assert_close(exported.module()(other), model(other))


@EACH
def test_copies_hold_their_own_parameters(make):
    model, x = Net(make), torch.randn(5, 8)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert model(x, EDGES).any()
    other.load_state_dict(model.state_dict())
    assert_close(other(x, EDGES), model(x, EDGES))


@EACH
@pytest.mark.parametrize("graph", [EDGES, Full([3, 2])], ids=lambda graph: type(graph).__name__)
def test_layers_work_under_autocast(make, graph):
    layer, x = make(), torch.randn(5, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x, graph)
    assert_close(out.float(), layer(x, graph), atol=0.1, rtol=0.1)
    out.float().sum().backward()
    assert x.grad.dtype == torch.float32
    assert torch.isfinite(x.grad).all()


# torch maps its fused kernel sample by sample: slower, not wrong.
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@EACH
def test_many_states_of_one_graph_are_mapped(make):
    layer, many = make().double(), torch.randn(3, 5, 8, dtype=torch.float64)
    for graph in (EDGES, Edges(EDGES, 5), Full([3, 2])):
        mapped = torch.func.vmap(lambda x, graph=graph: layer(x, graph))(many)
        assert_close(mapped, torch.stack([layer(x, graph) for x in many]))


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


# torch warns of its own internals.
@pytest.mark.filterwarnings("ignore")
def test_every_parameter_is_used_so_that_several_processes_can_train(process_group):
    for row in (row for row in TABLE if "Edges" in row.topologies):
        layer, graph = row.make(), Edges(EDGES, 5)
        parallel, edge = nn.parallel.DistributedDataParallel(layer), row.edge(graph)
        # An unused parameter is an error of the second step.
        for _ in range(2):
            parallel(torch.randn(5, 8), graph, edge).sum().backward()
        assert [name for name, parameter in layer.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("method", ["IntegratedGradients", "Saliency"])
# captum and torch warn of gradients that captum sets.
@pytest.mark.filterwarnings("ignore")
def test_captum_explains_edges(method):
    pytest.importorskip("captum")

    class Summed(Net):
        def forward(self, x, edge_index):
            return super().forward(x, edge_index).sum(-1, keepdim=True)

    mode = {"mode": "regression", "task_level": "node", "return_type": "raw"}
    explainer = Explainer(
        Summed(LAYERS["SelfAttention"]),
        CaptumExplainer(method),
        explanation_type="model",
        node_mask_type="attributes",
        edge_mask_type="object",
        model_config=mode,
    )
    explanation = explainer(torch.randn(5, 8), EDGES, index=1)
    assert explanation.edge_mask.shape == (5,)
    # Node 1 hears 0 and 2; 0 -> 3 leads nowhere.
    assert explanation.edge_mask[0] != 0
    assert explanation.edge_mask[3] == 0


def test_sizes_are_checked_without_reading_values():
    # Tensors on "meta" have no values: whatever reads one fails.
    ptr = torch.tensor([0, 5], device="meta")
    graph = Full([5])
    graph.receivers = graph.senders = Sizes(ptr, 5, equal=True)
    layer = SelfAttention(8, heads=2).to("meta")
    assert layer.prepare(torch.randn(5, 8, device="meta"), graph)[1] is graph
