"""Trained parameters copied into the parts that graphattn's layers are made of."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from torch.nn.parameter import is_lazy
from torch_geometric.nn import Linear

from graphattn.aggregation import SoftmaxSum
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.update import Project

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu_new": lambda: nn.GELU("tanh"),
    "gelu_pytorch_tanh": lambda: nn.GELU("tanh"),
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
}
"""The activations that are converted, by the names that the ``transformers`` library gives them."""


class NotPlainError(TypeError):
    """A part of another class than the one that is converted: quantised, with an adapter, another norm."""

    def __init__(self, wanted: str, part: nn.Module) -> None:
        name, module = type(part).__name__, type(part).__module__
        super().__init__(f"{wanted}, got {name}{'' if module.startswith('torch.nn.') else f' of {module}'}")
        self.part = part


@contextmanager
def placing(model: nn.Module) -> Iterator[None]:
    """Say of a part that cannot be converted where it stands in the model.

    Raises:
        TypeError: what was wanted, what is there, and its path.
    """
    try:
        yield
    except NotPlainError as error:
        path = next((path for path, part in model.named_modules() if part is error.part), "")
        hint = ": merge adapters into the weights first, as peft's merge_and_unload() does"
        adapted = hasattr(error.part, "base_layer")
        raise TypeError(f"{error}{f' at {path}' if path else ''}{hint if adapted else ''}") from None


class Map(NamedTuple):
    """A linear map: ``weight [out, in]`` and ``bias [out]``."""

    weight: Tensor
    bias: Tensor | None


def refuse(owner: str, options: object, supported: Mapping[str, Collection[object]]) -> None:
    """Refuse an option by its name and value unless it is one of those supported; an option that is not there is fine.

    Raises:
        ValueError: the option, what is supported, and its value.
    """
    for name, values in supported.items():
        value = getattr(options, name, None)
        if hasattr(options, name) and value not in list(values):
            wanted = " or ".join(f"{name}={each!r}" for each in values)
            raise ValueError(f"expected {wanted} to convert {owner}, got {name}={value!r}")


def map_of(linear: nn.Module) -> Map:
    """Weight and bias of a plain ``nn.Linear``, or PyG's.

    Raises:
        NotPlainError: another class (quantised, or with an adapter), by name.
        ValueError: a lazy one that has not seen an input yet.
    """
    if type(linear) not in (nn.Linear, NonDynamicallyQuantizableLinear, Linear):
        raise NotPlainError("expected a plain torch.nn.Linear to convert", linear)
    if is_lazy(linear.weight):  # pyright: ignore[reportArgumentType]
        raise ValueError(f"expected channels to be known, got {linear}: call the original once before it is converted")
    return Map(linear.weight, linear.bias)  # pyright: ignore[reportArgumentType]


def weight_of(linear: nn.Module) -> Tensor:
    """Weight of a plain linear map without a bias.

    Raises:
        NotPlainError: another class, or one with a bias.
    """
    weight, bias = map_of(linear)
    if bias is not None:
        raise NotPlainError("expected a torch.nn.Linear without a bias to convert", linear)
    return weight


def put(part: nn.Module, name: str, value: Tensor | None) -> None:
    """Give ``part`` a copy of a parameter, on its device and in its precision."""
    setattr(part, name, None if value is None else nn.Parameter(value.detach().clone(), value.requires_grad))


def fill(part: nn.Module, source: Map) -> None:
    """Give ``part`` copies of a linear map's parameters."""
    put(part, "weight", source.weight)
    put(part, "bias", source.bias)


def linear_from(source: Map) -> nn.Linear:
    """An ``nn.Linear`` with copies of the parameters."""
    receivers, senders = source.weight.shape
    linear = nn.Linear(senders, receivers, bias=source.bias is not None, device="meta")
    fill(linear, source)
    return linear


def norm_from(norm: nn.Module) -> nn.LayerNorm:
    """A copy of an ``nn.LayerNorm``.

    Raises:
        NotPlainError: another kind of norm, by name.
    """
    if type(norm) is not nn.LayerNorm:
        raise NotPlainError("expected the norm torch.nn.LayerNorm to convert", norm)
    return copy.deepcopy(norm)


def embedding_from(embedding: nn.Module) -> nn.Embedding:
    """A copy of an ``nn.Embedding``.

    Raises:
        NotPlainError: another kind of table, by name.
    """
    if type(embedding) is not nn.Embedding:
        raise NotPlainError("expected a plain torch.nn.Embedding to convert", embedding)
    return copy.deepcopy(embedding)


def feed_forward_from(first: Map, activation: nn.Module, second: Map, dropout: float) -> nn.Sequential:
    """Two linear maps with an activation and dropout between."""
    return nn.Sequential(linear_from(first), activation, nn.Dropout(dropout), linear_from(second))


def attention_from(maps: Iterable[Map], heads: int, dropout: float, name: str) -> GraphLayer:
    """An attention layer from a transformer's four linear maps: query, key, value and output."""
    query, key, value, out = maps
    inner = query.weight.size(0) // heads
    channels = (key.weight.size(1), query.weight.size(1))
    message = Attend(channels, Heads(heads, inner), bias=query.bias is not None)
    update = Project(heads * inner, out.weight.size(0), bias=out.bias is not None)
    for part, source in ((message.query, query), (message.key, key), (message.value, value), (update.linear, out)):
        fill(part, source)
    return GraphLayer(message, SoftmaxSum(), update, name=name, dropout=dropout)
