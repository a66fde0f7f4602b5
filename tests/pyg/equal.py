"""What the tests of drop-ins share: PyG's layer and ours with the same parameters, compared in values and gradients."""

import torch
from torch.testing import assert_close

from graphattn.pyg import DROP_INS, calls, forget_calls

F64 = torch.float64
# Asymmetric, with an isolated node (5), loops and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3, 2], [1, 2, 1, 3, 0, 4, 1, 1, 2]])


def pair(theirs, *args, **kwargs):
    """PyG's layer and its drop-in, with the same parameters, none of them zero."""
    layer = theirs(*args, **kwargs).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    ours = DROP_INS[theirs](*args, **kwargs).double()
    ours.load_state_dict(layer.state_dict())
    return layer, ours


def gradients(out, layer, leaves):
    return torch.autograd.grad(
        out.sin().sum(), [*leaves, *layer.parameters()], retain_graph=True, materialize_grads=True, allow_unused=True
    )


def assert_same(theirs, ours, *inputs, answered=True, **options):
    """Values, gradients of floating inputs and of all parameters: float64, within 1e-9; and who answered."""
    flat = [tensor for value in inputs for tensor in (value if isinstance(value, tuple) else (value,))]
    dense = [each for each in flat if isinstance(each, torch.Tensor) and each.layout == torch.strided]
    leaves = [each.requires_grad_() for each in dense if each.is_floating_point()]
    truth = theirs(*inputs, **options)
    forget_calls()
    result = ours(*inputs, **options)
    made = calls()[type(ours).__name__]
    assert (made.ours, sum(made.theirs.values())) == ((1, 0) if answered else (0, 1)), made
    pairs = [(result, truth)]
    if isinstance(truth, tuple):
        (result, (ends, alpha)), (truth, (their_ends, their_alpha)) = result, truth
        assert_close(ends, their_ends)
        pairs = [(result, truth), (alpha, their_alpha)]
    for mine, its in pairs:
        assert_close(mine, its, rtol=1e-9, atol=1e-9)
        for a, b in zip(gradients(mine, ours, leaves), gradients(its, theirs, leaves), strict=True):
            assert_close(a, b, rtol=1e-9, atol=1e-9)
    return made
