"""The choice among backends: the first that can compute a layer on a graph, or the one that is forced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from graphattn.backends.closed_form import ClosedForm
from graphattn.backends.dense import Dense
from graphattn.backends.edges.backend import NUMBA, TORCH, TRITON, OnEdges
from graphattn.backends.edgewise import Edgewise
from graphattn.backends.flex import Flex
from graphattn.backends.linear import Linear
from graphattn.backends.whole.backend import CUDA_SMALL, SMALL
from graphattn.slots import Backend, Inputs, State
from graphattn.topology import Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

BACKENDS: tuple[Backend, ...] = (
    ClosedForm(), CUDA_SMALL, SMALL, Flex(), Dense(), Linear(),
    OnEdges("cuda", TRITON), OnEdges("csr", NUMBA), OnEdges("sparse", TORCH), Edgewise(),
)  # fmt: skip
_OF_TORCH = tuple(backend for backend in BACKENDS if isinstance(backend, (ClosedForm, Dense, Linear, Edgewise)))
"""Those without operators of our own, which ONNX does not know."""


class _Forced(threading.local):
    """What ``use_backend`` forces in this thread, the innermost last."""

    def __init__(self) -> None:
        self.backends: list[Backend] = []


_forced = _Forced()


def choose(layer: GraphLayer, graph: Topology, inputs: Inputs) -> Backend:
    """The first backend that supports the layer on this graph, or the forced one; under forward-mode derivatives ``edgewise``.

    Raises:
        ValueError: the forced backend cannot be used, with its reasons.
    """
    _must_fit(graph, inputs)
    forward = _in_forward_mode()
    if not _forced.backends:
        chosen = BACKENDS[-1:] if forward else _OF_TORCH if _for_onnx() else BACKENDS
        return next(backend for backend in chosen if not any(backend.unsupported(layer, graph, inputs)))
    forced = _forced.backends[-1]
    reasons = list(forced.unsupported(layer, graph, inputs))
    if forward and forced is not BACKENDS[-1]:
        reasons.append("needs derivatives in reverse mode (grad, vjp), got forward mode (jvp), which edgewise knows")
    if _for_onnx() and forced not in _OF_TORCH:
        reasons.append(
            "needs torch's own operators for ONNX, which dense, linear, closed_form and edgewise are made of"
        )
    if reasons:
        raise ValueError(
            f"expected a layer that backend {forced.name!r} supports, got one it refuses: {'; '.join(reasons)}"
        )
    return forced


def _must_fit(graph: Topology, inputs: Inputs) -> None:
    """Refuse states that are not one row for each node: kernels read rows by the numbers of nodes."""
    sides = (("senders", inputs.senders, graph.num_senders), ("receivers", inputs.receivers, graph.num_receivers))
    for side, states, count in sides:
        for name, state in states.items():
            if state.size(0) != count:
                raise ValueError(f"expected {count} rows of {side} in {name!r} for {graph}, got {state.size(0)}")


def _in_forward_mode() -> bool:
    # Kernels are operators of which torch knows no derivative in forward mode, and takes it to be zero without a word.
    return not torch.compiler.is_compiling() and forward_ad._current_level >= 0  # torch has no public question for it


def _for_onnx() -> bool:
    return torch.compiler.is_exporting() and torch.onnx.is_in_onnx_export()


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Force one backend by name for all layers that this thread calls inside.

    Raises:
        ValueError: no backend of that name; inside, layers raise it where the backend cannot be used.

    >>> from graphattn import Full, SelfAttention
    >>> layer, x, graph = SelfAttention(8), torch.randn(3, 8), Full([3])
    >>> with use_backend("edgewise"):
    ...     by_edges = layer(x, graph)
    >>> torch.allclose(by_edges, layer(x, graph), atol=1e-6)
    True
    """
    known = {backend.name: backend for backend in BACKENDS}
    if name not in known:
        raise ValueError(f"expected one of the backends {sorted(known)}, got {name!r}")
    _forced.backends.append(known[name])
    try:
        yield
    finally:
        _forced.backends.pop()


class BackendExplanation(NamedTuple):
    """Every backend in order of preference, with its reasons for not being usable."""

    chosen: str
    reasons: dict[str, list[str]]

    def __str__(self) -> str:
        lines = []
        for name, reasons in self.reasons.items():
            verdict = "; ".join(reasons) if reasons else "can be used"
            lines.append(f"{'->' if name == self.chosen else '  '} {name}: {verdict}")
        return "\n".join(lines)


def explain_backend(
    layer: GraphLayer, x: Tensor | tuple[Tensor, Tensor | None], graph: Topology, edge_attr: State | None = None
) -> BackendExplanation:
    """Which backend computes ``layer(x, graph)``, and why the others do not.

    >>> from graphattn import Edges, GCN
    >>> print(explain_backend(GCN(4, 4), torch.randn(2, 4), Edges(torch.tensor([[0], [1]]))))
       closed_form: needs a topology of whole graphs (Full, Cross, Star), got Edges
       cuda_small: needs tensors on a CUDA device, got cpu; needs a topology of whole graphs (Full, Causal, Cross...
       small: needs a topology of whole graphs (Full, Causal, Cross, Star), got Edges; needs the message ...
       flex: needs tensors on a CUDA device, got cpu; needs a topology of runs of senders (Blockwise), got Edges...
       dense: needs a topology of blocks (Full, Causal, Window, Prefix, Cross, Star), got Edges; needs the message ...
       linear: needs a topology of whole graphs (Full, Causal, Cross, Star), got Edges; needs the aggregation ...
       cuda: needs tensors on a CUDA device, got cpu
    -> csr: can be used
       sparse: can be used
       edgewise: can be used
    """
    _, graph, inputs = layer.prepare(x, graph, edge_attr)
    reasons = {backend.name: list(backend.unsupported(layer, graph, inputs)) for backend in BACKENDS}
    return BackendExplanation(choose(layer, graph, inputs).name, reasons)
