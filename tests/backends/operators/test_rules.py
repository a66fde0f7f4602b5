import pytest
import torch
from torch.testing import assert_close

from graphattn.backends.numba import additive_ops, ops, steps_ops
from graphattn.backends.operators.rules import one_by_one, over_heads, over_heads_unless_featured
from graphattn.topology import Edges

GRAPH = Edges(torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]]), 6)
ORDER = (*GRAPH.by_receiver(), *GRAPH.by_sender())


def with_gaps(*shape):
    """States whose heads stand apart in memory."""
    return torch.randn(shape[1], shape[0], *shape[2:]).transpose(0, 1)


NOT_DROPPED = (None, 0.0)


def product():
    query, key, value, grad = (with_gaps(6, 2, 4) for _ in range(4))
    out, felt, *alphas = ops.attend(query, key, value, None, None, None, *NOT_DROPPED, *ORDER[:3])
    return (grad, felt, out, felt, *alphas, query, key, value, None, None, *NOT_DROPPED, *ORDER)


def additive():
    states = (*(with_gaps(6, 2, 4) for _ in range(3)), torch.randn(1, 2, 4), None, None, None, None, 0.2, *NOT_DROPPED)
    return (with_gaps(6, 2, 4), *additive_ops.attend(*states, *ORDER[:3]), *states, *ORDER)


def split():
    states = (with_gaps(6, 2), with_gaps(6, 2), with_gaps(6, 2, 4), None, 0.2, *NOT_DROPPED)
    return (with_gaps(6, 2, 4), *additive_ops.split_attend(*states, *ORDER[:3]), *states, *ORDER)


@pytest.mark.parametrize(
    ("operator", "given"),
    [
        (ops.attend_backward, product),
        (additive_ops.attend_backward, additive),
        (additive_ops.split_attend_backward, split),
        (steps_ops.edge_softmax, lambda: (with_gaps(8, 2), ORDER[0])),
        (steps_ops.edge_softmax_backward, lambda: (with_gaps(8, 2), with_gaps(8, 2), ORDER[0])),
    ],
    ids=["product", "additive", "split", "softmax", "softmax backward"],
)
def test_what_compilers_expect_is_what_comes(operator, given):
    torch.library.opcheck(operator, given(), test_utils="test_faketensor")


class Info:
    batch_size = 3


def scaled(x, feature, factor):
    """States ``[N, H, C]``, features ``[E]`` or None."""
    return x * factor if feature is None else x * factor * feature.sum(), torch.tensor(factor)


def test_what_is_mapped_becomes_heads():
    x = torch.randn(3, 5, 2, 4)
    (out, factor), dims = over_heads(scaled, 1, 1)(Info, (0, None, None), x, None, 2.0)
    assert dims == (1, None)
    assert_close(out.movedim(1, 0).flatten(2), (2 * x).flatten(2))
    assert factor == 2
    with pytest.raises(ValueError, match="expected vmap over node states and edge terms only"):
        over_heads(scaled, 1, 1)(Info, (0, 0, None), x, torch.randn(3, 8), 2.0)


@pytest.mark.parametrize("rule", [one_by_one(scaled), over_heads_unless_featured(scaled, 1, 1)])
def test_features_are_mapped_one_by_one(rule):
    x, feature = torch.randn(5, 3, 2, 4), torch.randn(8, 3)
    (out, factor), dims = rule(Info, (1, 1, None), x, feature, 2.0)
    assert dims == (0, 0)
    assert_close(out, torch.stack([2 * x[:, k] * feature[:, k].sum() for k in range(3)]))
    assert factor.tolist() == [2, 2, 2]
