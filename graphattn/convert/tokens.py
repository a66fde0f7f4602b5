"""Sequences as graphs of tokens: padded ones laid out one behind the other without padding, and the way back.

Letters: ``B`` sequences of up to ``L`` tokens, ``N`` tokens that are not padding, ``F`` channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.slots import Sizes
from graphattn.topology import read_sizes


class Output(NamedTuple):
    """States of all tokens, and of each sequence, where the original pools one."""

    last_hidden_state: Tensor
    pooler_output: Tensor | None = None


class Tokens(NamedTuple):
    """The tokens of a batch, one sequence behind the other: ``ids``, ``place`` and ``kind`` ``[N]``, and the sequences' sizes.

    ``place`` is the row of the position table. ``real [B, L]`` is where the tokens stood if they came padded.
    """

    ids: Tensor
    place: Tensor
    kind: Tensor | None
    sizes: Sizes
    real: Tensor | None

    def laid_out(self, x: Tensor) -> Tensor:
        """``[N, F]`` as ``[B, L, F]``, zero where padded, if the tokens came padded; else as it is."""
        return x if self.real is None else lay_out(x, self.real)

    def first(self, x: Tensor) -> Tensor:
        """The row of each sequence's first token, ``[N, F] -> [B, F]``; zeros for a sequence without tokens."""
        start = torch.where(self.sizes.ptr.diff() > 0, self.sizes.ptr[:-1], x.size(0))
        return torch.cat([x, x.new_zeros(1, x.size(-1))]).index_select(0, start)


def lay_out(x: Tensor, real: Tensor) -> Tensor:
    """Rows ``[N, F]`` back where they stood: ``[B, L, F]``, zero where nothing was ``real [B, L]``."""
    return x.new_zeros(*real.shape, x.size(-1)).masked_scatter(real.unsqueeze(-1), x)


def token_graphs(encoded: Mapping[str, Sequence[Sequence[int]]]) -> Batch:
    """What a tokenizer returns without padding, as a PyG batch of token graphs of unequal length.

    Args:
        encoded: lists of numbers by name, one list for each sequence: ``input_ids``, and ``token_type_ids`` or
            ``position_ids`` where the model takes them. An ``attention_mask`` is left out: nothing is padded.

    Raises:
        ValueError: there are no ``input_ids``, or their mask hides some.

    >>> token_graphs({"input_ids": [[101, 7592, 102], [101, 102]]})
    DataBatch(num_nodes=5, input_ids=[5], batch=[5], ptr=[3])
    """
    if "input_ids" not in encoded:
        raise ValueError(f"expected input_ids, got {sorted(encoded) or 'nothing'}")
    hidden = sum(1 - int(each) for row in encoded.get("attention_mask", ()) for each in row)
    if hidden:
        raise ValueError(f"expected sequences without padding, got an attention_mask that hides {hidden} tokens")
    names = [name for name in encoded if name != "attention_mask"]
    graphs = []
    for number, ids in enumerate(encoded["input_ids"]):
        graph = Data(num_nodes=len(ids))
        for name in names:
            graph[name] = torch.tensor(encoded[name][number], dtype=torch.long)
        graphs.append(graph)
    return Batch.from_data_list(graphs)


def read_tokens(
    input_ids: Tensor | Data,
    attention_mask: Tensor | None = None,
    token_type_ids: Tensor | None = None,
    position_ids: Tensor | None = None,
    places: int = 0,
    start: Tensor | None = None,
) -> Tokens:
    """Tokens from a PyG batch of token graphs, or from padded ``[B, L]`` tensors.

    Args:
        input_ids: token numbers, or a PyG ``Data`` or ``Batch`` with the attributes ``input_ids`` and, where there are any,
            ``token_type_ids`` and ``position_ids``, ``[N]`` each.
        attention_mask: 1 for tokens, 0 for padding, on either side; no padding if not given.
        token_type_ids, position_ids: of padded sequences. A token's position is its column if not given, padding counted.
        places: rows of the position table.
        start: the position of each sequence's first token, ``[B]``; 0 if not given.

    Raises:
        ValueError: another shape, a mask of other values than 0 and 1, a batch without ``input_ids`` or with other tensors beside
            it, more tokens than places.
    """
    if isinstance(input_ids, Data):
        given = (attention_mask, token_type_ids, position_ids)
        if any(tensor is not None for tensor in given):
            raise ValueError("expected all token tensors inside the PyG batch, got some beside it")
        return _checked(_from_graphs(input_ids, start), places)
    if input_ids.dim() != 2:
        raise ValueError(f"expected input_ids of shape [B, L] or a PyG batch, got {list(input_ids.shape)}")
    real = read_mask(attention_mask, input_ids)
    columns = torch.arange(input_ids.size(1), device=input_ids.device)
    columns = columns if start is None else columns + start.unsqueeze(1)
    place = (columns if position_ids is None else position_ids).expand_as(input_ids)
    kind = None if token_type_ids is None else token_type_ids.expand_as(input_ids)[real]
    return _checked(Tokens(input_ids[real], place[real], kind, sizes_of(real), real), places)


def read_mask(attention_mask: Tensor | None, like: Tensor) -> Tensor:
    """Where tokens are not padding, bool, of the shape ``[B, L]`` of ``like``.

    >>> read_mask(torch.tensor([[0, 1]]), torch.tensor([[7, 8]]))
    tensor([[False,  True]])
    """
    if attention_mask is None:
        return torch.ones_like(like, dtype=torch.bool)
    if attention_mask.shape != like.shape:
        raise ValueError(
            f"expected an attention_mask of shape {list(like.shape)}, got {list(attention_mask.shape)}: "
            "who hears whom beyond padding is said by graph"
        )
    real = attention_mask.bool()
    if not torch.equal(real.to(attention_mask.dtype), attention_mask):
        raise ValueError(f"expected an attention_mask of 0 and 1, got {attention_mask.unique().tolist()}")
    return real


def sizes_of(real: Tensor) -> Sizes:
    """How many tokens each padded sequence has.

    >>> sizes_of(torch.tensor([[True, True], [False, True]]))
    Sizes(ptr=tensor([0, 2, 3]), max=2, equal=False)
    """
    count = real.sum(1)
    return read_sizes(ptr=torch.cat([count.new_zeros(1), count.cumsum(0)]))


def _from_graphs(graphs: Data, first: Tensor | None) -> Tokens:
    if "input_ids" not in graphs:
        raise ValueError(f"expected a PyG batch with input_ids, got {sorted(graphs.keys())}")
    sizes = read_sizes(graphs)
    ids = graphs["input_ids"]
    if ids.dim() != 1 or ids.numel() != int(sizes.ptr[-1]):
        raise ValueError(
            f"expected one of input_ids for each of {int(sizes.ptr[-1])} nodes, got shape {list(ids.shape)}"
        )
    before = sizes.ptr[:-1] if first is None else sizes.ptr[:-1] - first
    before = before.repeat_interleave(sizes.ptr.diff(), output_size=ids.numel())
    place = graphs.get("position_ids", None)
    place = torch.arange(ids.numel(), device=ids.device) - before if place is None else place
    return Tokens(ids, place, graphs.get("token_type_ids", None), sizes, None)


def _checked(tokens: Tokens, places: int) -> Tokens:
    highest = int(tokens.place.max()) if tokens.place.numel() else 0
    if highest >= places:
        raise ValueError(f"expected positions below {places}, got {highest}")
    return tokens
