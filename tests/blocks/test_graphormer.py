import torch
from torch import nn
from torch.nn.functional import gelu, layer_norm
from torch.testing import assert_close

from graphattn.blocks import Graphormer
from graphattn.edge_terms import LinearBias
from graphattn.encoding import shortest_path
from graphattn.topology import Full

F64 = torch.float64
# A directed ring of four nodes with a chord, and two nodes without an edge between them.
RING = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]])
GRAPH = Full([4, 2])


def features():
    number = GRAPH.edge_number(RING[1], RING[0])
    lengths = [shortest_path(RING, 4, 3), shortest_path(RING[:, :0], 2, 3)]
    return {"distance": torch.cat(lengths), "bond": torch.randn(5, 3, dtype=F64), "bond_number": number}


def drawn(block):
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block.double()


def literal(block, x, edge, bond):
    """One graph, dense, from the formulas of the paper; `edge` and `bond` are matrices of pairs [receiver, sender]."""
    said = block.layers[0].message_function
    path, linear = said.edge_bias.terms
    normed = layer_norm(x, (8,), block.norm_before_layers.weight, block.norm_before_layers.bias)
    query, key, value = (part(normed).view(-1, 2, 4) for part in (said.query, said.key, said.value))
    score = torch.einsum("ihc,jhc->ijh", query, key) / 2 + path.table[edge] + bond @ linear.linear.weight.T
    heard = torch.einsum("ijh,jhc->ihc", score.softmax(1), value).flatten(1)
    h = x + block.layers[0].update_function.linear(heard)
    normed = layer_norm(h, (8,), block.norm_before_mlp.weight, block.norm_before_mlp.bias)
    return h + block.mlp[3](gelu(block.mlp[0](normed)))


def test_graphormer_is_the_paper_s_formula():
    block = drawn(Graphormer(8, heads=2, farthest=3, edge_bias=LinearBias("bond", 3, 2)))
    assert block.mlp[0].out_features == 8
    x, edge = torch.randn(6, 8, dtype=F64, requires_grad=True), features()
    bond = torch.zeros(4, 4, 3, dtype=F64).index_put((RING[1], RING[0]), edge["bond"])
    truth = torch.cat(
        [
            literal(block, x[:4], edge["distance"][:16].view(4, 4), bond),
            literal(block, x[4:], edge["distance"][16:].view(2, 2), torch.zeros(2, 2, 3, dtype=F64)),
        ]
    )
    result = block(x, GRAPH, edge)
    assert_close(result, truth, rtol=1e-9, atol=1e-9)
    wanted = [x, *block.parameters()]
    for ours, its in zip(*(torch.autograd.grad(out.sin().sum(), wanted) for out in (result, truth)), strict=True):
        assert_close(ours, its, rtol=1e-9, atol=1e-9)


def test_the_paper_s_edge_encoding_is_a_linear_bias_of_the_edges_on_the_path():
    # The ring's edges by number, on the shortest path from sender to receiver.
    paths = {(0, 1): [0], (0, 2): [4], (0, 3): [4, 2], (1, 2): [1], (1, 3): [1, 2], (1, 0): [1, 2, 3]}
    paths |= {(2, 3): [2], (2, 0): [2, 3], (2, 1): [2, 3, 0], (3, 0): [3], (3, 1): [3, 0], (3, 2): [3, 4]}
    assert all(shortest_path(RING, 4, 5)[to * 4 + start] == len(path) for (start, to), path in paths.items())
    features = torch.randn(5, 2, dtype=F64)
    term = LinearBias("path", 3 * 2, heads=4).double()
    weight = term.linear.weight.view(4, 3, 2)  # w of each head and position
    rows, truth = torch.zeros(16, 6, dtype=F64), torch.zeros(16, 4, dtype=F64)
    for (sender, receiver), path in paths.items():
        on_path = features[path] / len(path)
        rows[receiver * 4 + sender, : 2 * len(path)] = on_path.flatten()
        truth[receiver * 4 + sender] = torch.einsum("nf,hnf->h", on_path, weight[:, : len(path)])
    assert_close(term.on_edges(Full([4]), {"path": rows}), truth)


def test_graphormer_without_edge_bias_knows_the_path_alone():
    block = drawn(Graphormer(8, heads=2, farthest=3))
    x, edge = torch.randn(6, 8, dtype=F64), features()
    before = block(x, GRAPH, edge)
    assert torch.equal(before, block(x, GRAPH, {"distance": edge["distance"]}))
    edge["distance"] = edge["distance"].flip(0)
    assert not torch.allclose(before, block(x, GRAPH, edge))
