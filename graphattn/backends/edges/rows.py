"""Networks that treat each row on its own, as lists of layers: what can be computed in parts, and some rows at a time."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import MLP, Linear
from torch_geometric.nn.norm import BatchNorm

_ROW_BY_ROW = frozenset((
    nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid, nn.Softplus,
    nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid, nn.Softsign, nn.LayerNorm, nn.RMSNorm,
))  # fmt: skip
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def layers_of(network: nn.Module) -> tuple[list[nn.Module], list[str]]:
    """The layers of a network one behind the other; and why they may not be computed in parts, if so.

    >>> layers_of(MLP([4, 8, 2], norm=None))
    ([Linear(4, 8, bias=True), ReLU(), Linear(8, 2, bias=True)], [])
    >>> layers_of(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8)))[1]
    ['needs layers that treat each edge on its own, got BatchNorm1d']
    """
    if not isinstance(network, nn.Module):  # PyG's EdgeConv takes any function
        return [], [f"needs a network of layers, got {type(network).__name__}"]
    reasons = ["needs a network without hooks"] if any(_hooked(module) for module in network.modules()) else []
    layers = [layer for layer in _flat(network) if not _idle(layer)]
    strange = {type(layer).__name__: None for layer in layers if not _alone(layer)}
    reasons.extend(f"needs layers that treat each edge on its own, got {name}" for name in strange)
    if not layers or not is_linear(layers[0]):
        reasons.append(f"needs a network that begins with a linear map, got {type(network).__name__}")
    return layers, reasons


def is_linear(layer: nn.Module) -> bool:
    """Whether a layer is a linear map, and nothing else."""
    return isinstance(layer, (nn.Linear, Linear)) and type(layer).forward in (nn.Linear.forward, Linear.forward)


def _flat(network: nn.Module) -> list[nn.Module]:
    if type(network) is nn.Sequential:
        return [layer for part in network for layer in _flat(part)]
    if type(network) is BatchNorm and not network.allow_single_element:
        return [network.module]
    if type(network) is not MLP or (network.training and any(network.dropout)):  # pyright: ignore[reportArgumentType]
        return [network]
    act = [] if network.act is None else _flat(network.act)  # pyright: ignore[reportArgumentType]
    layers: list[nn.Module] = []
    for linear, norm in zip(network.lins, network.norms, strict=False):
        layers += [linear, *act, *_flat(norm)] if network.act_first else [linear, *_flat(norm), *act]
    return [*layers, network.lins[-1]] if network.plain_last else layers


def _alone(layer: nn.Module) -> bool:
    if isinstance(layer, nn.BatchNorm1d):
        return not layer.training and layer.running_mean is not None
    return is_linear(layer) or type(layer) in _ROW_BY_ROW


def _idle(layer: nn.Module) -> bool:
    return type(layer).__name__ == "Identity" or (type(layer) is nn.Dropout and not (layer.training and layer.p))


def _hooked(module: nn.Module) -> bool:
    return any(getattr(module, hooks) for hooks in _HOOKS)
