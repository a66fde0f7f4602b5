"""Times kernels on a CUDA device against named peers in one run, forward and with backward, and prints a table with the ratios.

`python -m benchmarks.cuda`. Peers: PyG eager and under torch.compile, scaled_dot_product_attention on padded batches and on
sequences of unequal length (varlen). Steps are compared first, then timed in turn by CUDA events; grouping edges is not timed.
"""

import statistics
from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.utils import to_dense_batch

from graphattn import GAT, GCN, Edges, Full, GATv2
from graphattn.aggregation import SoftmaxSum
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.update import Replace

ROUNDS, WARM = 15, 3
Step = Callable[[], Tensor]


class Case(NamedTuple):
    """A step that ours and the peers take; ``steps["graphattn"]`` is ours, ``leaves`` are what gradients are taken of."""

    name: str
    steps: dict[str, Step]
    leaves: tuple[Tensor, ...]


class Place(NamedTuple):
    """Where and in which precision."""

    device: str
    dtype: torch.dtype

    def draw(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self.device, dtype=self.dtype)


def random_edges(nodes: int, degree: int, device: str) -> Tensor:
    """Edges between random nodes."""
    return torch.randint(0, nodes, (2, nodes * degree), device=device)


def power_law(nodes: int, degree: int, device: str) -> Tensor:
    """Edges to random nodes, of which few hear many: receiver numbers are cubes of uniform ones."""
    receiver = (torch.rand(nodes * degree, device=device) ** 3 * nodes).long().clamp(max=nodes - 1)
    return torch.stack([torch.randint(0, nodes, (nodes * degree,), device=device), receiver])


def on_edges(place: Place, name: str, edge_index: Tensor, nodes: int, heads: int = 8, channels: int = 16) -> list[Case]:
    """Layers over a list of edges against PyG's of the same parameters."""
    width, graph = heads * channels, Edges(edge_index, nodes).prepare()
    sides = {
        "attention": (attention(width, heads), pyg.TransformerConv(width, channels, heads, root_weight=False)),
        "GATv2": (GATv2(width, channels, heads), pyg.GATv2Conv(width, channels, heads, add_self_loops=False)),
        "GAT": (GAT(width, channels, heads), pyg.GATConv(width, channels, heads, add_self_loops=False)),
        "GCN": (GCN(width, width), pyg.GCNConv(width, width, add_self_loops=False)),
    }
    cases = []
    for layer, (ours, theirs) in sides.items():
        x = place.draw(nodes, width).requires_grad_()
        share(ours.to(place.device, place.dtype), theirs.to(place.device, place.dtype))
        steps: dict[str, Step] = {
            "graphattn": lambda ours=ours, x=x: ours(x, graph).flatten(1),
            "PyG": lambda theirs=theirs, x=x: theirs(x, edge_index),
        }
        if place.device == "cuda":
            fast = torch.compile(theirs)
            steps["PyG compiled"] = lambda fast=fast, x=x: fast(x, edge_index)
        cases.append(Case(f"{layer} H{heads}C{channels}, {name}", steps, (x,)))
    return cases


