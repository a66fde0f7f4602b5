r"""Keys and values of edges in two factors: few numbers for each pair, and one table for all pairs.

.. math::
    q_i \cdot T^\top e_{ji} = (T q_i) \cdot e_{ji} \qquad
    \sum_j \alpha_{ij}\, T^\top e_{ji} = T^\top \sum_j \alpha_{ij}\, e_{ji}

so that no pair ever has a vector of ``C`` channels. Where :math:`e_{ji}` only tells a kind, it is a number.

On a list of edges they are ``kind [E]`` or ``feature [E, F]``, and kernels do the sums.

Letters: ``b`` graphs of a tile with ``n`` receivers and ``m`` senders, ``H`` heads, ``C`` channels per head, ``T`` kinds,
``F`` channels of a feature.
"""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear


@final
class OfKinds(NamedTuple):
    """A row of a table for each pair: ``kind [b or 1, n, m]``, ``table [T, H, C]``.

    >>> two = OfKinds(torch.tensor([[[0, 1, 1]]]), torch.tensor([[[10.0]], [[20.0]]]))
    >>> two.heard(torch.tensor([0.5, 0.25, 0.25]).view(1, 1, 1, 3)), two.scores(torch.ones(1, 1, 1, 1))
    (tensor([[[[15.]]]]), tensor([[[[10., 20., 20.]]]]))
    """

    kind: Tensor
    table: Tensor

    def scores(self, query: Tensor) -> Tensor:
        """The query's product with what each pair says, ``[H, b, n, C] -> [H, b, n, m]``."""
        with_rows = torch.einsum("hbnc,thc->hbnt", query, self.table)
        return with_rows.gather(-1, self.kind.expand(*query.shape[:3], -1))

    def heard(self, alpha: Tensor) -> Tensor:
        """What each receiver hears of the pairs, ``[H, b, n, m] -> [H, b, n, C]``."""
        sums = alpha.new_zeros(*alpha.shape[:3], self.table.size(0))
        return torch.einsum("hbnt,thc->hbnc", sums.scatter_add(-1, self.kind.expand_as(alpha), alpha), self.table)


@final
class OfFeatures(NamedTuple):
    """A linear map of each pair's feature: ``feature [b, n, m, F]``, ``table [F, H, C]``.

    >>> each = OfFeatures(torch.tensor([[[[1.0], [2.0]]]]), torch.tensor([[[10.0]]]))
    >>> each.heard(torch.tensor([0.5, 0.5]).view(1, 1, 1, 2)), each.scores(torch.ones(1, 1, 1, 1))
    (tensor([[[[15.]]]]), tensor([[[[10., 20.]]]]))
    """

    feature: Tensor
    table: Tensor

    def scores(self, query: Tensor) -> Tensor:
        """The query's product with what each pair says, ``[H, b, n, C] -> [H, b, n, m]``."""
        return torch.einsum("hbnf,bnmf->hbnm", torch.einsum("hbnc,fhc->hbnf", query, self.table), self.feature)

    def heard(self, alpha: Tensor) -> Tensor:
        """What each receiver hears of the pairs, ``[H, b, n, m] -> [H, b, n, C]``."""
        return torch.einsum("hbnf,fhc->hbnc", torch.einsum("hbnm,bnmf->hbnf", alpha, self.feature), self.table)


def one_at_least(rows: Tensor) -> Tensor:
    """Rows of edges, or one where there is none: a tile of padding alone has pairs, but no edge.

    >>> one_at_least(torch.empty(0, 2))
    tensor([[0., 0.]])
    """
    return rows if rows.size(0) else rows.new_zeros(1, *rows.shape[1:])


def is_table(linear: nn.Module) -> bool:
    """Whether a module is a linear map that :func:`table_of` can tell from its parameters: nothing else, and not watched.

    >>> is_table(torch.nn.Linear(2, 4)), is_table(torch.nn.Sequential(torch.nn.Linear(2, 4)))
    (True, False)
    """
    known = isinstance(linear, (nn.Linear, Linear)) and type(linear).forward in (nn.Linear.forward, Linear.forward)
    return known and untouched(linear)


def untouched(module: nn.Module) -> bool:
    """Whether a module computes what its class says, without hooks."""
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    return not hooks and getattr(module.forward, "__code__", None) is type(module).forward.__code__


def with_one(rows: Tensor, linear: nn.Module) -> Tensor:
    """Features ``[..., F]`` as :func:`table_of` reads them: with a one behind, where the linear map has a bias.

    >>> with_one(torch.zeros(1, 2), torch.nn.Linear(2, 4))
    tensor([[0., 0., 1.]])
    """
    return rows if getattr(linear, "bias", None) is None else torch.cat([rows, torch.ones_like(rows[..., :1])], dim=-1)


def table_of(linear: nn.Module, heads: int) -> Tensor:
    """A linear map of features (:func:`is_table`) as a table ``[F, H, C]``, its bias as the last row.

    >>> table_of(torch.nn.Linear(2, 4), heads=2).shape
    torch.Size([3, 2, 2])
    """
    assert isinstance(linear, (nn.Linear, Linear))
    table = linear.weight.t() if linear.bias is None else torch.cat([linear.weight.t(), linear.bias[None]])
    return table.unflatten(-1, (heads, -1))
