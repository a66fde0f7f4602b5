"""The drop-in for PyG's GPS layer."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear
from torch_geometric import nn as pyg
from torch_geometric.nn.attention import PerformerAttention
from torch_geometric.nn.attention.performer import PerformerProjection, generalized_kernel
from torch_geometric.utils import to_dense_batch

from graphattn.aggregation import SoftmaxSum
from graphattn.dropout import draw_seed
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.pyg.dropin import DropIn, Graph, answered, heard, listed, made_of
from graphattn.pyg.intact import patched, watched
from graphattn.slots import Inputs
from graphattn.topology import Full
from graphattn.update import Replace


@final
class GPSConv(DropIn, pyg.GPSConv):
    r"""PyG's ``GPSConv`` (Rampášek et al. 2022) with the same parameters, its attention computed by graphattn on ``Full(batch)``.

    .. math:: h_i = \text{local}(x_i) + x_i + \text{attention}_{j : \text{graph}(j) = \text{graph}(i)}(x_i, x_j) + x_i

    The result is PyG's, with one exception. PyG's Performer attention lets the padding of smaller graphs into the
    denominator, so that a graph's result depends on the other graphs of its batch. Here every graph gets the result that
    it gets alone, which is also PyG's result for a graph alone.

    The graphs of ``batch`` must stand one behind the other, as PyG's loaders lay them.

    >>> from graphattn.pyg import GPSConv
    >>> layer = GPSConv(8, conv=None, heads=2, attn_type="performer").eval()
    >>> x, edge_index = torch.randn(5, 8), torch.empty(2, 0, dtype=torch.long)
    >>> together = layer(x, edge_index, torch.tensor([0, 0, 0, 0, 1]))
    >>> torch.allclose(together[4:], layer(x[4:], edge_index), atol=1e-6)
    True
    """

    theirs = pyg.GPSConv

    def forward(self, x: Tensor, edge_index: Graph, batch: Tensor | None = None, **kwargs: Any) -> Tensor:
        """As PyG's; ``kwargs`` go to the local layer."""
        # The sizes of graphs are read outside of a compiled graph; PyG's result is the same where it does not leak.
        compiling = torch.compiler.is_compiling() and isinstance(self.attn, nn.MultiheadAttention)
        if compiling or not answered(self, attention_refusals(self)):
            return super().forward(x, listed(edge_index), batch, **kwargs)
        heard_of = []
        if self.conv is not None:
            local = self.conv(x, edge_index, **kwargs)
            heard_of.append(self._added(self.norm1, local, x, batch))
        heard_of.append(self._added(self.norm2, self._attended(x, batch), x, batch))
        out = sum(heard_of)
        out = out + self.mlp(out)
        return out if self.norm3 is None else self._normed(self.norm3, out, batch)

    def _added(self, norm: nn.Module | None, heard_of: Tensor, x: Tensor, batch: Tensor | None) -> Tensor:
        out = dropout(heard_of, p=self.dropout, training=self.training) + x
        return out if norm is None else self._normed(norm, out, batch)

    def _normed(self, norm: nn.Module, x: Tensor, batch: Tensor | None) -> Tensor:
        return norm(x, batch=batch) if self.norm_with_batch else norm(x)

    def _attended(self, x: Tensor, batch: Tensor | None) -> Tensor:
        if isinstance(self.attn, PerformerAttention):
            return _performer(self.attn, x, batch)
        graph = _full(x, batch)
        attention: Any = self.attn
        query, key, value = (
            part.unflatten(-1, (attention.num_heads, -1))
            for part in linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
        )
        layer = made_of(self, (attention.num_heads, attention.embed_dim), _softmax)
        layer.dropout = attention.dropout
        seed = draw_seed() if attention.dropout and attention.training else None
        inputs = Inputs({"key": key, "value": value}, {"query": query}, {}, seed)
        # Not the module itself: torch's attention computes with its parameters, and never calls it.
        return linear(heard(layer, graph, inputs).flatten(1), attention.out_proj.weight, attention.out_proj.bias)


def attention_refusals(layer: pyg.GPSConv) -> list[str]:
    """Why PyG must compute the attention of this layer; empty where graphattn does."""
    if isinstance(layer, DropIn) and "theirs" not in vars(type(layer)):
        return [f"{type(layer).__name__} is a subclass, which may compute something else"]
    attention: Any = layer.attn
    reasons = list(patched(pyg.GPSConv))
    if type(attention) is PerformerAttention and type(attention.fast_attn) is PerformerProjection:
        inside = [attention, attention.fast_attn]
    elif type(attention) is nn.MultiheadAttention:
        inside = [attention]
        if attention.in_proj_weight is None or attention.bias_k is not None or attention.add_zero_attn:
            reasons.append("its attention has keys beyond those of the nodes")
        if not attention.batch_first:
            reasons.append("its attention takes nodes first")
        if not 0 <= attention.dropout < 1:
            reasons.append(f"the dropout of its attention is {attention.dropout}")
    else:
        return [*reasons, f"its attention is a {type(attention).__name__}"]
    reasons.extend(reason for part in inside for reason in patched(type(part)))
    if watched(inside):
        reasons.append("a hook wants to see its attention")
    return reasons


def _full(x: Tensor, batch: Tensor | None) -> Full:
    if batch is None:
        return Full([x.size(0)]).to(x.device)
    return Full(batch=batch, num_graphs=int(batch.max()) + 1 if batch.numel() else 0)


def _performer(attention: PerformerAttention, x: Tensor, batch: Tensor | None) -> Tensor:
    """Letters: ``B`` graphs of at most ``n`` nodes, ``H`` heads, ``M`` features, ``C`` channels."""
    dense, real = to_dense_batch(x, batch)
    shape, projection = (attention.heads, attention.head_channels), attention.fast_attn
    query, key, value = (
        maps(dense).unflatten(-1, shape).transpose(1, 2) for maps in (attention.q, attention.k, attention.v)
    )
    matrix: Any = projection.projection_matrix
    query, key = (generalized_kernel(part, matrix, projection.kernel) for part in (query, key))
    key = key * real[:, None, :, None]  # [B, H, n, M]; PyG leaves the padding's in
    norm = query @ key.sum(-2).unsqueeze(-1)
    heard_of = query @ (key.transpose(-1, -2) @ value) / torch.where(norm == 0, 1, norm)
    return attention.dropout(attention.attn_out(heard_of.transpose(1, 2).flatten(2)))[real]


def _softmax(heads: int, channels: int) -> GraphLayer:
    return GraphLayer(Attend(-1, Heads(heads, channels // heads)), SoftmaxSum(), Replace())
