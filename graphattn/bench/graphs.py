"""Graphs to measure on, the same in every run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

SEED = 0


def by_receiver(edge_index: Tensor) -> Tensor:
    """The edges sorted by receiver, then sender: PyG's best order.

    >>> by_receiver(torch.tensor([[0, 2, 1], [1, 0, 0]]))
    tensor([[1, 2, 0],
            [0, 0, 1]])
    """
    order = (edge_index[1] * (int(edge_index.max()) + 1) + edge_index[0]).argsort()
    return edge_index[:, order].contiguous()


def random(nodes: int, degree: int = 16) -> Tensor:
    """``degree`` edges per node in the mean between any two nodes: none twice, none from a node to itself.

    >>> random(20, degree=3).shape
    torch.Size([2, 60])
    """
    generator = torch.Generator().manual_seed(SEED)
    wanted = nodes * degree
    sender, receiver = torch.randint(0, nodes, (2, wanted + wanted // 4 + 64), generator=generator)
    pairs = (receiver * nodes + sender)[sender != receiver].unique()
    chosen = pairs[torch.randperm(pairs.numel(), generator=generator)[:wanted]]
    return by_receiver(torch.stack([chosen % nodes, chosen // nodes]))


def power_law(nodes: int, degree: int = 16, exponent: float = 0.8) -> Tensor:
    r"""Edges whose ends are drawn with probability :math:`\propto \text{rank}^{-\text{exponent}}`: a few hubs, many leaves."""
    generator = np.random.default_rng(SEED)
    chance = np.arange(1, nodes + 1) ** -exponent
    ends = generator.choice(nodes, size=(2, nodes * degree), p=chance / chance.sum())
    return by_receiver(torch.from_numpy(generator.permutation(nodes)[ends]))


def neighbours(nodes: int, nearest: int = 8) -> Tensor:
    """Points in the plane with edges from their nearest neighbours.

    >>> neighbours(20, nearest=3).shape
    torch.Size([2, 60])
    """
    points = np.random.default_rng(SEED).random((nodes, 2))
    _, found = KDTree(points).query(points, k=nearest + 1)
    sender = torch.from_numpy(np.asarray(found)[:, 1:].reshape(-1)).long()
    return by_receiver(torch.stack([sender, torch.arange(nodes).repeat_interleave(nearest)]))


class MoleculeBatch(NamedTuple):
    """A batch of real molecules.

    Args:
        batch: PyG's batch of them.
        ptr: where each begins, ``[B + 1]``.
        bonds: edges of atoms that share a bond, ``[2, K]``.
        pair_kind: for all pairs of atoms of a molecule, in the order of ``Full``, their distance, or the kind of their bond.
        kinds: how many kinds there are.
    """

    batch: Any
    ptr: Tensor
    bonds: Tensor
    pair_kind: Tensor
    kinds: int


def molecules(count: int) -> MoleculeBatch:
    """The first molecules of the embedded data set bbb."""
    from torch_geometric.data import Batch

    from graphattn.data.molecules.embedded import load
    from graphattn.data.molecules.smiles import UNREACHABLE, bond_sizes, parse_smiles, to_data
    from graphattn.models.parts.embedding import kinds
    from graphattn.topology import Full

    smiles = load("bbb").frame["smiles"].iloc[:count]
    batch: Any = Batch.from_data_list([to_data(parse_smiles(text)) for text in smiles])
    rows, kind = kinds(batch.edge_attr, bond_sizes())
    sender, receiver = batch.edge_index
    first = UNREACHABLE + 1
    pair_kind = batch.distance.index_copy(0, Full(batch).edge_number(receiver, sender), first + kind)
    return MoleculeBatch(batch, batch.ptr, by_receiver(batch.edge_index), pair_kind, first + rows.size(0))
