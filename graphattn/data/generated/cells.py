"""Tissue of two types of cells with a known truth: who is beside whom decides, or how many there are of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.tissue import builders

_APART = 10.0  # micrometres, about a cell of epithelium
_BLUR = 0.3


def mixed_cells(count: int, cells: int = 64, neighbours: int = 6, seed: int = 0) -> list[Data]:
    r"""Tissue whose two types keep apart (0) or mix (1), with exactly as many cells of each: a graph has to help.

    .. math:: c_i = [s_i > \text{median}(s)] \qquad s_i = \cos(k \cdot p_i + \varphi) + 0.3\, \epsilon_i

    A wave along a random direction parts the types; in every second tissue the types change places at random. Positions are
    alike in both, and shares are equal: the mean of nodes says nothing, nor do edges without types.

    Args:
        count: graphs, the half of them of each class.
        cells: of each.
        neighbours: nearest cells that each is joined to.
        seed: of positions and types.

    Shapes: ``x [cells, 2]`` the type, one of two numbers is 1; ``cell_type [cells]``; ``pos [cells, 2]`` in micrometres; edges
    with distance and direction, of the same type or not; ``y [1]``.

    Raises:
        ValueError: fewer than 2 cells.

    >>> apart, mixed = mixed_cells(2, cells=200)
    >>> [float((graph.cell_type[graph.edge_index[0]] == graph.cell_type[graph.edge_index[1]]).float().mean()) > 0.7
    ...  for graph in (apart, mixed)]
    [True, False]
    """
    generator = torch.Generator().manual_seed(seed)
    graphs = list[Data]()
    for number in range(count):
        pos = _positions(cells, generator)
        turn, shift = 2 * torch.pi * torch.rand(2, generator=generator)
        along = pos @ torch.stack([turn.cos(), turn.sin()])
        score = (along * torch.pi / (_APART * cells**0.5 / 2) + shift).cos()
        score = score + _BLUR * torch.randn(cells, generator=generator)
        order = torch.randperm(cells, generator=generator)
        kind = (score.argsort().argsort() >= cells // 2).long()
        graphs.append(_graph(pos, kind[order] if number % 2 else kind, number % 2, neighbours))
    return graphs


def counted_cells(
    count: int, cells: int = 64, neighbours: int = 6, shares: Sequence[float] = (0.4, 0.6), seed: int = 0
) -> list[Data]:
    r"""Tissue whose classes differ in the share of a type alone, cells placed at random: a graph must not help.

    .. math:: c_i \sim \text{Bernoulli}(\text{share}_y) \qquad \text{independently of } p_i

    The number of cells of each type is all there is to know; who hears neighbours hears noise.

    Args:
        count: graphs, the half of them of each class.
        cells: of each.
        neighbours: nearest cells that each is joined to.
        shares: expected shares of type 1 in class 0 and in class 1.
        seed: of positions and types.

    Shapes: as :func:`mixed_cells`.

    Raises:
        ValueError: fewer than 2 cells; not two shares from 0 to 1.

    >>> few, many = counted_cells(2, cells=400)
    >>> float(few.x[:, 1].mean()) < 0.5 < float(many.x[:, 1].mean())
    True
    """
    if len(shares) != 2 or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"expected two shares from 0 to 1, got {tuple(shares)}")
    generator = torch.Generator().manual_seed(seed)
    graphs = list[Data]()
    for number in range(count):
        pos = _positions(cells, generator)
        kind = (torch.rand(cells, generator=generator) < shares[number % 2]).long()
        graphs.append(_graph(pos, kind, number % 2, neighbours))
    return graphs


def _positions(cells: int, generator: torch.Generator) -> Tensor:
    if cells < 2:
        raise ValueError(f"expected 2 cells or more, got {cells}")
    return _APART * cells**0.5 * torch.rand(cells, 2, generator=generator)


def _graph(pos: Tensor, kind: Tensor, label: int, neighbours: int) -> Data:
    x = torch.nn.functional.one_hot(kind, 2).float()
    graph = Data(x=x, pos=pos, cell_type=kind, cell_type_names=["a", "b"], y=torch.tensor([label]))
    return builders.knn(graph, neighbours)
