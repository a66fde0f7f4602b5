"""ViT as a graph network: an image is a full graph of its patches and one class node.

Letters: ``B`` images, ``D`` numbers of a patch (channels x height x width), ``P`` patches of an image, ``N`` patches of all,
``F`` channels of a node.
"""

from __future__ import annotations

from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold
from torch_geometric.data import Batch, Data

from graphattn.blocks import Stack
from graphattn.convert.blocks import block_from, pooler_from
from graphattn.convert.copying import (
    ACTIVATIONS,
    Map,
    NotPlainError,
    attention_from,
    feed_forward_from,
    linear_from,
    map_of,
    norm_from,
    refuse,
)
from graphattn.convert.tokens import Output
from graphattn.slots import Sizes
from graphattn.topology import Full, Topology, read_sizes
from graphattn.topology.sizes import order_of


class Frame(NamedTuple):
    """What images look like: ``channels``, ``height`` and ``width`` of an image, and those of a ``patch``."""

    channels: int
    height: int
    width: int
    patch: tuple[int, int]

    @property
    def patches(self) -> int:
        """Number of patches of a whole image."""
        return (self.height // self.patch[0]) * (self.width // self.patch[1])


def patch_graphs(pixel_values: Tensor, patch: int | tuple[int, int]) -> Batch:
    """Images ``[B, channels, height, width]`` as a PyG batch of graphs, a node for each patch, without edges.

    ``patches [N, D]`` are the pixels, in the order of a convolution's weight; ``place [N]`` is the patch's number in its image,
    row by row. Leave patches out with ``graph.subgraph(...)``: what is left keeps its place.

    >>> patch_graphs(torch.rand(2, 3, 8, 8), 4)
    DataBatch(num_nodes=8, patches=[8, 48], place=[8], batch=[8], ptr=[3])
    """
    size = (patch, patch) if isinstance(patch, int) else patch
    rows = unfold(pixel_values, size, stride=size).transpose(1, 2)
    place = torch.arange(rows.size(1), device=rows.device)
    return Batch.from_data_list([Data(num_nodes=len(each), patches=each, place=place) for each in rows])


@final
class ViTEncoder(nn.Module):
    r"""The vision transformer (Dosovitskiy et al. 2021) on ``Full`` graphs of patches; made by :func:`from_transformers`.

    A patch's node starts as a linear map of its pixels: the convolution whose stride is its kernel, as each pixel speaks to one
    patch only. Behind a class node stand the patches.

    Call it with the original's ``pixel_values``, or with a PyG batch of patches (:func:`patch_graphs`), from which some may be
    missing, so that images have unequal numbers of them.

    Args:
        frame: sizes of an image and a patch.
        embedding: from ``D`` pixels to ``F`` channels.
        class_node: the state of the class node, ``[1, F]``.
        place: what is added by place, ``[1 + P, F]``, the class node first.
        encoder: the blocks.
        pooler: of the class node, if the original has one.
        dropout: of the embedding.

    Shapes: ``pixel_values [B, channels, height, width] -> [B, 1 + P, F]``; a batch of ``N`` patches ``-> [N + B, F]``, the
    class node before its patches.

    >>> import pytest
    >>> transformers = pytest.importorskip("transformers", reason="needs pip install 'graphattn[convert]'")
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    >>> original = transformers.ViTModel(transformers.ViTConfig(image_size=8, patch_size=4, **sizes)).eval()
    >>> from graphattn.convert import from_transformers
    >>> network, pixels = from_transformers(original), torch.randn(2, 3, 8, 8)
    >>> torch.allclose(network(pixels).last_hidden_state, original(pixels).last_hidden_state, atol=1e-5)
    True
    """

    def __init__(
        self,
        frame: Frame,
        embedding: nn.Linear,
        class_node: Tensor,
        place: Tensor,
        encoder: Stack,
        pooler: nn.Module | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.frame = frame
        self.embedding = embedding
        self.class_node = nn.Parameter(class_node.detach().clone())
        self.place = nn.Parameter(place.detach().clone())
        self.encoder = encoder
        self.pooler = pooler
        self.dropout = nn.Dropout(dropout)

    def forward(self, pixel_values: Tensor | Data, graph: Topology | None = None) -> Output:
        """States of the class nodes and patches, and the pooled class nodes.

        Args:
            pixel_values: images, or a PyG batch with ``patches [N, D]`` and ``place [N]``.
            graph: who hears whom, over class nodes and patches, instead of ``Full``.

        Raises:
            ValueError: images or patches of another size than the original's; a batch without them.
        """
        whole = isinstance(pixel_values, Tensor)
        patches, place, count = self._split(pixel_values) if whole else self._read(pixel_values)
        x, sizes = self._embedded(patches, place, count)
        x = self.encoder(x, Full(sizes) if graph is None else graph)
        pooled = None if self.pooler is None else self.pooler(x.index_select(0, sizes.ptr[:-1]))
        return Output(x.view(len(pixel_values), -1, x.size(-1)) if whole else x, pooled)

    def _split(self, images: Tensor) -> tuple[Tensor, Tensor, Sizes]:
        if images.dim() != 4 or tuple(images.shape[1:]) != tuple(self.frame[:3]):
            raise ValueError(f"expected pixel_values of shape [B, {_listed(self.frame[:3])}], got {list(images.shape)}")
        rows = unfold(images, self.frame.patch, stride=self.frame.patch).transpose(1, 2)
        place = torch.arange(rows.size(1), device=images.device).repeat(len(images))
        ptr = torch.arange(len(images) + 1, device=images.device) * rows.size(1)
        return rows.flatten(0, 1), place, read_sizes(ptr=ptr)

    def _read(self, graphs: Data) -> tuple[Tensor, Tensor, Sizes]:
        if "patches" not in graphs or "place" not in graphs:
            raise ValueError(f"expected a PyG batch with patches and place, got {sorted(graphs.keys())}")
        patches, place = graphs["patches"], graphs["place"]
        if patches.dim() != 2 or patches.size(1) != self.embedding.in_features:
            raise ValueError(f"expected patches of shape [N, {self.embedding.in_features}], got {list(patches.shape)}")
        if place.numel() and int(place.max()) >= self.frame.patches:
            raise ValueError(f"expected places below {self.frame.patches}, got {int(place.max())}")
        return patches, place, read_sizes(graphs)

    def _embedded(self, patches: Tensor, place: Tensor, count: Sizes) -> tuple[Tensor, Sizes]:
        graphs = count.ptr.numel() - 1
        one = read_sizes(ptr=torch.arange(graphs + 1, device=patches.device))
        order, sizes = order_of(one, count)
        first = (self.class_node + self.place[:1]).expand(graphs, -1)
        x = torch.cat([first, self.embedding(patches) + self.place[1:][place]]).index_select(0, order)
        return self.dropout(x), sizes


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(str(size) for size in sizes)


def vit_from(model: Any) -> ViTEncoder:
    """The graph network of a ``transformers.ViTModel``."""
    config, start = model.config, model.embeddings
    refuse("ViTModel", config, {"hidden_act": ACTIVATIONS, "pooler_act": ACTIVATIONS})
    convolution = start.patch_embeddings.projection
    if type(convolution) is not nn.Conv2d:
        raise NotPlainError("expected a plain torch.nn.Conv2d to convert", convolution)
    frame = Frame(config.num_channels, *_both(config.image_size), _both(config.patch_size))
    embedding = linear_from(Map(convolution.weight.flatten(1), convolution.bias))
    encoder = Stack([_block_from(layer, config) for layer in model.layers], norm_from(model.layernorm))
    pooler = None
    if model.pooler is not None:
        pooler = pooler_from(map_of(model.pooler.dense), ACTIVATIONS[config.pooler_act]())
    tables = start.cls_token[0], start.position_embeddings[0]
    return ViTEncoder(frame, embedding, *tables, encoder, pooler, config.hidden_dropout_prob).train(model.training)


def _block_from(layer: Any, config: Any) -> nn.Module:
    said, network = layer.attention, layer.mlp
    maps = [map_of(each) for each in (said.q_proj, said.k_proj, said.v_proj, said.o_proj)]
    attention = attention_from(maps, config.num_attention_heads, config.attention_probs_dropout_prob, "SelfAttention")
    mlp = feed_forward_from(map_of(network.fc1), ACTIVATIONS[config.hidden_act](), map_of(network.fc2), 0.0)
    norms = norm_from(layer.layernorm_before), norm_from(layer.layernorm_after)
    return block_from(attention, mlp, norms, config.hidden_dropout_prob, norm_first=True)


def _both(size: int | list[int] | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
