"""Models of the ``transformers`` library as graph networks, without importing that library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from graphattn.convert.bert import bert_from
from graphattn.convert.copying import placing
from graphattn.convert.gpt2 import gpt2_from
from graphattn.convert.vit import vit_from

_MODELS: dict[str, Callable[[Any], nn.Module]] = {"BertModel": bert_from, "GPT2Model": gpt2_from, "ViTModel": vit_from}


def from_transformers(model: nn.Module) -> nn.Module:
    """A ``BertModel``, ``GPT2Model`` or ``ViTModel`` of the ``transformers`` library as a graph network with the same outputs.

    The result is called with the original's inputs, padded, or with a PyG batch of token graphs of unequal length, unpadded;
    ``graph=`` gives another topology than the original's. It has copies of the parameters and does not need the library.
    Outputs equal the original's within 1e-5; see :class:`BERT`, :class:`GPT2`, :class:`ViTEncoder`.

    Args:
        model: the original. Of a model with a head, give the model below it (``model.base_model``) and keep the head.

    Raises:
        TypeError: another model, by name; parts that are not plain (quantised, with adapters, other norms), by path.
        ValueError: an option of its configuration that is not supported, by name and value.

    >>> import pytest
    >>> transformers = pytest.importorskip("transformers", reason="needs pip install 'graphattn[convert]'")
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    >>> original = transformers.BertModel(transformers.BertConfig(vocab_size=30, **sizes)).eval()
    >>> padded = torch.tensor([[5, 6, 7], [8, 9, 0]])
    >>> real = torch.tensor([[1, 1, 1], [1, 1, 0]])
    >>> network, truth = from_transformers(original), original(padded, real).last_hidden_state
    >>> torch.allclose(network(padded, real).last_hidden_state[real.bool()], truth[real.bool()], atol=1e-5)
    True
    >>> from graphattn.convert import token_graphs
    >>> network(token_graphs({"input_ids": [[5, 6, 7], [8, 9]]})).last_hidden_state.shape
    torch.Size([5, 8])
    """
    kind = type(model)
    if kind.__module__.partition(".")[0] != "transformers" or kind.__name__ not in _MODELS:
        hint = "; convert its base_model" if type(getattr(model, "base_model", None)).__name__ in _MODELS else ""
        hint = "; convert what its merge_and_unload() returns" if hasattr(model, "merge_and_unload") else hint
        raise TypeError(f"expected {' or '.join(_MODELS)} of the transformers library, got {_named(model)}{hint}")
    with placing(model):
        return _MODELS[kind.__name__](model)


def _named(model: object) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
