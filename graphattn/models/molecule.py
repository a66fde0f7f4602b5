"""A graph transformer for molecules: all atoms attend to each other, with the bonds in the scores.

Letters: ``N`` atoms, ``B`` molecules, ``E`` pairs of atoms, ``K`` bonds (both directions), ``T`` kinds, ``F`` channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks import Block, feed_forward
from graphattn.blocks.dropout import Dropout
from graphattn.models.by_name.layers import edge_attention
from graphattn.models.network import Network
from graphattn.models.parts.embedding import CategoryEmbedding
from graphattn.models.parts.pairs import AllPairs, EdgeEncoder
from graphattn.models.parts.reading import Hub, SideBySide, Totals
from graphattn.models.parts.trunk import Trunk
from graphattn.topology import Full, read_sizes

_WALK_STEPS = 16
_HUBS = 2


def MoleculeTransformer(  # noqa: N802  named as the field names the model
    outputs: int,
    channels: int = 64,
    heads: int = 4,
    layers: int = 2,
    dropout: float = 0.1,
    descriptors: int = 0,
    atom_sizes: Sequence[int] | None = None,
    bond_sizes: Sequence[int] | None = None,
    totals: int = 0,
) -> Network:
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
        totals: numbers that are sums over atoms, which join what the hubs read; none by default.
        atom_sizes, bond_sizes: how many categories each feature column has; those of :mod:`graphattn.data` if not given.

    Shapes: ``data.x [N, A]``, ``edge_index [2, K]``, ``edge_attr [K, D]``, ``random_walk [N, 16]``, ``distance [E]``,
    ``ptr [B + 1]``, ``descriptors [B, descriptors]`` -> ``[B, outputs]``: logits, or standardised values in regression.

    Raises:
        ValueError: in ``forward``, descriptors expected and not given, or the other way round.

    >>> from graphattn.data.molecules.smiles import parse_smiles, to_data
    >>> from torch_geometric.data import Batch
    >>> molecules = Batch.from_data_list([to_data(parse_smiles(smiles)) for smiles in ("CCO", "C")])
    >>> MoleculeTransformer(outputs=1)(molecules).shape
    torch.Size([2, 1])
    """
    # The order of these lines is that in which equal seeds draw equal weights.
    atoms = CategoryEmbedding(atom_sizes or _default_sizes("atom"), channels)
    bonds = CategoryEmbedding(bond_sizes or _default_sizes("bond"), channels)
    pairs = AllPairs(EdgeEncoder(bonds, channels), channels)
    embedding = AtomEmbedding(atoms, nn.Linear(_WALK_STEPS, channels))
    trunk = Trunk([_block(channels, heads, dropout) for _ in range(layers)], channels, Dropout(dropout))
    readout, beside = Hub(channels, heads, _HUBS), MoleculeDescriptors(descriptors, channels)
    if totals:
        readout = SideBySide(readout, Totals(channels, totals))
    width = channels * (_HUBS + bool(descriptors)) + totals
    head = nn.Sequential(nn.Linear(width, channels), nn.GELU(), Dropout(dropout), nn.Linear(channels, outputs))
    return Network(embedding, trunk, readout, head, Full, pairs, beside=beside)


@final
class AtomEmbedding(nn.Module):
    """The sum of embeddings of an atom's categories and a map of its random-walk return probabilities.

    Args:
        categories: embeds ``data.x``.
        random_walk: maps ``data.random_walk``.

    Shapes: ``[N, F]``.
    """

    def __init__(self, categories: CategoryEmbedding, random_walk: nn.Linear) -> None:
        super().__init__()
        self.categories, self.random_walk = categories, random_walk

    def forward(self, data: Data) -> Tensor:
        # Atoms are of few kinds: their vectors are added up once for each.
        rows, kind = self.categories.distinct(data["x"])
        return rows.index_select(0, kind) + self.random_walk(data["random_walk"])


@final
class MoleculeDescriptors(nn.Module):
    """A map of ``count`` descriptors of each molecule, with dropout around it: ``data.descriptors [B, count] -> [B, F]``.

    Without descriptors ``[B, 0]``, which adds nothing to the readout.

    Raises:
        ValueError: in ``forward``, descriptors expected and not given, or the other way round.
    """

    def __init__(self, count: int, channels: int) -> None:
        super().__init__()
        self.map = _narrow(count, channels) if count else None

    def forward(self, data: Data) -> Tensor:
        given = data["descriptors"] if "descriptors" in data else None  # noqa: SIM401  Batch has no typed get
        if (given is None) != (self.map is None):
            wanted = "no descriptors" if self.map is None else "descriptors"
            raise ValueError(f"expected molecules with {wanted}, got {'none' if given is None else list(given.shape)}")
        return (
            data["random_walk"].new_zeros(read_sizes(data).ptr.numel() - 1, 0) if self.map is None else self.map(given)
        )


def _narrow(count: int, channels: int) -> nn.Sequential:
    return nn.Sequential(Dropout(0.3), nn.Linear(count, channels), nn.GELU(), Dropout(0.3))


def _block(channels: int, heads: int, dropout: float) -> Block:
    block = Block(edge_attention(channels, heads), channels, feed_forward(channels, 2 * channels))
    block.dropout = Dropout(dropout)  # the blocks' own draws as torch does, number by number
    return block


def _default_sizes(what: str) -> tuple[int, ...]:
    from graphattn.data.molecules import features

    return features.atom_sizes() if what == "atom" else features.bond_sizes()
