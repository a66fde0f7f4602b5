r"""Who heard whom, in any model of graph layers: attention maps, and what they amount to.

Letters: ``E`` edges, ``H`` heads, ``N`` nodes, ``n`` receivers and ``m`` senders of one graph, ``L`` layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from graphattn.layer import GraphLayer
from graphattn.topology import Topology, graph_of


class AttentionMap(NamedTuple):
    """How much each receiver heard each sender in one layer: ``alpha [E, H]`` in the edge order of ``graph``, before dropout.

    ``name`` is that of the layer in its model.
    """

    name: str
    graph: Topology
    alpha: Tensor

    def matrix(self, number: int = 0) -> Tensor:
        """The weights in one graph of the batch, ``[H, n, m]``, rows hear; zero where there is no edge.

        Of several edges between two nodes the weights add up.
        """
        graph, (sender, receiver) = self.graph, self.graph.edge_index()
        if not 0 <= number < graph.num_graphs:
            raise ValueError(f"expected a graph from 0 to {graph.num_graphs - 1}, got {number}")
        here = graph_of(graph.receivers.ptr, receiver) == number
        (first, last), (start, end) = (
            sizes.ptr[number : number + 2].tolist() for sizes in (graph.receivers, graph.senders)
        )
        cell = (receiver[here] - first) * (end - start) + sender[here] - start
        matrix = self.alpha.new_zeros((last - first) * (end - start), self.alpha.size(1)).index_add(
            0, cell, self.alpha[here]
        )
        return matrix.T.reshape(-1, last - first, end - start)


@torch.no_grad()
def attention_maps(model: nn.Module, *inputs: Any) -> list[AttentionMap]:
    """The attention of every graph layer that weighs scores, in the order in which the layers were called.

    The model is called once, as it is in evaluation; each of its layers is asked for the attention of what it was given.

    Args:
        model: any module that holds graph layers.
        inputs: what it takes, such as a PyG batch.

    >>> from graphattn.data.sequences import sequence
    >>> from graphattn.models import Encoder, TokenEmbedding
    >>> model = Encoder(TokenEmbedding(10, channels=8), outputs=2, heads=2, layers=3)
    >>> maps = attention_maps(model, sequence([1, 2, 3, 4]))
    >>> [(each.name, list(each.alpha.shape)) for each in maps]
    [('trunk.blocks.0.layers.0', [16, 2]), ('trunk.blocks.1.layers.0', [16, 2]), ('trunk.blocks.2.layers.0', [16, 2])]
    """
    maps: list[AttentionMap] = []

    def ask(name: str) -> Any:
        def hook(layer: GraphLayer, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            given_by_name = {key: value for key, value in named.items() if key != "return_attention_weights"}
            _, graph, heard = layer.prepare(*given[:4], **given_by_name)
            maps.append(AttentionMap(name, graph, layer.weights(graph, heard)))

        return hook

    scored = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, GraphLayer) and layer.aggregation.scored
    }
    training = {module: module.training for module in model.modules()}
    handles = [layer.register_forward_pre_hook(ask(name), with_kwargs=True) for name, layer in scored.items()]
    try:
        model.eval()(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in training.items():
            module.training = mode
    return maps


def rollout(maps: Sequence[AttentionMap], number: int = 0) -> Tensor:
    r"""How much of each node's input has come to each node, through all layers (Abnar & Zuidema 2020).

    .. math:: R = \hat A_L \cdots \hat A_1 \qquad \hat A_l = \tfrac12 \Big(\tfrac1H \sum_h A_l^h + I\Big)

    where rows are divided by their sums, for nodes that hear nobody.

    Args:
        maps: of layers over the same nodes, first layer first.
        number: the graph of the batch.

    Shapes: ``[n, n]``, rows hear.

    Raises:
        ValueError: no maps, or one of senders and receivers that are different nodes.

    >>> graph = Full([2])
    >>> rollout([AttentionMap("layer", graph, torch.tensor([[1.0], [0.0], [1.0], [0.0]]))])
    tensor([[1.0, 0.0],
            [0.5, 0.5]])
    """
    apart = [each.name for each in maps if each.graph.senders is not each.graph.receivers]
    if not maps or apart:
        raise ValueError(
            f"expected maps of layers among the same nodes, got {'others in ' + apart[0] if apart else 'none'}"
        )
    rolled = None
    for each in maps:
        mean = each.matrix(number).mean(0)
        mixed = mean + torch.eye(len(mean), dtype=mean.dtype, device=mean.device)
        mixed = mixed / mixed.sum(1, keepdim=True)
        rolled = mixed if rolled is None else mixed @ rolled
    assert rolled is not None
    return rolled


def entropy(attention: AttentionMap) -> Tensor:
    r"""How widely each receiver listens in each head, in nats: :math:`-\sum_j \alpha_{ji} \log \alpha_{ji}`, ``[N_i, H]``.

    Zero for one sender, the logarithm of the number of senders where all are heard alike.

    >>> entropy(AttentionMap("layer", Full([2]), torch.tensor([[0.5], [0.5], [1.0], [0.0]]))).flatten()
    tensor([0.6931, 0.0000])
    """
    return _summed(attention, -torch.special.xlogy(attention.alpha, attention.alpha))


def mean_distance(attention: AttentionMap, pos: Tensor | None = None) -> Tensor:
    r"""How far each receiver listens in each head: :math:`\sum_j \alpha_{ji} \lVert p_i - p_j \rVert`, ``[N_i, H]``.

    Args:
        attention: of one layer; of senders and receivers that are the same nodes, where ``pos`` is given.
        pos: where nodes are, ``[N, D]``, such as ``batch.pos``; their places in the order of their graph if not given.

    >>> mean_distance(AttentionMap("layer", Full([3]), torch.tensor([[0.5, 0, 0.5] + 3 * [1 / 3] + [0, 0, 1]]).T)).flatten()
    tensor([1.0000, 0.6667, 0.0000])
    """
    sender, receiver = attention.graph.edge_index()
    speaking, listening = attention.graph.places() if pos is None else (pos, pos)
    step = (speaking[sender] - listening[receiver]).to(attention.alpha.dtype).view(len(sender), -1)
    return _summed(attention, attention.alpha * step.norm(dim=1, keepdim=True))


def _summed(attention: AttentionMap, values: Tensor) -> Tensor:
    rows = values.new_zeros(attention.graph.num_receivers, values.size(1))
    return rows.index_add(0, attention.graph.edge_index()[1], values)
