"""What operators share: their library, the graph they are given, room for results, vmap, second derivatives, languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from graphattn.backends.layout.compressed import row_of
from graphattn.topology import Edges

LIBRARY = "graphattn"

Operator = Callable[..., Any]
Rule = Callable[..., tuple[object, object]]
"""What ``torch.library.register_vmap`` takes: ``(info, in_dims, *arguments) -> (results, out_dims)``."""
Mapping = Callable[[Operator], Rule]


class Order(NamedTuple):
    """A graph, grouped by receiver and by sender: :class:`~graphattn.backends.layout.compressed.Compressed` twice."""

    ptr: Tensor
    sender: Tensor
    number: Tensor
    sender_ptr: Tensor
    receiver: Tensor
    place: Tensor

    @classmethod
    def of(cls, graph: Edges) -> Order:
        """The groups of a graph, made once."""
        return cls(*graph.by_receiver(), *graph.by_sender())

    def ends(self) -> tuple[Tensor, Tensor, Tensor]:
        """The receiver of each edge in the receivers' order, its sender, and its number, ``[E]`` each."""
        receiver = row_of(self.ptr, self.sender.size(0))
        return receiver.long(), self.sender.long(), self.number.long()


ORDER = ", ".join(f"Tensor {name}" for name in Order._fields)
"""How schemas name it."""


def language(kernels: str, family: str) -> Any:
    """The functions that compute a family of operators ("edges", "whole", ...) in "numba", "triton" or "torch"."""
    return import_module(f"graphattn.backends.{kernels}.{family}")


def differentiated(*tensors: Tensor | None) -> bool:
    """Whether gradients are wanted of one of these."""
    # Without gradients no grouping by senders is needed, and torch.compile stumbles over a Function that wants none.
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def differentiated_again() -> bool:
    """Whether a gradient will be differentiated in turn, so that it is computed by what torch knows to differentiate."""
    # A compiled gradient is not differentiated in turn, and torch.compile cannot trace a Function within itself.
    return torch.is_grad_enabled() and not torch.compiler.is_compiling()


def backwards(
    function: Callable[[Sequence[Any]], object], states: Sequence[Tensor | None], grads: object
) -> list[Tensor | None]:
    """The gradients of a function of some states, as something that can be differentiated again; None where there is no state.

    >>> backwards(lambda states: states[0] ** 2, (torch.tensor(3.0), None), torch.tensor(1.0))
    [tensor(6.), None]
    """
    there = [k for k, x in enumerate(states) if x is not None]

    def of_those(*given: Tensor) -> object:
        known = dict(zip(there, given, strict=True))
        return function([known.get(k) for k in range(len(states))])

    back: Any = torch.func.vjp(of_those, *(x for x in states if x is not None))[1]
    found = dict(zip(there, back(grads), strict=True))
    return [found.get(k) for k in range(len(states))]


Gradients = Callable[[Sequence[Any], Sequence[Any], Sequence[Tensor], Sequence[bool]], Sequence[Tensor | None]]
"""The gradients of states, ``(inputs, results, grads, wanted) -> grads``; ``wanted`` tells of each input whether it needs one."""


def differentiable(
    compute: Operator, back: Gradients, reference: Operator | None = None, states: int = 1, results: int = 1,
    forgotten: Sequence[int] = (),
) -> Operator:  # fmt: skip
    """A function of states with derivatives of every order.

    Args:
        compute: ``(*inputs) -> results``; all of them are kept for the gradient but the ``forgotten``.
        back: the gradients of states.
        reference: what ``compute`` computes in torch's own operators, which torch can differentiate again; where ``back`` itself
            can be differentiated, none.
        states: how many of the inputs have gradients, the first ones; what is no tensor has none.
        results: how many of the results have gradients, the first ones.
        forgotten: numbers of the inputs, and behind them of the one result, that ``back`` does not read.
    """

    @final
    class Differentiable(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*inputs):  # noqa: ANN002, ANN205
            return compute(*inputs)

        @staticmethod
        def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
            output = output if isinstance(output, tuple) else (output,)
            if len(output) > results:  # the compiler takes no empty list of them
                ctx.mark_non_differentiable(*output[results:])
            # Else zeros are made for what has no gradient, as long as the list of edges.
            ctx.set_materialize_grads(len(output) == 1)
            ctx.others = tuple(None if isinstance(x, Tensor) else x for x in inputs)
            ctx.save_for_backward(*_without(forgotten, (*inputs, *output)))

        @staticmethod
        def backward(ctx, *grads):  # noqa: ANN001, ANN002, ANN205
            many, saved = len(ctx.others), ctx.saved_tensors
            given = [other if x is None else x for x, other in zip(saved[:many], ctx.others, strict=True)]
            pairs = zip(grads[:results], saved[many : many + results], strict=True)
            grads = tuple(torch.zeros_like(result) if grad is None else grad for grad, result in pairs)
            if reference is not None and differentiated_again():
                again = partial(_of_states, reference, given[states:])
                found = backwards(again, given[:states], grads if results > 1 else grads[0])
            else:
                found = back(given, saved[many:], grads, ctx.needs_input_grad)
            found = (grad if wanted else None for grad, wanted in zip(found, ctx.needs_input_grad, strict=False))
            return *found, *(None for _ in given[states:])

    return Differentiable.apply


