"""One layer, three graphs: attention is message passing.

Papers: Vaswani et al. 2017, "Attention Is All You Need" (a transformer's attention); Shi et al. 2021, "Masked Label Prediction"
(the same formula on a sparse graph, PyG's TransformerConv).

The same `SelfAttention`, with the same parameters, is given three topologies: everyone hears everyone, ring neighbours only,
and all nodes speak to one hub. What it computes on the first is `torch.nn.MultiheadAttention`, on the second `TransformerConv`.

Picture: one_layer_three_graphs.png, who hears whom and how much on each graph (rows receive, columns send, white is not heard).

    python examples/one_layer_three_graphs.py [--fast] [--out DIR]
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch_geometric.nn import TransformerConv

from graphattn import Edges, Full, SelfAttention, Star

CHANNELS, HEADS = 32, 4


def ring(nodes: int) -> Edges:
    """Every node hears its two neighbours and itself."""
    node = torch.arange(nodes)
    senders = torch.cat([(node - 1) % nodes, node, (node + 1) % nodes])
    return Edges(torch.stack([senders, node.repeat(3)]), nodes)


def as_torch(layer: torch.nn.Module) -> torch.nn.MultiheadAttention:
    """The attention of torch with the parameters of our layer."""
    message = layer.message_function
    attention = torch.nn.MultiheadAttention(CHANNELS, HEADS, batch_first=True)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([message.query.weight, message.key.weight, message.value.weight]))
        attention.in_proj_bias.copy_(torch.cat([message.query.bias, message.key.bias, message.value.bias]))
    attention.out_proj.load_state_dict(layer.update_function.linear.state_dict())
    return attention


def as_pyg(layer: torch.nn.Module) -> TransformerConv:
    """The attention of PyG with the parameters of our layer; PyG has no output projection."""
    message = layer.message_function
    convolution = TransformerConv(CHANNELS, CHANNELS // HEADS, heads=HEADS, root_weight=False)
    for name in ("query", "key", "value"):
        getattr(convolution, f"lin_{name}").load_state_dict(getattr(message, name).state_dict())
    return convolution


def weights(layer: torch.nn.Module, x: torch.Tensor, graph: Full | Edges | Star) -> torch.Tensor:
    """How much each receiver hears each sender, averaged over the heads."""
    hubs = None if graph.num_receivers == len(x) else x.new_zeros(graph.num_receivers, CHANNELS)
    alpha = layer.attention(x if hubs is None else (x, hubs), graph).mean(1)
    j, i = graph.edge_index()
    return x.new_zeros(graph.num_receivers, graph.num_senders).index_put((i, j), alpha)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a smaller graph")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    nodes = 8 if arguments.fast else 24
    x = torch.randn(nodes, CHANNELS)
    # ------------------------------------------------------------------------------------------------ the idea
    layer = SelfAttention(CHANNELS, HEADS)
    graphs = {"Full: a transformer": Full([nodes]), "Edges: a ring": ring(nodes), "Star: a readout": Star([nodes])}
    on_full, on_ring = layer(x, graphs["Full: a transformer"]), layer(x, graphs["Edges: a ring"])
    # ---------------------------------------------------------------------------------------------------------
    of_torch, _ = as_torch(layer)(x, x, x, need_weights=False)
    of_pyg = layer.update_function.linear(as_pyg(layer)(x, graphs["Edges: a ring"].edge_index()))
    print(f"largest difference to torch.nn.MultiheadAttention: {(on_full - of_torch).abs().max():.1e}")
    print(f"largest difference to PyG's TransformerConv:       {(on_ring - of_pyg).abs().max():.1e}")
    assert torch.allclose(on_full, of_torch, atol=1e-5)
    assert torch.allclose(on_ring, of_pyg, atol=1e-5)

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for axis, (name, graph) in zip(axes, graphs.items(), strict=True):
        with torch.no_grad():
            heard = weights(layer, x, graph).masked_fill(~graph.mask(), torch.nan)
        image = axis.imshow(heard, cmap="viridis", vmin=0, aspect="auto", interpolation="none")
        axis.set(title=f"{name}\n{graph.num_edges} edges", xlabel="sender", ylabel="receiver")
        axis.set_yticks(range(0, graph.num_receivers, 4))
        figure.colorbar(image, ax=axis, label="attention, mean of the heads" if axis is axes[-1] else None)
    path = arguments.out / "one_layer_three_graphs.png"
    figure.savefig(path, dpi=120)
    print(f"drawn: {path}")


if __name__ == "__main__":
    main()
