"""A graph transformer for molecules: every atom hears every atom, and bonds have a say in it.

Letters: ``N`` atoms, ``B`` molecules, ``E`` pairs of atoms, ``K`` bonds (both directions), ``T`` kinds, ``F`` channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag
from torch_geometric.data import Batch, Data

from graphattn.blocks import Block, Readout, feed_forward
from graphattn.blocks.dropout import Dropout
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.models.reading import leave_out_of_edge_masks
from graphattn.slots import State
from graphattn.topology import Full, Star
from graphattn.zoo import SelfAttention

_WALK_STEPS = 16
_DISTANCES = 22
_HUBS = 2


@final
class MoleculeTransformer(nn.Module):
    r"""Graph transformer over the atoms of molecules (after Graphormer, Ying et al. 2021, and GPS, Rampasek et al. 2022).

    Atoms start as the sum of embeddings of their categories and a map of their random-walk return probabilities. In each
    block all atoms of a molecule attend to each other; the score has a bias from the pair (the bond, or the shortest-path
    distance where there is none), and a bond also adds a value of its own. Two learned hubs read the molecule; descriptors of
    the whole molecule join them before the last network.

    Args:
        outputs: numbers predicted per molecule.
        channels: channels ``F`` of an atom.
        heads: attention heads.
        layers: blocks.
        dropout: share of channels dropped in training.
        descriptors: how many descriptors each molecule brings; none by default.
        atom_sizes, bond_sizes: how many categories each feature column has; those of :mod:`graphattn.data` if not given.

    Shapes: ``data.x [N, A]``, ``edge_index [2, K]``, ``edge_attr [K, D]``, ``random_walk [N, 16]``, ``distance [E]``,
    ``ptr [B + 1]``, ``descriptors [B, descriptors]`` -> ``[B, outputs]``: logits, or standardised values in regression.

    Raises:
        ValueError: descriptors expected and not given, or the other way round.

    >>> from graphattn.data.molecules import parse_smiles, to_data
    >>> molecules = Batch.from_data_list([to_data(parse_smiles(smiles)) for smiles in ("CCO", "C")])
    >>> MoleculeTransformer(outputs=1)(molecules).shape
    torch.Size([2, 1])
    """

    def __init__(
        self,
        outputs: int,
        channels: int = 64,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.1,
        descriptors: int = 0,
        atom_sizes: Sequence[int] | None = None,
        bond_sizes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.atom = CategoryEmbedding(atom_sizes or _default_sizes("atom"), channels)
        self.bond = CategoryEmbedding(bond_sizes or _default_sizes("bond"), channels)
        self.distance = nn.Embedding(_DISTANCES, channels)
        self.random_walk = nn.Linear(_WALK_STEPS, channels)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(_block(channels, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        self.readout = Readout(channels, heads, _HUBS)
        self.descriptors = _narrow(descriptors, channels) if descriptors else None
        width = channels * (_HUBS + bool(descriptors))
        self.head = nn.Sequential(nn.Linear(width, channels), nn.GELU(), Dropout(dropout), nn.Linear(channels, outputs))
        leave_out_of_edge_masks(self)  # which have an entry for each bond; these layers hear pairs of atoms

    def forward(self, data: Data | Batch) -> Tensor:
        graph = Full(data)
        edge = self.pairs(data, graph)
        # Atoms are of few kinds: their vectors are added up once for each.
        rows, kind = kinds(data["x"], self.atom.sizes)
        x = self.dropout(self.atom(rows).index_select(0, kind) + self.random_walk(data["random_walk"]))
        for block in self.blocks:
            x = block(x, [graph], [edge])
        molecule = self.readout(self.norm(x), Star(graph.receivers, hubs=_HUBS))
        return self.head(self._with_descriptors(molecule, data))

    def pairs(self, data: Data | Batch, graph: Full) -> State:
        """Features of all pairs by kind (a distance, or a bond where there is one), and of the bonds by kind."""
        rows, kind = kinds(data["edge_attr"], self.bond.sizes)
        bonds = self.bond(rows)
        sender, receiver = data["edge_index"]
        # In order, once for all layers.
        number, order = graph.edge_number(receiver, sender).sort()
        kind = kind[order]
        pair_kind = data["distance"].index_copy(0, number, kind + _DISTANCES)
        return {
            "pair": torch.cat([self.distance.weight, bonds]),
            "pair_kind": pair_kind,
            "bond": bonds,
            "bond_kind": kind,
            "bond_number": number,
        }

    def _with_descriptors(self, molecule: Tensor, data: Data | Batch) -> Tensor:
        given = data["descriptors"] if "descriptors" in data else None  # noqa: SIM401  Batch has no typed get
        if (given is None) != (self.descriptors is None):
            wanted = "no descriptors" if self.descriptors is None else "descriptors"
            raise ValueError(f"expected molecules with {wanted}, got {'none' if given is None else list(given.shape)}")
        return molecule if self.descriptors is None else torch.cat([molecule, self.descriptors(given)], dim=1)


@final
class CategoryEmbedding(nn.Module):
    r"""The sum of one learned vector per column of categories, :math:`\sum_c T_c[x_c]`. Shapes: ``[N, columns] -> [N, F]``."""

    offset: Tensor

    def __init__(self, sizes: Sequence[int], channels: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.register_buffer("offset", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.table = nn.Parameter(torch.randn(sum(sizes), channels) / math.sqrt(len(sizes)))

    def forward(self, categories: Tensor) -> Tensor:
        return embedding_bag(categories + self.offset, self.table, mode="sum")


def kinds(categories: Tensor, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The different rows of ``categories [K, columns]``, ``[T, columns]``, and which of them each row is, ``[K]``.

    >>> kinds(torch.tensor([[1, 0], [0, 2], [1, 0]]), sizes=(2, 3))
    (tensor([[0, 2],
            [1, 0]]), tensor([1, 0, 1]))
    """
    strides = torch.tensor([math.prod(sizes[column + 1 :]) for column in range(len(sizes))], device=categories.device)
    code, kind = (categories * strides).sum(1).unique(return_inverse=True)
    return code[:, None] // strides % torch.tensor(sizes, device=code.device), kind


def _block(channels: int, heads: int, dropout: float) -> Block:
    bias = LinearBias("pair", channels, heads)
    value = LinearValue("bond", channels, heads, channels // heads)
    attention = SelfAttention(channels, heads, edge_bias=bias, edge_value=value)
    block = Block(attention, channels, feed_forward(channels, 2 * channels))
    block.dropout = Dropout(dropout)  # the blocks' own draws as torch does, number by number
    return block


def _narrow(descriptors: int, channels: int) -> nn.Module:
    return nn.Sequential(Dropout(0.3), nn.Linear(descriptors, channels), nn.GELU(), Dropout(0.3))


def _default_sizes(what: str) -> tuple[int, ...]:
    from graphattn.data import features

    return features.atom_sizes() if what == "atom" else features.bond_sizes()
