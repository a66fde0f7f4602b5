"""Attention over lists of edges: by one kernel where there is one for the score, else in steps; no edge has ``H x C`` numbers.

Letters: ``N`` nodes, ``E`` edges, ``H`` heads, ``C`` channels of one head, ``F`` channels of a feature, ``T`` kinds of edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.dropout import loudness
from graphattn.edge_terms import OfFeatures, OfKinds
from graphattn.message import Attend
from graphattn.message.edge_values import must_be_one_each, on_every_edge
from graphattn.score import Additive, SplitAdditive, Then
from graphattn.score.base import has_node_part, is_product
from graphattn.slots import EdgeValue, Groups, Inputs, ListedValue, Score, State
from graphattn.topology import Edges

if TYPE_CHECKING:
    from graphattn.backends.numba.functions import Dropped
    from graphattn.layer import GraphLayer


class _States(NamedTuple):
    """What nodes say, of one dtype in which kernels compute."""

    query: Tensor
    key: Tensor
    value: Tensor


class _Terms(NamedTuple):
    """What edges say: a ``bias [E, H]``, keys and values in two factors, and ``inside [E, H]`` the activation of GAT's score."""

    bias: Tensor | None
    key: OfFeatures | OfKinds | None
    value: OfFeatures | OfKinds | None
    inside: Tensor | None


def why_no_attention(layer: GraphLayer, message: Attend, edge: State) -> list[str]:
    """Why no kernel computes this attention."""
    score = _innermost(message.score)
    reasons, known = [], (SoftmaxSum, NormalizedSum)
    if isinstance(message.score, Additive):
        reasons, known = _why_not_additive(message), (SoftmaxSum,)
    elif not _is_known(score):
        reasons.append(f"needs a score that is additive or follows from a dot product, got {type(score).__name__}")
    reasons.extend(_why_not_listed(message, score, edge))
    if not isinstance(layer.aggregation, known):
        names = " or ".join(each.__name__ for each in known)
        reasons.append(f"needs the aggregation {names}, got {type(layer.aggregation).__name__}")
    return reasons


