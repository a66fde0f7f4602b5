"""Attention over lists of edges: by one operator where kernels know the score, else score, softmax and sums one after the other.

No edge has ``H x C`` numbers. Letters: ``N`` nodes, ``E`` edges, ``H`` heads, ``C`` channels of one head, ``F`` channels of a
feature, ``T`` kinds of edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.backends.operators import edge_attention as operator
from graphattn.backends.operators.edge_softmax import edge_softmax
from graphattn.backends.operators.products import OtherEnd, features, kinds, sddmm, senders, spmm
from graphattn.dropout import dropout_scale
from graphattn.edge_terms import OfFeatures, OfKinds
from graphattn.message import Attend
from graphattn.message.edge_values import must_be_one_each, on_every_edge
from graphattn.score import Additive, SplitAdditive, Then
from graphattn.score.base import has_node_part, is_product
from graphattn.slots import EdgeValue, Groups, Inputs, ListedValue, Score, State
from graphattn.topology import Edges

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer


class _States(NamedTuple):
    """States of nodes, of one dtype in which kernels compute."""

    query: Tensor
    key: Tensor
    value: Tensor


class _Terms(NamedTuple):
    """What edges add: a ``bias [E, H]``, keys and values in two factors, and ``inside [E, H]`` the activation of GAT's score."""

    bias: Tensor | None
    key: OfFeatures | OfKinds | None
    value: OfFeatures | OfKinds | None
    inside: Tensor | None


class _Call(NamedTuple):
    """A layer on a graph: how weights are made, the seed of the call's dropout, and the language of the kernels."""

    layer: GraphLayer
    graph: Edges
    seed: Tensor | None
    kernels: str

    def scored(self, score: int, slope: float = 1.0) -> operator.Scored:
        return operator.Scored(score, slope, self.layer.dropout, self.seed)


def why_no_attention(layer: GraphLayer, message: Attend, edge: State, kernels: str) -> Iterator[str]:
    """Why no kernel computes this attention."""
    score = _innermost(message.score)
    known = (SoftmaxSum, NormalizedSum)
    if isinstance(message.score, Additive):
        known = (SoftmaxSum,)
        yield from _why_not_additive(message, kernels)
    elif not is_product(score) and not isinstance(score, SplitAdditive):
        yield f"needs a score that is additive or follows from a dot product, got {type(score).__name__}"
    yield from _why_not_listed(message, edge)
    if not isinstance(layer.aggregation, known):
        names = " or ".join(each.__name__ for each in known)
        yield f"needs the aggregation {names}, got {type(layer.aggregation).__name__}"


