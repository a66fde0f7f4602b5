"""Steps on a device beside the same steps of named peers, made one after the other in the order of what matters most."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch_geometric import nn as pyg
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import to_dense_batch

from graphattn import GAT, GCN, Attend, Edges, Full, GATv2, GraphLayer, Heads, Replace, SoftmaxSum, from_torch
from graphattn.edge_terms import LinearBias

OURS = "graphattn"
EAGER, COMPILED, CACHED, SPMM = "PyG", "PyG compiled", "PyG cached", "torch.sparse.mm"
PADDED, VARLEN = "padded SDPA", "varlen attention"
Step = Callable[[], Tensor]


class Place(NamedTuple):
    """Where, in which precision, and whether sizes are tiny, to try it out; `compiler` is the backend of torch.compile."""

    device: str
    dtype: torch.dtype
    tiny: bool = False
    compiler: str = "inductor"

    def draw(self, *shape: int) -> Tensor:
        """Normal numbers."""
        return torch.randn(*shape, device=self.device, dtype=self.dtype)

    def by_head(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Heads and channels, few where sizes are tiny."""
        return shape if not self.tiny else (2, 4)


class Case(NamedTuple):
    """A step that ours and the peers take; `leaves` are what gradients are taken of.

    `moved` are the bytes that a forward pass reads and writes if no row of a node stays in a cache: rows of senders once for each
    edge, rows of nodes and numbers of edges once; 0 where computing is the limit.
    """

    name: str
    steps: dict[str, Step]
    leaves: tuple[Tensor, ...]
    moved: int = 0


Make = Callable[[Place], Case]


def order() -> Iterator[tuple[Make, torch.dtype]]:
    """All that is measured: attention, GCN, whole graphs, and the peers that take long to compile last."""
    for dtype in (torch.bfloat16, torch.float32):
        for layer, shape, spread in (
            ("attention", (8, 16), even),
            ("GATv2", (8, 16), even),
            ("GAT", (8, 16), even),
            ("attention", (4, 64), even),
            ("attention", (8, 16), power_law),
        ):
            yield partial(on_edges, layer, shape, spread, (EAGER,)), dtype
    for dtype in (torch.bfloat16, torch.float32):
        yield partial(on_edges, "GCN", (8, 16), even, (EAGER, CACHED, SPMM)), dtype
    for dtype in (torch.bfloat16, torch.float32):
        yield small_graphs, dtype
        yield bonds, dtype
        yield long_graphs, dtype
    for layer in ("attention", "GCN", "GATv2", "GAT"):
        yield partial(on_edges, layer, (8, 16), even, (COMPILED,)), torch.float32


def first_of_each() -> Iterator[tuple[Make, torch.dtype]]:
    """Each of these once, in the first of its precisions: for a rehearsal."""
    seen: set[str] = set()
    for make, dtype in order():
        if repr(make) not in seen:
            seen.add(repr(make))
            yield make, dtype


def even(place: Place) -> tuple[Tensor, int, str]:
    """Edges between random nodes."""
    nodes, degree = (100_000, 16) if not place.tiny else (4, 3)
    return torch.randint(0, nodes, (2, nodes * degree), device=place.device), nodes, "random edges"


def power_law(place: Place) -> tuple[Tensor, int, str]:
    """Edges to random nodes, of which few hear many: receiver numbers are cubes of uniform ones."""
    ends, nodes, _ = even(place)
    receiver = (torch.rand(ends.size(1), device=place.device) ** 3 * nodes).long().clamp(max=nodes - 1)
    return torch.stack([ends[0], receiver]), nodes, "power law"


def on_edges(
    layer: str,
    shape: tuple[int, int],
    spread: Callable[[Place], tuple[Tensor, int, str]],
    peers: Sequence[str],
    place: Place,
) -> Case:
    """A layer over a list of edges beside that of PyG with the same parameters."""
    heads, channels = place.by_head(shape)
    ends, nodes, what = spread(place)
    graph, x = Edges(ends, nodes).prepare(), place.draw(nodes, heads * channels).requires_grad_()
    ours, theirs = (each.to(place.device, place.dtype) for each in _pair(layer, heads, channels))
    ours.load_state_dict(from_torch(theirs).state_dict())
    steps: dict[str, Step] = {OURS: lambda: ours(x, graph).flatten(1)}
    for peer in peers:
        steps[peer] = _peer(peer, theirs, x, ends, place)
    name = f"{layer} {heads}x{channels}, {what}, {nodes:,} nodes, {ends.size(1):,} edges"
    return Case(name, steps, (x,), _moved(layer, nodes, ends.size(1), heads, channels, x.element_size()))


def _pair(layer: str, heads: int, channels: int) -> tuple[GraphLayer, nn.Module]:
    width, alone = heads * channels, {"add_self_loops": False}
    if layer == "attention":
        return attention(width, heads), pyg.TransformerConv(width, channels, heads, root_weight=False)
    if layer == "GATv2":
        return GATv2(width, channels, heads), pyg.GATv2Conv(width, channels, heads, **alone)
    if layer == "GAT":
        return GAT(width, channels, heads), pyg.GATConv(width, channels, heads, **alone)
    return GCN(width, width), pyg.GCNConv(width, width, **alone)