def _of_states(reference: Operator, others: Sequence[Any], states: Sequence[Any]) -> object:
    return reference(*states, *others)


def _without(forgotten: Sequence[int], given: Sequence[Any]) -> list[Tensor | None]:
    return [x if isinstance(x, Tensor) and k not in forgotten else None for k, x in enumerate(given)]


def operator(schema: str, compute: Operator, shapes: Operator, mapped: Mapping, devices: str | None = None) -> Any:
    """An operator, and how it is mapped.

    Args:
        schema: its name, arguments and results, as torch writes them.
        compute: the results; kernels are imported when it is first called.
        shapes: room for the results, from tensors without numbers.
        mapped: its rule for ``vmap``, as :func:`one_by_one`.
        devices: where it computes, everywhere if not given.
    """
    name, _, rest = schema.partition("(")
    made = torch.library.custom_op(
        f"{LIBRARY}::{name}", compute, mutates_args=(), device_types=devices, schema=f"({rest}"
    )
    made.register_fake(shapes)
    torch.library.register_vmap(made, mapped(made))
    return made


def alike(*tensors: Tensor) -> list[Tensor]:
    """Room for a gradient of each, without gaps."""
    return [torch.empty_like(x, memory_format=torch.contiguous_format) for x in tensors]


def one_by_one(operator: Operator) -> Rule:
    """One call follows the other."""

    def rule(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
        calls = [
            operator(*(x if at is None else x.select(at, k) for x, at in zip(arguments, in_dims, strict=True)))
            for k in range(info.batch_size)
        ]
        if isinstance(calls[0], Tensor):
            return torch.stack(calls), 0
        return tuple(torch.stack(each) for each in zip(*calls, strict=True)), (0,) * len(calls[0])

    return rule


def over_heads(nodes: int, outputs: int) -> Mapping:
    """What is mapped becomes further heads of the first ``nodes`` arguments, ``[rows, H, ...]``, and ``outputs`` results."""

    def mapped(operator: Operator) -> Rule:
        def rule(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
            size = info.batch_size
            if any(at is not None for at in in_dims[nodes:]):
                raise ValueError("expected vmap over node states and edge terms only, got one over a graph or a seed")
            wide = [_with_heads(x, at, size) for x, at in zip(arguments[:nodes], in_dims[:nodes], strict=True)]
            results = operator(*wide, *arguments[nodes:])
            if not isinstance(results, tuple):
                return results.unflatten(1, (size, -1)), 1
            split = tuple(result.unflatten(1, (size, -1)) for result in results[:outputs])
            return (*split, *results[outputs:]), (*(1,) * outputs, *(None,) * (len(results) - outputs))

        return rule

    return mapped


def _with_heads(x: Tensor | None, at: int | None, size: int) -> Tensor | None:
    if x is None:
        return None
    return (x.unsqueeze(1).expand(-1, size, *x.shape[1:]) if at is None else x.movedim(at, 1)).flatten(1, 2)


def over_heads_unless_featured(nodes: int, outputs: int) -> Mapping:
    """:func:`over_heads`; but one by one where the argument behind those of ``nodes``, features of edges, is there.

    Features have no heads.
    """

    def mapped(operator: Operator) -> Rule:
        together, apart = over_heads(nodes, outputs)(operator), one_by_one(operator)

        def rule(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
            return (together if arguments[nodes] is None else apart)(info, in_dims, *arguments)

        return rule

    return mapped