def heard_attention(layer: GraphLayer, message: Attend, graph: Edges, inputs: Inputs, kernels: str) -> Tensor:
    """Each receiver's weighted sum of values, ``[N_i, H, C]``; on the CPU half precision is computed in float32."""
    given = _States(inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"])
    plain = torch.promote_types(torch.promote_types(given.query.dtype, given.key.dtype), given.value.dtype)
    wide = plain if kernels == "triton" or plain == torch.float64 else torch.float32
    states = _States(*(state.to(wide) for state in given))
    call, terms = _Call(layer, graph, inputs.seed, kernels), _terms(message, graph, inputs.edge, wide)
    if isinstance(message.score, Additive):
        out = _additive(message.score, states, terms, call)
    elif not isinstance(layer.aggregation, SoftmaxSum) or _is_composed(message.score, terms, kernels):
        out = _composed(message.score, states, terms, call)
    elif isinstance(message.score, SplitAdditive):
        given = operator.States(*states, bias=terms.inside)
        scored = call.scored(operator.SPLIT, _slope(message.score))
        out = operator.edge_attention(given, scored, graph, kernels)[0]
    else:
        out = _product(message.score, states, terms, call)
    return out.to(plain)


def _is_composed(score: Score, terms: _Terms, kernels: str) -> bool:
    """Whether no single operator computes this, or only with products of features that no score asks for."""
    if isinstance(score, SplitAdditive):
        return terms.bias is not None or terms.value is not None or not isinstance(score.activation, nn.LeakyReLU)
    if terms.key is None and terms.value is not None and kernels != "triton":
        return True
    return isinstance(score, Then) or isinstance(terms.key, OfKinds) or isinstance(terms.value, OfKinds)


def _terms(message: Attend, graph: Edges, edge: State, wide: torch.dtype) -> _Terms:
    # Kernels read one row for each edge: what fits by broadcasting is spread out, what does not is refused by torch.
    shape = (graph.num_edges, message.heads.number)
    bias = None if message.edge_bias is None else message.edge_bias.on_edges(graph, edge).expand(shape).to(wide)
    split, in_key, in_value = isinstance(_innermost(message.score), SplitAdditive), message.edge_key, message.edge_value
    inside = None
    if split and in_key is not None:
        inside = on_every_edge(in_key, graph, edge).squeeze(-1).expand(shape).to(wide)
    key = None if split or in_key is None else _factored(in_key, graph, edge, wide)
    value = key if in_value is in_key and key is not None else None
    if value is None and in_value is not None:
        value = _factored(in_value, graph, edge, wide)
    return _Terms(bias, key, value, inside)


def _factored(term: EdgeValue, graph: Edges, edge: State, wide: torch.dtype) -> OfFeatures | OfKinds:
    assert isinstance(term, ListedValue)
    found = term.on_list(graph, edge)
    if isinstance(found, OfKinds):
        must_be_one_each(found.kind, graph)
        return OfKinds(found.kind, found.table.to(wide))
    must_be_one_each(found.feature, graph)
    return OfFeatures(found.feature.to(wide), found.table.to(wide))


def _product(score: Score, states: _States, terms: _Terms, call: _Call) -> Tensor:
    assert is_product(score)
    states = states._replace(query=states.query * score.factor(states.query.size(-1)))
    given, scored = operator.States(*states, bias=terms.bias), call.scored(operator.PRODUCT)
    key, value = (term if isinstance(term, OfFeatures) else None for term in (terms.key, terms.value))
    if key is None and value is None:
        return operator.edge_attention(given, scored, call.graph, call.kernels)[0]
    used = [term.feature for term in ((key,) if key is value else (key, value)) if term is not None]
    feature = used[0] if len(used) == 1 else torch.cat(used, dim=1)
    feature_query = states.query.new_zeros(*states.query.shape[:2], feature.size(1))
    if key is not None:
        feature_query = feature_query.slice_scatter(_feature_query(states.query, key), 2, 0, key.feature.size(1))
    given = given._replace(feature_query=feature_query, feature=feature)
    out, feature_sum = operator.edge_attention(given, scored, call.graph, call.kernels)
    if value is None:
        return out
    return out + torch.einsum("nhf,fhc->nhc", feature_sum[..., -value.feature.size(1) :], value.table).to(out.dtype)


def _additive(score: Additive, states: _States, terms: _Terms, call: _Call) -> Tensor:
    weight = score.weight.reshape(1, *states.query.shape[1:]).to(states.query.dtype)
    given = operator.States(*states, bias=terms.bias, weight=weight)
    if isinstance(terms.key, OfKinds):
        given = given._replace(table=terms.key.table, kind=terms.key.kind)
    elif terms.key is not None:
        given = given._replace(table=terms.key.table, feature=terms.key.feature)
    scored = call.scored(operator.ADDITIVE, _slope(score))
    return operator.edge_attention(given, scored, call.graph, call.kernels)[0]


def _composed(score: Score, states: _States, terms: _Terms, call: _Call) -> Tensor:
    """Scores, weights and sums one after the other, with what keeps a number for each edge and head."""
    graph, end = call.graph, senders(call.graph, call.kernels)
    number, heads = graph.by_receiver().number.long(), states.query.size(1)
    found = _scores(score, states, terms, end, call)
    found = found if terms.bias is None else found + terms.bias.index_select(0, number)
    if isinstance(call.layer.aggregation, SoftmaxSum):
        alpha = edge_softmax(found, graph, call.kernels)
    else:
        receiver = graph.edge_index()[1].index_select(0, number)
        weighed = call.layer.aggregation.weigh(found, Groups(receiver, None, graph.num_receivers, None))
        assert weighed is not None
        alpha = weighed
    if call.seed is not None:
        sender, receiver = graph.edge_index()[:, number]
        alpha = alpha * dropout_scale(call.seed, receiver, sender, number, heads, call.layer.dropout, alpha.dtype)
    out, value = spmm(alpha, states.value, end), terms.value
    if isinstance(value, OfKinds):
        return out + spmm(alpha, value.table, kinds(graph, value.kind, value.table.size(0), call.kernels))
    if value is not None:
        feature_sum = spmm(alpha, value.feature, features(graph, call.kernels))
        return out + torch.einsum("nhf,fhc->nhc", feature_sum, value.table).to(out.dtype)
    return out


def _scores(score: Score, states: _States, terms: _Terms, end: OtherEnd, call: _Call) -> Tensor:
    """The scores of all edges, ``[E, H]`` in the order of the receivers' groups."""
    if isinstance(score, Then):
        found = _scores(score.score, states, terms, end, call)
        for function in score.functions:
            found = function(found)
        return found
    graph = call.graph
    if isinstance(score, SplitAdditive):
        number = graph.by_receiver().number.long()
        sender, receiver = graph.edge_index()[:, number]
        within = states.query.squeeze(-1).index_select(0, receiver) + states.key.squeeze(-1).index_select(0, sender)
        return score.activation(within if terms.inside is None else within + terms.inside.index_select(0, number))
    assert is_product(score)
    query = states.query * score.factor(states.query.size(-1))
    found, key = sddmm(query, states.key, end), terms.key
    if isinstance(key, OfKinds):
        return found + sddmm(query, key.table, kinds(graph, key.kind, key.table.size(0), call.kernels))
    if key is not None:
        return found + sddmm(_feature_query(query, key), key.feature, features(graph, call.kernels))
    return found


def _feature_query(query: Tensor, key: OfFeatures) -> Tensor:
    """Each receiver's query to features, ``[N, H, F]``."""
    return torch.einsum("nhc,fhc->nhf", query, key.table).to(query.dtype)


def _slope(score: Additive | SplitAdditive) -> float:
    assert isinstance(score.activation, nn.LeakyReLU)
    return score.activation.negative_slope


def _innermost(score: Score) -> Score:
    while isinstance(score, Then):
        score = score.score
    return score


def _why_not_additive(message: Attend, kernels: str) -> Iterator[str]:
    score = message.score
    assert isinstance(score, Additive)
    if not isinstance(score.activation, nn.LeakyReLU):
        yield f"needs a leaky ReLU in the score, got {type(score.activation).__name__}"
    if message.edge_value is not None:
        yield f"needs values of nodes alone, got the edge_value {type(message.edge_value).__name__}"
    if message.edge_key is not None and kernels != "numba":
        yield f"needs keys of nodes alone, got the edge_key {type(message.edge_key).__name__}"


def _why_not_listed(message: Attend, edge: State) -> list[str]:
    """Why what edges add to keys and values cannot be had in two factors."""
    score = _innermost(message.score)
    terms = {name: term for name in ("edge_key", "edge_value") if (term := getattr(message, name)) is not None}
    if isinstance(score, SplitAdditive):
        terms.pop("edge_key", None)  # one number per head
    elif "edge_key" in terms and has_node_part(score) and not score.linear_in_key:
        return [f"needs a score that is linear in the key of an edge, got {type(score).__name__}"]
    reasons = []
    for name, term in terms.items():
        if not isinstance(term, ListedValue):
            reasons.append(f"needs keys and values of edges in two factors, got the {name} {type(term).__name__}")
        elif (reason := term.why_not_listed(edge)) is not None:
            reasons.append(reason)
    return reasons