def heard_attention(layer: GraphLayer, message: Attend, graph: Edges, inputs: Inputs) -> Tensor:
    """What every receiver hears, ``[N_i, H, C]``; numbers in half precision are computed with in float32."""
    from graphattn.backends.numba.functions import Dropped

    given = _States(inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"])
    plain = torch.promote_types(torch.promote_types(given.query.dtype, given.key.dtype), given.value.dtype)
    wide = torch.float64 if plain == torch.float64 else torch.float32
    states = _States(*(state.to(wide) for state in given))
    terms, dropped = _terms(message, graph, inputs.edge, wide), Dropped(inputs.seed, layer.dropout)
    if isinstance(message.score, Additive):
        heard = _additive(message.score, states, terms, graph, dropped)
    elif not isinstance(layer.aggregation, SoftmaxSum) or _has_steps(message.score, terms):
        heard = _in_steps(layer, message.score, states, terms, graph, dropped)
    elif isinstance(message.score, SplitAdditive):
        heard = _split(message.score, states, terms, graph, dropped)
    else:
        heard = _product(message.score, states, terms, graph, dropped)
    return heard.to(plain)


def _has_steps(score: Score, terms: _Terms) -> bool:
    """Whether no single kernel computes this."""
    if isinstance(score, SplitAdditive):
        return terms.bias is not None or terms.value is not None or not isinstance(score.activation, nn.LeakyReLU)
    return isinstance(score, Then) or isinstance(terms.value, OfKinds)


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
    said = term.on_list(graph, edge)
    if isinstance(said, OfKinds):
        must_be_one_each(said.kind, graph)
        return OfKinds(said.kind, said.table.to(wide))
    must_be_one_each(said.feature, graph)
    return OfFeatures(said.feature.to(wide), said.table.to(wide))


def _product(score: Score, states: _States, terms: _Terms, graph: Edges, dropped: Dropped) -> Tensor:
    from graphattn.backends.numba.functions import Said, attention

    assert is_product(score)
    query, bias = states.query * score.factor(states.query.size(-1)), terms.bias
    if isinstance(terms.key, OfKinds):
        more = _scores_of(terms.key, query, graph).index_select(0, _ranks(graph))
        bias = more if bias is None else bias + more
    key, value = (term if isinstance(term, OfFeatures) else None for term in (terms.key, terms.value))
    if key is None and value is None:
        return attention(query, states.key, states.value, graph, Said(bias), dropped)[0]
    shared = key is value
    features = [term.feature for term in ((key,) if shared else (key, value)) if term is not None]
    feature = features[0] if len(features) == 1 else torch.cat(features, dim=1)
    asked = query.new_zeros(*query.shape[:2], feature.size(1))
    if key is not None:
        asked = asked.slice_scatter(_asked(query, key), 2, 0, key.feature.size(1))
    out, felt = attention(query, states.key, states.value, graph, Said(bias, asked, feature), dropped)
    if value is None:
        return out
    return out + torch.einsum("nhf,fhc->nhc", felt[..., -value.feature.size(1) :], value.table).to(out.dtype)


def _additive(score: Additive, states: _States, terms: _Terms, graph: Edges, dropped: Dropped) -> Tensor:
    from graphattn.backends.numba.additive_functions import additive_attention

    weight = score.weight.reshape(1, *states.query.shape[1:]).to(states.query.dtype)
    return additive_attention(*states, weight, _slope(score), graph, terms.bias, dropped, terms.key)


def _split(score: SplitAdditive, states: _States, terms: _Terms, graph: Edges, dropped: Dropped) -> Tensor:
    from graphattn.backends.numba.additive_functions import split_attention

    query, key = states.query.squeeze(-1), states.key.squeeze(-1)
    return split_attention(query, key, states.value, _slope(score), graph, terms.inside, dropped)


def _in_steps(
    layer: GraphLayer, score: Score, states: _States, terms: _Terms, graph: Edges, dropped: Dropped
) -> Tensor:
    """Scores, weights and sums one behind the other, with what keeps a number for each edge and head."""
    from graphattn.backends.numba import steps_functions as steps

    number, query = graph.by_receiver().number.long(), states.query
    others, (sender, receiver) = steps.senders(graph), graph.edge_index()[:, number]
    found = _scores(score, states, terms, graph, (sender, receiver, number))
    found = found if terms.bias is None else found + terms.bias[number]
    if isinstance(layer.aggregation, SoftmaxSum):
        alpha = steps.softmax(found, graph)
    else:
        weighed = layer.aggregation.weigh(found, Groups(receiver, None, graph.num_receivers, None))
        assert weighed is not None
        alpha = weighed
    if dropped.seed is not None:
        loud = loudness(dropped.seed, receiver, sender, number, query.size(1), dropped.share, query.dtype)
        alpha = alpha * loud
    out, value = steps.sums(alpha, states.value, others), terms.value
    if isinstance(value, OfKinds):
        return out + steps.sums(alpha, value.table, steps.kinds(graph, value.kind, value.table.size(0)))
    if value is not None:
        felt = steps.sums(alpha, value.feature, steps.features(graph))
        return out + torch.einsum("nhf,fhc->nhc", felt, value.table).to(out.dtype)
    return out


def _scores(score: Score, states: _States, terms: _Terms, graph: Edges, ends: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The scores of all edges, ``[E, H]`` in the order of the receivers' groups."""
    from graphattn.backends.numba import steps_functions as steps

    if isinstance(score, Then):
        found = _scores(score.score, states, terms, graph, ends)
        for function in score.functions:
            found = function(found)
        return found
    if isinstance(score, SplitAdditive):
        sender, receiver, number = ends
        within = states.query.squeeze(-1).index_select(0, receiver) + states.key.squeeze(-1).index_select(0, sender)
        return score.activation(within if terms.inside is None else within + terms.inside.index_select(0, number))
    assert is_product(score)
    query = states.query * score.factor(states.query.size(-1))
    found = steps.products(query, states.key, steps.senders(graph))
    return found if terms.key is None else found + _scores_of(terms.key, query, graph)


def _scores_of(said: OfFeatures | OfKinds, query: Tensor, graph: Edges) -> Tensor:
    """The query's product with what each edge says, ``[E, H]`` in the order of the receivers' groups."""
    from graphattn.backends.numba import steps_functions as steps

    if isinstance(said, OfKinds):
        return steps.products(query, said.table, steps.kinds(graph, said.kind, said.table.size(0)))
    return steps.products(_asked(query, said), said.feature, steps.features(graph))


def _asked(query: Tensor, said: OfFeatures) -> Tensor:
    """What each receiver asks of features, ``[N, H, F]``."""
    return torch.einsum("nhc,fhc->nhf", query, said.table).to(query.dtype)


def _ranks(graph: Edges) -> Tensor:
    """Where each edge stands among the receivers' groups, ``[E]``."""
    number = graph.by_receiver().number.long()
    return torch.empty_like(number).index_copy(0, number, torch.arange(number.numel(), device=number.device))


def _slope(score: Additive | SplitAdditive) -> float:
    assert isinstance(score.activation, nn.LeakyReLU)
    return score.activation.negative_slope


def _is_known(score: object) -> bool:
    return is_product(score) or isinstance(score, SplitAdditive)


def _innermost(score: Score) -> Score:
    while isinstance(score, Then):
        score = score.score
    return score


def _why_not_additive(message: Attend) -> list[str]:
    reasons, score = [], message.score
    assert isinstance(score, Additive)
    if not isinstance(score.activation, nn.LeakyReLU):
        reasons.append(f"needs a leaky ReLU in the score, got {type(score.activation).__name__}")
    if message.edge_value is not None:
        reasons.append(f"needs values of nodes alone, got the edge_value {type(message.edge_value).__name__}")
    return reasons


def _why_not_listed(message: Attend, score: Score, edge: State) -> list[str]:
    """Why what edges add to keys and values cannot be had in two factors."""
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
