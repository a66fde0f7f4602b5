r"""Keys and values of edges in two factors: few numbers for each pair, and one table for all pairs.

.. math::
    q_i \cdot T^\top e_{ji} = (T q_i) \cdot e_{ji} \qquad
    \sum_j \alpha_{ij}\, T^\top e_{ji} = T^\top \sum_j \alpha_{ij}\, e_{ji}

so that no pair ever has a vector of ``C`` channels. Where :math:`e_{ji}` only tells a kind, it is a number.

Letters: ``b`` graphs of a tile with ``n`` receivers and ``m`` senders, ``H`` heads, ``C`` channels per head, ``T`` kinds,
``F`` channels of a feature.
"""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor


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
