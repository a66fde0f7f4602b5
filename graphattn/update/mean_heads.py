"""Heads that agree on one answer."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.reset import reset


@final
class MeanHeads(nn.Module):
    r"""The mean over heads, then another update, as if there were one head: PyG's ``concat=False``.

    .. math:: x_i' = \text{update}\!\left(x_i, \frac{1}{H} \sum_h h_i^{(h)}\right)

    Args:
        update: what the node becomes of the mean.

    Shapes: ``x_i [N, F] | None``, heard ``[N, H, C]``; ``update`` gets ``[N, 1, C]``.

    >>> from graphattn import Replace
    >>> MeanHeads(Replace())(None, torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[2., 3.]])
    """

    def __init__(self, update: nn.Module) -> None:
        super().__init__()
        self.update = update

    def reset_parameters(self) -> None:
        reset(self.update)

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        return self.update(x_i, heard.mean(1, keepdim=True))
