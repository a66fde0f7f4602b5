"""Kernels in Triton are compiled for an H100 where there is none: what the interpreter forgives, the compiler does not.

No kernel runs: results are whatever stood in memory. Run by ../test_cuda.py in a process of its own.
"""

import pytest
import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import use_backend
from graphattn.backends.triton import usable, work
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.topology import Causal, Edges
from graphattn.update import Replace
from graphattn.zoo import GAT, GCN, GATv2, GraphTransformer

# The last node is heard and hears often enough to be a hub, whose parts are merged.
EDGES = torch.stack([(torch.arange(40) % 7).clamp(max=5), (torch.arange(40) % 11).clamp(max=5)])


class Hopper:
    """Stands for the driver of a machine with an H100."""

    def get_current_target(self):
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device=None):
        return 0


@pytest.fixture
def compiled(monkeypatch):
    """Names of the kernels that were compiled."""
    names, run = [], JITFunction.run

    def compile_only(self, *arguments, grid, warmup, **constants):
        made = run(self, *arguments, grid=grid, warmup=True, **constants)
        assert ".target sm_90" in made.asm["ptx"]
        assert made.asm["cubin"]
        names.append(self.__name__)

    monkeypatch.setattr(usable, "interpreted", lambda: True)
    monkeypatch.setattr(JITFunction, "run", compile_only)
    monkeypatch.setattr(driver, "_active", Hopper())
    monkeypatch.setattr(work, "LONGEST", 8)
    return names


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    "make",
    [
        lambda: GraphTransformer(16, 16, heads=2, edge_dim=3, dropout=0.1),
        lambda: GATv2(16, 16, heads=2),
        lambda: GAT(16, 16, heads=2),
        lambda: GCN(16, 16),
    ],
    ids=["GraphTransformer", "GATv2", "GAT", "GCN"],
)
def test_kernels_over_edges(compiled, make, dtype):
    layer, x = make().to(dtype), torch.randn(6, 16, dtype=dtype, requires_grad=True)
    edge = {"edge_attr": torch.randn(40, 3, dtype=dtype)} if layer.name == "GraphTransformer" else {}
    with use_backend("cuda"):
        layer(x, Edges(EDGES, 6), edge).sum().backward()
    wanted = {"weighted_sum"} if layer.name == "GCN" else {"attend", "to_receivers", "weighted_sum"}
    assert wanted | {"merge"} <= set(compiled)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_kernels_of_small_graphs(compiled, dtype):
    message = Attend(16, Heads(2, 16), edge_bias=LinearBias("bond", 3, heads=2))
    layer = GraphLayer(message, SoftmaxSum(), Replace(), dropout=0.1).to(dtype)
    graph = Causal([3, 40])
    with use_backend("cuda_small"):
        layer(
            torch.randn(43, 16, dtype=dtype), graph, {"bond": torch.randn(graph.num_edges, 3, dtype=dtype)}
        ).sum().backward()
    assert compiled == ["attention", "attention", "attention_backward", "attention_backward"]
