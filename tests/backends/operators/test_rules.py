import pytest
import torch
from torch.testing import assert_close

from graphattn.backends.operators import edge_attention, edge_softmax, products
from graphattn.backends.operators.edge_attention import ADDITIVE, PRODUCT, SPLIT, Scored, States
from graphattn.backends.operators.rules import Order, one_by_one, over_heads, over_heads_unless_featured
from graphattn.topology import Edges

GRAPH = Edges(torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]]), 6)
ORDER = Order.of(GRAPH)
LANGUAGES = pytest.mark.parametrize("kernels", ["numba", "torch"])


def with_gaps(*shape):
    """States whose heads stand apart in memory."""
    return torch.randn(shape[1], shape[0], *shape[2:]).transpose(0, 1)


CASES = {
    "dot product": (PRODUCT, {}),
    "dot product and features": (PRODUCT, {"feature_query": (6, 2, 3), "feature": (8, 3), "bias": (8, 2)}),
    "GATv2": (ADDITIVE, {"weight": (1, 2, 4)}),
    "GATv2 and features": (ADDITIVE, {"weight": (1, 2, 4), "table": (3, 2, 4), "feature": (8, 3)}),
    "GAT": (SPLIT, {"bias": (8, 2)}),
}


@LANGUAGES
@pytest.mark.parametrize("seed", [None, torch.tensor(3)], ids=["", "dropout"])
@pytest.mark.parametrize("name", CASES)
def test_what_compilers_expect_of_attention_is_what_comes(name, seed, kernels):
    score, terms = CASES[name]
    if kernels == "torch" and "table" in terms:
        return
    channels = 1 if score == SPLIT else 4
    states = States(with_gaps(6, 2, channels), with_gaps(6, 2, channels), with_gaps(6, 2, 4))
    states = states._replace(**{key: torch.randn(*shape) for key, shape in terms.items()})
    given = (*states, *Scored(score, 0.2, 0.3, seed), kernels)
    torch.library.opcheck(edge_attention.attend, (*given, *ORDER[:3]), test_utils=("test_schema", "test_faketensor"))
    results = edge_attention.attend(*given, *ORDER[:3])
    grads = (with_gaps(6, 2, 4), torch.randn_like(results[1]))
    backward = (*grads, *results, *given, *ORDER)
    torch.library.opcheck(edge_attention.attend_backward, backward, test_utils=("test_schema", "test_faketensor"))


@LANGUAGES
def test_what_compilers_expect_of_products_and_softmax_is_what_comes(kernels):
    score, checks = with_gaps(8, 2), ("test_schema", "test_faketensor")
    torch.library.opcheck(edge_softmax.softmax, (score, ORDER.ptr, kernels), test_utils=checks)
    alpha = edge_softmax.softmax(score, ORDER.ptr, kernels)
    torch.library.opcheck(edge_softmax.softmax_backward, (alpha, score, ORDER.ptr, kernels), test_utils=checks)
    weight, left, right = with_gaps(8, 2), with_gaps(6, 2, 4), with_gaps(6, 2, 4)
    ends = (products.senders(GRAPH, kernels), products.kinds(GRAPH, torch.arange(8) % 3, 3, kernels))
    for other, rows in zip(ends, (right, with_gaps(3, 2, 4)), strict=True):
        for after, factors in enumerate(((left, rows), (weight, rows), (weight, left))):
            given = (*factors, kernels, other.form, after, other.size, *other.order)
            torch.library.opcheck(products.derivative, given, test_utils=checks)
    other, feature = products.features(GRAPH, kernels), torch.randn(8, 4)
    for after, factors in enumerate(((left, feature), (weight, feature), (weight, left))):
        given = (*factors, kernels, other.form, after, other.size, *other.order)
        torch.library.opcheck(products.derivative, given, test_utils=checks)


class Info:
    batch_size = 3


def scaled(x, feature, factor):
    """States ``[N, H, C]``, features ``[E]`` or None."""
    return x * factor if feature is None else x * factor * feature.sum(), torch.tensor(factor)


def test_what_is_mapped_becomes_heads():
    x = torch.randn(3, 5, 2, 4)
    (out, factor), dims = over_heads(1, 1)(scaled)(Info, (0, None, None), x, None, 2.0)
    assert dims == (1, None)
    assert_close(out.movedim(1, 0).flatten(2), (2 * x).flatten(2))
    assert factor == 2
    with pytest.raises(ValueError, match="expected vmap over node states and edge terms only"):
        over_heads(1, 1)(scaled)(Info, (0, 0, None), x, torch.randn(3, 8), 2.0)


@pytest.mark.parametrize("rule", [one_by_one(scaled), over_heads_unless_featured(1, 1)(scaled)])
def test_features_are_mapped_one_by_one(rule):
    x, feature = torch.randn(5, 3, 2, 4), torch.randn(8, 3)
    (out, factor), dims = rule(Info, (1, 1, None), x, feature, 2.0)
    assert dims == (0, 0)
    assert_close(out, torch.stack([2 * x[:, k] * feature[:, k].sum() for k in range(3)]))
    assert factor.tolist() == [2, 2, 2]
