"""Derivatives of any order for fused operators of which torch knows only the first."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from graphattn.traced import is_traced

Gradients = Callable[..., tuple[Tensor, ...]]
"""The same gradients in operators that torch differentiates: ``(grad, *states) -> a gradient for each state``."""


def differentiable(out: Tensor, gradients: Gradients, *states: Tensor) -> Tensor:
    """``out``, computed from ``states`` by a fused operator, with ``gradients`` where these will be differentiated in turn.

    First derivatives stay those of the fused operator, at its cost: nothing is kept that the operator does not keep.
    """
    # A compiled or traced graph is not differentiated twice.
    if is_traced():
        return out
    if torch._C._are_functorch_transforms_active():
        # Inside vmap a state does not tell that gradients are taken outside.
        return _Twice.apply(out, gradients, *states)
    # Function.apply would inspect the signature of forward, for 17 µs: a tenth of a layer on a small graph.
    return _applied(out, gradients, *states) if out.requires_grad else out


@final
class _Twice(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(out, gradients, *states):  # noqa: ANN001, ANN002, ANN205
        del gradients, states
        return out.view_as(out)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        _, ctx.gradients, *states = inputs
        ctx.save_for_backward(*states)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        states = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return grad, None, *(None for _ in states)
        # The fused operator is given no gradient, and gives none.
        return None, None, *ctx.gradients(grad, *states)


_applied = super(torch.autograd.Function, _Twice).apply  # pyright: ignore[reportAttributeAccessIssue]
