"""Blocks one behind the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from torch import Tensor, nn

from graphattn.reset import reset


@final
class Stack(nn.Module):
    r"""Blocks one behind the other over the same graphs, and a norm behind the last.

    .. math:: x' = \text{norm}(\text{block}_L(\dots \text{block}_1(x, \dots) \dots, \dots))

    Of encoder blocks it is ``nn.TransformerEncoder``, of decoder blocks ``nn.TransformerDecoder``.

    Args:
        blocks: the blocks, each with parameters of its own.
        norm: behind the last block; stacks of pre-norm blocks need one.

    Shapes: ``x [N, F] -> [N, F]``; all else that is given goes to every block.

    >>> from graphattn.blocks import EncoderBlock
    >>> encoder = Stack([EncoderBlock(8, heads=2) for _ in range(3)], torch.nn.LayerNorm(8))
    >>> encoder(torch.randn(5, 8), Full([3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(self, blocks: Iterable[nn.Module], norm: nn.Module | None = None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm if norm is not None else nn.Identity()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, x: Tensor, *given: object) -> Tensor:
        """``given`` is what each block takes besides ``x``: graphs, a memory, edge features."""
        for block in self.blocks:
            x = block(x, *given)
        return self.norm(x)