def attention(width: int, heads: int, **terms: torch.nn.Module) -> GraphLayer:
    """Attention without an output map."""
    return GraphLayer(Attend(width, Heads(heads, width // heads), **terms), SoftmaxSum(), Replace())


def share(ours: GraphLayer, theirs: torch.nn.Module) -> None:
    """Give PyG's layer the parameters of ours."""
    from graphattn.convert import from_torch

    ours.load_state_dict(from_torch(theirs).state_dict())


def on_whole_graphs(place: Place, name: str, sizes: list[int], heads: int = 8, channels: int = 16) -> list[Case]:
    """Attention in complete graphs, alone and with a bond bias, against padding, varlen and PyG's edges; the maps are shared."""
    width, graph = heads * channels, Full(sizes).to(place.device)
    plain, biased = attention(width, heads), attention(width, heads, edge_bias=LinearBias("bond", 8, heads))
    batch = torch.arange(len(sizes), device=place.device).repeat_interleave(torch.tensor(sizes, device=place.device))
    bond, x = place.draw(graph.num_edges, 8), place.draw(sum(sizes), width).requires_grad_()
    cases = []
    for layer, edge in ((plain, None), (biased, {"bond": bond})):
        layer.to(place.device, place.dtype)
        laid = None if edge is None else pairs(bond, sizes)
        steps: dict[str, Step] = {
            "graphattn": lambda layer=layer, edge=edge: layer(x, graph, edge).flatten(1),
            "padded SDPA": lambda layer=layer, laid=laid: padded(layer, x, batch, laid),
        }
        if place.device == "cuda" and edge is None and place.dtype != torch.float32:
            steps["varlen"] = lambda layer=layer: varlen(layer, x, graph)
        cases.append(Case(f"{'attention' if edge is None else 'attention with bonds'}, {name}", steps, (x,)))
    return cases


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


def trained(step: Step, leaves: tuple[Tensor, ...]) -> Step:
    """Forward and backward of a step; returns the gradients, one behind the other."""
    return lambda: torch.cat([grad.flatten() for grad in torch.autograd.grad(step().float().square().sum(), leaves)])


def compared(case: Case) -> None:
    """Refuse steps with different results."""
    for way in (lambda step: step, lambda step: trained(step, case.leaves)):
        results = {who: way(step)().detach().float() for who, step in case.steps.items()}
        truth = results["graphattn"]
        for who, result in results.items():
            slack = 0.02 * float(truth.abs().max())
            assert_close(result, truth, rtol=0.05, atol=slack, msg=lambda text, who=who: f"{case.name}, {who}: {text}")


def timed(steps: dict[str, Step]) -> dict[str, list[float]]:
    """Milliseconds of each step in each round, the steps in turn."""
    for step in steps.values():
        for _ in range(WARM):
            step()
    spent: dict[str, list[float]] = {who: [] for who in steps}
    for _ in range(ROUNDS):
        for who, step in steps.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            start.record()
            step()
            end.record()
            torch.cuda.synchronize()
            spent[who].append(start.elapsed_time(end))
    return spent


def rows(case: Case, kind: str, spent: dict[str, list[float]]) -> list[str]:
    """Lines of the table: medians, and the ratio of medians with the least and the largest ratio of a round."""
    ours, lines = spent["graphattn"], []
    for who, theirs in spent.items():
        if who == "graphattn":
            continue
        ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
        medians = statistics.median(ours), statistics.median(theirs)
        cells = (case.name, kind, who, f"{medians[0]:.3f}", f"{medians[1]:.3f}", f"{medians[1] / medians[0]:.2f}")
        lines.append(f"| {' | '.join(cells)} | {min(ratios):.2f} to {max(ratios):.2f} |")
    return lines


def cases(place: Place) -> list[Case]:
    """All that is measured."""
    many = torch.randint(10, 38, (512,), generator=torch.Generator().manual_seed(0)).tolist()
    long = torch.randint(200, 2000, (16,), generator=torch.Generator().manual_seed(0)).tolist()
    spread = random_edges(100_000, 16, place.device), power_law(100_000, 16, place.device)
    return [
        *on_edges(place, "100k nodes of degree 16", spread[0], 100_000),
        *on_edges(place, "100k nodes of degree 16", spread[0], 100_000, heads=4, channels=64),
        *on_edges(place, "100k nodes, power law", spread[1], 100_000),
        *on_whole_graphs(place, "512 graphs of 10 to 37 nodes", many),
        *on_whole_graphs(place, "16 graphs of 200 to 2,000 nodes", long, heads=8, channels=64)[:1],
    ]


def main() -> None:
    """Measure all cases, or say that there is no device."""
    if not torch.cuda.is_available():
        print("There is no CUDA device here: nothing is measured.")
        return
    torch.manual_seed(0)
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("graphattn", "torch", "triton", "torch-geometric")
    )
    print(f"{torch.cuda.get_device_name()}; CUDA {torch.version.cuda}; {versions}; median of {ROUNDS}, steps in turn\n")
    for dtype in (torch.bfloat16, torch.float32):
        print(f"\n{dtype}\n\n| case | what | peer | ours, ms | peer, ms | peer / ours | of a round |\n{'|---' * 7}|")
        for case in cases(Place("cuda", dtype)):
            compared(case)
            forward = {who: torch.no_grad()(step) for who, step in case.steps.items()}
            both = {who: trained(step, case.leaves) for who, step in case.steps.items()}
            for kind, steps in (("forward", forward), ("forward and backward", both)):
                print("\n".join(rows(case, kind, timed(steps))), flush=True)


if __name__ == "__main__":
    main()
