"""Whole models by name beside layers on topologies: what a name stands for, and the network that it builds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch_geometric.data import Data

from graphattn.models.by_name.features import Features
from graphattn.models.by_name.layers import LAYERS
from graphattn.models.by_name.network import Level, Size, named_network
from graphattn.models.by_name.topologies import Configuration, configurations
from graphattn.models.by_name.topologies import prepared as prepared_for_layers
from graphattn.models.tissue.table import TISSUE_MODELS, TissueInputs

_WITHOUT_EDGE_FEATURES = ("slide_graph", "attention_mil")


class NamedModel(NamedTuple):
    """A whole model by name, of :data:`~graphattn.models.tissue.TISSUE_MODELS`; the fields are those of a
    :class:`Configuration`.
    """

    layer: str
    topology: str = "edges"

    @property
    def reads(self) -> frozenset[str]:
        """What it reads of edges beside their ends.

        >>> NamedModel("gland_graph").reads, NamedModel("slide_graph").reads
        (frozenset({'edge_attr'}), frozenset())
        """
        return frozenset() if self.layer in _WITHOUT_EDGE_FEATURES else frozenset({"edge_attr"})


Architecture = Configuration | NamedModel

Inputs = Features | TissueInputs
"""What a network has to know of the graphs that it is trained on."""


def architecture(layer: str, topology: str = "edges") -> Architecture:
    """What a name stands for: a whole model, or a layer on a topology.

    Raises:
        ValueError: a name that is not there, with those that are; a whole model on another topology than ``edges``.

    >>> architecture("slide_graph"), architecture("gcn", "full")
    (NamedModel(layer='slide_graph', topology='edges'), Configuration(layer='gcn', topology='full'))
    """
    if layer in TISSUE_MODELS:
        if topology != "edges":
            raise ValueError(
                f"{layer} is a model on the edges of the data: expected the topology 'edges', got {topology!r}"
            )
        return NamedModel(layer)
    if layer not in LAYERS:
        raise ValueError(
            f"expected layers of {', '.join(LAYERS)}, or a model of {', '.join(TISSUE_MODELS)}, got {layer}"
        )
    (configuration,) = configurations([layer], [topology])
    return configuration


def architectures(layers: Iterable[str], topologies: Iterable[str]) -> list[Architecture]:
    """Each layer on each topology (:func:`~graphattn.models.by_name.topologies.configurations`), and whole models once.

    Raises:
        ValueError: unknown names, or none.

    >>> [tuple(each) for each in architectures(["gcn", "slide_graph"], ["edges", "full"])]
    [('gcn', 'edges'), ('gcn', 'full'), ('slide_graph', 'edges')]
    """
    names = list(layers)
    whole = [NamedModel(name) for name in names if name in TISSUE_MODELS]
    others = [name for name in names if name not in TISSUE_MODELS]
    return [*(configurations(others, topologies) if others or not whole else ()), *whole]


def read_inputs(architecture: Architecture, graphs: Sequence[Data]) -> Inputs:
    """What a network of this architecture has to know of the graphs that it is trained on; labels are not looked at."""
    return (Features if isinstance(architecture, Configuration) else TissueInputs).of(graphs)


def network(
    architecture: Architecture, size: Size, inputs: Inputs, outputs: int, level: Level = "graph", seed: int = 0
) -> nn.Module:
    """The network that an architecture names.

    Args:
        architecture: of :func:`architecture`.
        size: how large; of whole models the width and the depth.
        inputs: of :func:`read_inputs`.
        outputs, level, seed: as in :func:`~graphattn.models.by_name.network.named_network`.

    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1], [1, 0]]))
    >>> model = NamedModel("slide_graph")
    >>> network(model, Size(8, 16), read_inputs(model, [graph]), 2).eval()(graph).shape
    torch.Size([1, 2])
    """
    if isinstance(inputs, Features):
        return named_network(Configuration(*architecture), size, inputs, outputs, level, seed)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return TISSUE_MODELS[architecture.layer](inputs, outputs, level, size.width, size.depth)


def prepared(data: Data, architectures: Iterable[Architecture], seed: Sequence[int] = (0,)) -> Data:
    """A graph that holds what these architectures read and nothing else, as
    :func:`~graphattn.models.by_name.topologies.prepared` makes it for layers.
    """
    return prepared_for_layers(data, [each for each in architectures if isinstance(each, Configuration)], seed)