def _peer(peer: str, theirs: nn.Module, x: Tensor, ends: Tensor, place: Place) -> Step:
    if peer == COMPILED:
        torch._dynamo.reset()
        quick = torch.compile(theirs, backend=place.compiler)
        return lambda: quick(x, ends)
    if peer == CACHED:
        cached = pyg.GCNConv(x.size(1), x.size(1), add_self_loops=False, cached=True).to(x)
        cached.load_state_dict(theirs.state_dict())
        return lambda: cached(x, ends)
    if peer == SPMM:
        _, weight = gcn_norm(ends, None, x.size(0), add_self_loops=False, dtype=x.dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # sparse matrices are "in beta state"
            matrix = torch.sparse_coo_tensor(ends.flip(0), weight, (x.size(0), x.size(0))).coalesce().to_sparse_csr()
        return lambda: torch.sparse.mm(matrix, theirs.lin(x)) + theirs.bias
    return lambda: theirs(x, ends)


def _moved(layer: str, nodes: int, edges: int, heads: int, channels: int, size: int) -> int:
    row, number = heads * channels * size, 4
    if layer == "GCN":  # x, its product and the result; a row and a weight for each edge
        return 3 * nodes * row + edges * (row + number + size)
    if layer == "GAT":  # a row and a score for each edge
        return 3 * nodes * row + edges * (row + heads * size + number)
    if layer == "GATv2":  # the key is the value
        return 6 * nodes * row + edges * (row + number)
    return 8 * nodes * row + edges * (2 * row + number)


def attention(width: int, heads: int, **terms: nn.Module) -> GraphLayer:
    """Attention without an output map."""
    return GraphLayer(Attend(width, Heads(heads, width // heads), **terms), SoftmaxSum(), Replace())


def small_graphs(place: Place) -> Case:
    """Attention in complete graphs of the sizes of molecules."""
    return on_whole_graphs(place, _sizes(place, 512, 10, 38), (8, 16))


def bonds(place: Place) -> Case:
    """The same with a bias that is linear in features of each pair."""
    return on_whole_graphs(place, _sizes(place, 512, 10, 38), (8, 16), biased=True)


def long_graphs(place: Place) -> Case:
    """Attention in complete graphs of the sizes of paragraphs."""
    return on_whole_graphs(place, _sizes(place, 16, 200, 2000), (8, 64))


def _sizes(place: Place, number: int, least: int, most: int) -> list[int]:
    drawn = torch.randint(least, most, (number,), generator=torch.Generator().manual_seed(0)).tolist()
    return drawn if not place.tiny else [2 + size % 3 for size in drawn[:2]]


def on_whole_graphs(place: Place, sizes: list[int], shape: tuple[int, int], biased: bool = False) -> Case:
    """Attention in complete graphs against padding and varlen; all take the maps of one layer."""
    (heads, channels), graph = place.by_head(shape), Full(sizes).to(place.device)
    terms = {"edge_bias": LinearBias("bond", 8, heads)} if biased else {}
    layer = attention(heads * channels, heads, **terms).to(place.device, place.dtype)
    batch = torch.arange(len(sizes), device=place.device).repeat_interleave(torch.tensor(sizes, device=place.device))
    x = place.draw(sum(sizes), heads * channels).requires_grad_()
    bond = place.draw(graph.num_edges, 8) if biased else None
    edge, laid = (None, None) if bond is None else ({"bond": bond}, pairs(bond, sizes))
    steps: dict[str, Step] = {
        OURS: lambda: layer(x, graph, edge).flatten(1),
        PADDED: lambda: padded(layer, x, batch, laid),
    }
    if not biased and place.dtype != torch.float32:
        steps[VARLEN] = lambda: varlen(layer, x, graph)
    what = "attention with bonds" if biased else "attention"
    name = f"{what} {heads}x{channels}, {len(sizes)} complete graphs of {min(sizes)} to {max(sizes)} nodes"
    return Case(name, steps, (x,))


def projected(layer: GraphLayer, x: Tensor) -> list[Tensor]:
    """Queries, keys and values by head, ``[N, H, C]``."""
    said = layer.message_function
    return [linear(x).unflatten(-1, (said.heads.number, -1)) for linear in (said.query, said.key, said.value)]


def pairs(bond: Tensor, sizes: list[int]) -> Tensor:
    """Features of complete graphs' edges laid out with padding, ``[B, n, n, F]``."""
    most, start = max(sizes), 0
    laid = bond.new_zeros(len(sizes), most, most, bond.size(1))
    for k, size in enumerate(sizes):
        laid[k, :size, :size] = bond[start : start + size * size].view(size, size, -1)
        start += size * size
    return laid


def padded(layer: GraphLayer, x: Tensor, batch: Tensor, laid: Tensor | None) -> Tensor:
    """What people write: pad, mask, attend, take out."""
    rows, real = to_dense_batch(x, batch)
    query, key, value = (state.transpose(1, 2) for state in projected(layer, rows))
    mask = real[:, None, None, :]
    if laid is not None:
        bias = layer.message_function.edge_bias.linear(laid).permute(0, 3, 1, 2)
        mask = bias.masked_fill(~mask, -torch.inf)
    return scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)[real].flatten(1)


def varlen(layer: GraphLayer, x: Tensor, graph: Full) -> Tensor:
    """Torch's attention over sequences of unequal length, one behind the other."""
    from torch.nn.attention.varlen import varlen_attn

    ptr, most = graph.receivers.ptr.int(), graph.receivers.max
    return varlen_attn(*projected(layer, x), ptr, ptr, most, most).flatten(1)
