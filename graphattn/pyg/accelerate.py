"""Swapping PyG's layers inside a model for drop-ins, and back."""

from __future__ import annotations

import copy
import logging
from typing import Any, NamedTuple, TypeVar

from torch import nn
from torch_geometric import nn as pyg
from torch_geometric.nn import MessagePassing

from graphattn.layer import GraphLayer
from graphattn.pyg.attention import GATConv, GATv2Conv, TransformerConv
from graphattn.pyg.convolution import EdgeConv, GCNConv, GINConv, SAGEConv
from graphattn.pyg.dropin import DropIn, forget
from graphattn.pyg.gps import GPSConv, attention_refusals
from graphattn.pyg.refusals import refusals

_LOGGER = logging.getLogger("graphattn")

Model = TypeVar("Model", bound=nn.Module)

DROP_INS: dict[type[nn.Module], type[DropIn]] = {
    ours.theirs: ours for ours in (TransformerConv, GATConv, GATv2Conv, GCNConv, SAGEConv, GINConv, EdgeConv, GPSConv)
}
"""PyG's classes and their drop-ins."""


class Report(NamedTuple):
    """What :func:`accelerate` swaps in a model, by path, and what it leaves, with the reason."""

    swapped: dict[str, str]
    left: dict[str, str]

    def __str__(self) -> str:
        lines = [f"swapped {path or 'the model itself'}: {name}" for path, name in self.swapped.items()]
        lines += [f"left {path or 'the model itself'}: {reason}" for path, reason in self.left.items()]
        return "\n".join(lines) or "nothing to swap: no layer of PyG in this model"


def survey(model: nn.Module) -> Report:
    """What :func:`accelerate` would swap in a model, and what it would leave, and why.

    Raises:
        TypeError: no module, as :func:`accelerate`.

    >>> from torch_geometric.nn import ChebConv, GCNConv
    >>> print(survey(torch.nn.ModuleList([GCNConv(4, 4), ChebConv(4, 4, K=2), GCNConv(4, 4, flow="target_to_source")])))
    swapped 0: GCNConv
    left 1: ChebConv has no drop-in
    left 2: GCNConv, because its flow is target_to_source
    """
    _must_be_module(model)
    swapped, left = {}, {}
    for path, module in model.named_modules():
        if not isinstance(module, MessagePassing | pyg.GPSConv) or isinstance(module, GraphLayer):
            continue
        reason = _why_left(module)
        if reason:
            left[path] = reason
        else:
            swapped[path] = type(module).__name__
    return Report(swapped, left)


def accelerate(model: Model, inplace: bool = False) -> Model:
    r"""Swap PyG's layers in a model for drop-ins of :mod:`graphattn.pyg`.

    A drop-in has the same name, parameters, hooks and results; ``state_dict`` and optimizers stay valid. Layers are found
    wherever they stand, in PyG's own models too. Only layers of exactly PyG's classes are swapped: a subclass may compute
    something else. What was swapped, and what was left and why, is logged as information by the logger ``graphattn``;
    :func:`survey` returns it.

    Args:
        model: any module.
        inplace: whether to swap in the model itself; a copy is made if not.

    Raises:
        TypeError: no module: a class, or a list of modules.

    >>> from torch_geometric.nn import GAT
    >>> from graphattn.pyg import accelerate, survey
    >>> model = accelerate(GAT(8, 16, num_layers=2, out_channels=4))
    >>> print(survey(model))
    swapped convs.0: GATConv
    swapped convs.1: GATConv
    >>> model(torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 4])
    """
    report = survey(model)
    model = model if inplace else copy.deepcopy(model)
    for path in report.swapped:
        module: Any = model.get_submodule(path)
        if not isinstance(module, DropIn):
            module.__class__ = DROP_INS[type(module)]
    for line in str(report).splitlines():
        _LOGGER.info(line)
    return model


def deaccelerate(model: Model, inplace: bool = False) -> Model:
    """Swap drop-ins back for PyG's own layers: the opposite of :func:`accelerate`.

    Args:
        model: any module.
        inplace: whether to swap in the model itself; a copy is made if not.

    >>> from torch_geometric.nn import GCNConv
    >>> from graphattn.pyg import accelerate, deaccelerate
    >>> type(deaccelerate(accelerate(GCNConv(4, 4)))) is GCNConv
    True
    """
    _must_be_module(model)
    model = model if inplace else copy.deepcopy(model)
    ours: list[Any] = [
        module for module in model.modules() if isinstance(module, DropIn) and "theirs" in vars(type(module))
    ]
    forget(ours)
    for module in ours:
        module.__class__ = module.theirs
    return model


def _must_be_module(model: object) -> None:
    if isinstance(model, nn.Module):
        return
    if isinstance(model, type):
        raise TypeError(f"expected a module, got the class {model.__name__}: give a layer or model made of it")
    hint = ": put them into a torch.nn.ModuleList" if isinstance(model, list | tuple) else ""
    raise TypeError(f"expected a module, got a {type(model).__name__}{hint}")


def _why_left(module: MessagePassing | pyg.GPSConv) -> str:
    name = type(module).__name__
    if type(module) not in DROP_INS and type(module) not in DROP_INS.values():
        parents = [parent.__name__ for parent in type(module).__mro__[1:] if parent in DROP_INS]
        return (
            f"{name} is a subclass of {parents[0]}, which may compute something else"
            if parents
            else f"{name} has no drop-in"
        )
    drop_in = type(module) if isinstance(module, DropIn) else DROP_INS[type(module)]
    reasons = refusals(module, drop_in) if isinstance(module, MessagePassing) else attention_refusals(module)
    return f"{name}, because {reasons[0]}" if reasons else ""
