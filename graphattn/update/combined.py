"""A node becomes something of itself and what it heard, and a function of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear
from torch_geometric.nn.inits import constant

from graphattn.reset import reset


@final
class UpdateThen(nn.Module):
    r"""A function of another update's result, :math:`x_i' = f(\text{update}(x_i, h_i))`.

    Args:
        update: the other update.
        function: ``f``: a network, a normalisation, an activation.

    Shapes: those of the other update, and of the function.

    >>> UpdateThen(AddSelf(), torch.nn.Linear(4, 3))(torch.randn(2, 4), torch.randn(2, 1, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, update: nn.Module, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.update = update
        self.function = function

    def reset_parameters(self) -> None:
        reset(self.update)
        reset(self.function)

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        return self.function(self.update(x_i, heard))


@final
class AddSelf(nn.Module):
    r"""The node adds itself to what it heard (Xu et al. 2019): :math:`x_i' = (1 + \epsilon)\, x_i + \|_h\, h_i^{(h)}`.

    Receivers without a state become what they heard, as in PyG.

    Args:
        eps: :math:`\epsilon`, where it starts if learned.
        learned: whether :math:`\epsilon` is learned.

    Shapes: ``x_i [N, F]``, heard ``[N, H, C] -> [N, H C]``, with ``F = H C``.

    >>> AddSelf(eps=0.5)(torch.tensor([[2.0]]), torch.tensor([[[1.0]]]))
    tensor([[4.]])
    """

    eps: Tensor

    def __init__(self, eps: float = 0.0, learned: bool = False) -> None:
        super().__init__()
        self.start = eps
        if learned:
            self.eps = nn.Parameter(torch.empty(1))
        else:
            self.register_buffer("eps", torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        constant(self.eps, self.start)

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        flat = heard.flatten(1)
        return flat if x_i is None else flat + (1 + self.eps) * x_i

    def extra_repr(self) -> str:
        return f"eps={self.start}, learned={isinstance(self.eps, nn.Parameter)}"


@final
class ProjectBoth(nn.Module):
    r"""The node becomes projections of what it heard and of itself (Hamilton et al. 2017).

    .. math:: x_i' = W_h\, \|_h\, h_i^{(h)} + b + W_r x_i

    Receivers without a state become the projection of what they heard, as in PyG.

    Args:
        heard_channels: heads times channels per head; -1 reads them from the first input.
        in_channels: channels of the receiver; -1 likewise.
        out_channels: channels of the result.
        bias: whether there is a ``b``.

    Shapes: ``x_i [N, F]``, heard ``[N, H, C] -> [N, F']``.

    >>> ProjectBoth(8, 6, 3)(torch.randn(5, 6), torch.randn(5, 2, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(self, heard_channels: int, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        self.heard = Linear(heard_channels, out_channels, bias=bias)
        self.root = Linear(in_channels, out_channels, bias=False)

    def reset_parameters(self) -> None:
        self.heard.reset_parameters()
        self.root.reset_parameters()

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        out = self.heard(heard.flatten(1))
        return out if x_i is None else out + self.root(x_i)


@final
class Beside(nn.Module):
    r"""The node lays itself beside what it heard, head by head, through a network (Gilmer et al. 2017).

    .. math:: x_i' = \|_h\; g(x_i^{(h)} \,\|\, h_i^{(h)})

    Args:
        network: ``g``, on tensors ``[N, H, F + C]``.
        layout: lays the channels of a node out for the heads, ``[N, F'] -> [N, H, F]``; one head if not given.

    Shapes: ``x_i [N, F']``, heard ``[N, H, C] -> [N, H C']``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).

    >>> Beside(torch.nn.Linear(6 + 4, 3))(torch.randn(5, 6), torch.randn(5, 1, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(self, network: nn.Module, layout: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.network = network
        self.layout = layout

    def reset_parameters(self) -> None:
        reset(self.network)

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        if x_i is None:
            raise ValueError("expected receivers with a state to lay beside, got x_i=None: give x=(senders, receivers)")
        own = x_i.unsqueeze(1) if self.layout is None else self.layout(x_i)
        return self.network(torch.cat([own, heard], dim=-1)).flatten(1)


@final
class Recur(nn.Module):
    r"""The node remembers: its state is a recurrent cell's, what it heard the input (Li et al. 2016).

    .. math:: x_i' = \text{cell}(\|_h\, h_i^{(h)},\; x_i)

    Args:
        cell: for instance ``torch.nn.GRUCell``; called with input and state.

    Shapes: ``x_i [N, F]``, heard ``[N, H, C] -> [N, F]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).

    >>> Recur(torch.nn.GRUCell(8, 6))(torch.randn(5, 6), torch.randn(5, 2, 4)).shape
    torch.Size([5, 6])
    """

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def reset_parameters(self) -> None:
        reset(self.cell)

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        if x_i is None:
            raise ValueError("expected receivers with a state to remember, got x_i=None: give x=(senders, receivers)")
        return self.cell(heard.flatten(1), x_i)


@final
class AddByPlace(nn.Module):
    r"""The node becomes what it heard and a bias of its place, the same for each channel: :math:`x_i' = h_i + b_{p(i)}`.

    For batches in which every graph has the same number of receivers.

    Args:
        places: receivers of each graph.

    Shapes: heard ``[N, H, C] -> [N, H C]``.

    Raises:
        ValueError: a number of receivers that the places do not divide.

    >>> AddByPlace(3)(None, torch.randn(6, 1, 4)).shape
    torch.Size([6, 4])
    """

    def __init__(self, places: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(places))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        constant(self.bias, 0.0)

    def forward(self, x_i: Tensor | None, heard: Tensor) -> Tensor:
        places = self.bias.numel()
        if heard.size(0) % places:
            raise ValueError(f"expected graphs of {places} receivers each, got {heard.size(0)} receivers")
        return (heard.flatten(1).unflatten(0, (-1, places)) + self.bias[:, None]).flatten(0, 1)
