"""Peers on complete graphs and batches, each in its best form: masks, indices and sizes are made before it is timed.

Letters: ``B`` graphs of at most ``n`` nodes, ``N`` nodes in all, ``E`` edges, ``H`` heads, ``C`` channels per head, ``T`` kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch_geometric import nn as pyg
from torch_geometric.utils import scatter, softmax, to_dense_batch

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def propagation(heads: int, channels: int, edge_index: Tensor) -> Attention:
    """``TransformerConv.propagate``: attention on edges alone, without linear maps."""
    conv = pyg.TransformerConv(heads * channels, channels, heads=heads, root_weight=False)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = conv.propagate(edge_index, query=query, key=key, value=value, edge_attr=None)
        conv._alpha = None  # as its forward does: or else the graph of gradients would stay until the next call
        return out

    return attend


def biased_propagation(query: Tensor, key: Tensor, value: Tensor, edge_index: Tensor, bias: Tensor) -> Tensor:
    """What PyG's ``TransformerConv`` computes on edges, with a bias ``[E, H]`` in the score: its three gathers, its softmax."""
    sender, receiver = edge_index
    score = (query[receiver] * key[sender]).sum(-1) * query.size(-1) ** -0.5 + bias
    alpha = softmax(score, receiver, num_nodes=query.size(0))
    return scatter(alpha.unsqueeze(-1) * value[sender], receiver, dim_size=query.size(0))


@final
class Padded:
    """A batch of graphs laid out with padding, ``to_dense_batch`` done once for its sizes.

    Args:
        ptr: where each graph begins, ``[B + 1]``.
    """

    def __init__(self, ptr: Tensor) -> None:
        sizes = ptr.diff()
        self.graphs, self.most = sizes.numel(), int(sizes.max())
        self.batch = torch.arange(self.graphs).repeat_interleave(sizes)
        self.place = torch.arange(int(ptr[-1])) - ptr[self.batch]
        _, self.real = to_dense_batch(torch.zeros(int(ptr[-1]), 1), self.batch)

    def dense(self, x: Tensor) -> Tensor:
        """``[N, ...] -> [B, n, ...]``."""
        return to_dense_batch(x, self.batch, max_num_nodes=self.most, batch_size=self.graphs)[0]

    def pairs(self, listed: Tensor, edge_index: Tensor, filling: int) -> Tensor:
        """A number of every edge as ``[B, n, n]``, receivers first."""
        sender, receiver = edge_index
        laid = listed.new_full((self.graphs, self.most, self.most), filling)
        laid[self.batch[receiver], self.place[receiver], self.place[sender]] = listed
        return laid

    def attention(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """``scaled_dot_product_attention`` of states ``[N, H, C]``; ``mask`` broadcasts to ``[B, H, n, n]``."""
        states = (self.dense(state).transpose(1, 2) for state in (query, key, value))
        return scaled_dot_product_attention(*states, attn_mask=mask).transpose(1, 2)[self.real]


def bias_of_kinds(table: Tensor, laid: Tensor) -> Tensor:
    """``table [H, T]`` by kind ``[B, n, n]``, with minus infinity for the kind ``T``, padding: ``[B, H, n, n]``."""
    silent = torch.cat([table, table.new_full((table.size(0), 1), -torch.inf)], dim=1)
    return silent.index_select(1, laid.flatten()).view(-1, *laid.shape).transpose(0, 1)


def multihead(projections: Sequence[nn.Module], out: nn.Module, heads: int) -> nn.MultiheadAttention:
    """The ``nn.MultiheadAttention`` of GPSConv with the numbers of four linear maps."""
    (weight, bias), (out_weight, out_bias) = projected_by(projections), out.parameters()
    attention = nn.MultiheadAttention(out_weight.size(0), heads, batch_first=True)
    attention.load_state_dict(
        {"in_proj_weight": weight, "in_proj_bias": bias, "out_proj.weight": out_weight, "out_proj.bias": out_bias}
    )
    return attention


def projected_by(projections: Sequence[nn.Module]) -> tuple[Tensor, Tensor]:
    """Weights and biases of several linear maps, one below the other."""
    weights, biases = zip(*(maps.parameters() for maps in projections), strict=True)
    return torch.cat(weights).detach(), torch.cat(biases).detach()
