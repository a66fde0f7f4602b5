"""Whether a result is the truth, as far as its precision allows: the same numbers, and the same that are none."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from graphattn.aggregation import NormalizedSum
from graphattn.backends import BACKENDS
from graphattn.slots import Backend, Inputs, State
from graphattn.topology import graph_of
from tests.robustness.fuzz.cases import Case

Outcome = dict[str, Tensor]
EDGEWISE = BACKENDS[-1]
PLAIN, SHAKEN = 4, 8
ROUNDING = {torch.float64: 1e-10, torch.float32: 5e-5, torch.bfloat16: 0.15, torch.float16: 0.02}


def compared(case: Case) -> list[str]:
    """Where a backend that supports the layer differs from ``edgewise``, in values and gradients; nothing if all is well."""
    layer = copy.deepcopy(case.layer).to(case.dtype)
    x = tuple(each.to(case.dtype) for each in case.x) if isinstance(case.x, tuple) else case.x.to(case.dtype)
    edge = {name: _floating(value, lambda it: case.stride(it.to(case.dtype))) for name, value in case.edge.items()}
    with torch.no_grad():
        _, graph, inputs = layer.prepare(x, case.graph, edge)
    senders, receivers = ({name: case.stride(value) for name, value in state.items()} for state in inputs[:2])
    inputs = inputs._replace(senders=senders, receivers=receivers)
    exact = copy.deepcopy(layer).double()
    wide = Inputs(*(_each(state, lambda it: it.double()) for state in inputs[:3]), inputs.seed)
    truth = _outcome(EDGEWISE, exact, graph, wide)
    plain = truth if case.dtype == torch.float64 else _outcome(EDGEWISE, layer, graph, inputs)
    rows, sizes = _graphs(graph, truth), _sizes(exact, graph, wide)
    if layer.message_function.scored and case.dtype != torch.float64:
        truth = values_if_huge(truth, 1e12, *wide.senders.values(), *wide.receivers.values())

    def shaken() -> list[Outcome]:
        """The truth for inputs that differ as much as rounding makes them differ."""
        noise = torch.finfo(case.dtype).eps
        return [
            _outcome(EDGEWISE, exact, graph, Inputs(*(_each(it, lambda x: _shake(x, noise)) for it in wide[:3]), wide.seed))
            for _ in range(3)
        ]  # fmt: skip

    told = []
    for backend in BACKENDS[:-1]:
        if any(backend.unsupported(layer, graph, inputs)):
            continue
        ours = _outcome(backend, layer, graph, inputs)
        found = differences(ours, plain, truth, case.dtype, shaken, rows, sizes)
        told.extend(f"{backend.name}: {each}" for each in found)
    return told


def differences(
    ours: Outcome,
    plain: Outcome,
    truth: Outcome,
    dtype: torch.dtype,
    shaken: Callable[[], list[Outcome]],
    rows: Mapping[str, Tensor],
    sizes: Mapping[str, Tensor],
) -> list[str]:
    """In words, where a result is farther from the truth than plain computing in that precision, and than its inputs' rounding.

    Where plain computing itself gives no number and the truth is one, or the other way round, nothing is asked. Where the truth
    is no number, the result must be the same of NaN, inf and -inf; gradients may be anything there.
    """
    told, others = [], None
    for name, exact in truth.items():
        found, common = ours[name], plain[name]
        if found.shape != exact.shape or found.dtype != common.dtype:
            told.append(f"{name}: {list(found.shape)} {found.dtype} for {list(exact.shape)} {common.dtype}")
            continue
        found, common = found.double(), common.double()
        asked = _kind(common) == _kind(exact)
        asked &= (exact.abs() < torch.finfo(dtype).max) | (~exact.isfinite() if name == "out" else False)
        wrong = asked & (_kind(found) != _kind(exact))
        if wrong.any():
            told.append(f"{name}: {_at(wrong, found, exact)}")
            continue
        numbers = asked & exact.isfinite()
        error = torch.where(numbers, (found - exact).abs(), 0)
        summed = sizes.get(name, exact)
        size = torch.where(numbers, exact.abs().maximum(summed.abs().nan_to_num(0, 0, 0)), 0)
        usual = torch.where(numbers, (common - exact).abs(), 0)
        group = rows.get(name)
        allowed = _largest(ROUNDING[dtype] * size + PLAIN * usual, group) + torch.finfo(dtype).tiny
        if (error > allowed).any():
            others = shaken() if others is None else others
            for other in others:
                moved = torch.where(numbers, (other[name] - exact).abs(), 0).nan_to_num(torch.inf)
                allowed = allowed + SHAKEN * _largest(moved, group)
        if (error > allowed).any():
            told.append(f"{name}: {_at(error > allowed, found, exact)}")
    return told


def _outcome(backend: Backend, layer, graph, inputs: Inputs) -> Outcome:
    """What receivers hear, and the gradients of all that went in."""
    states = [_each(state, lambda it: it.detach().requires_grad_()) for state in inputs[:3]]
    out = backend.heard(layer, graph, Inputs(*states, inputs.seed))
    leaves = _leaves(states, layer.message_function)
    weight = (torch.arange(out.numel()) % 7 - 3).view_as(out).to(out.dtype)
    found = torch.autograd.grad(out, list(leaves.values()), weight, materialize_grads=True) if leaves else ()
    return {"out": out.detach(), **dict(zip(leaves, found, strict=True))}


def values_if_huge(outcome: Outcome, limit: float, *states: Tensor) -> Outcome:
    """Without gradients where states are larger: those of scores are rounding times such numbers, or overflow."""
    largest = max((float(state.nan_to_num(0, 0, 0).abs().max()) for state in states if state.numel()), default=0)
    return outcome if largest < limit else {"out": outcome["out"]}


def _sizes(layer, graph, inputs: Inputs) -> Outcome:
    """How large are the numbers whose sums are gradients: those of random weights, which do not cancel.

    The gradient of a softmax is a difference, zero for a receiver of one sender, so gradients of the scores themselves count.
    """
    message = layer.message_function
    states = [_each(state, lambda it: it.detach().requires_grad_()) for state in inputs[:3]]
    out, leaves = EDGEWISE.heard(layer, graph, Inputs(*states, inputs.seed)), _leaves(states, message)
    if not leaves:
        return {}
    found = torch.autograd.grad(out, list(leaves.values()), 3 * torch.randn_like(out), materialize_grads=True)
    if not message.scored:
        sizes = dict(zip(leaves, found, strict=True))
        weight = sizes.get("edge edge_attr")
        if weight is not None and weight.numel():  # normalised, they may sum to one whatever they are
            shares = (
                3 * inputs.senders["value"].abs().sum(-1).nan_to_num(0, 0, 0).max() / inputs.edge["edge_attr"].max()
            )
            sizes["edge edge_attr"] = weight.abs().nan_to_num(0, 0, 0) + shares
        return sizes
    sender, receiver = graph.edge_index()
    ends = zip(states[:2], (sender, receiver), strict=True)
    one, other = ({name: value.index_select(0, at) for name, value in state.items()} for state, at in ends)
    score, value = message.speak(one, other, message.on_edges(graph, states[2]))
    if isinstance(layer.aggregation, NormalizedSum):
        total = score.new_zeros(graph.num_receivers, score.size(1)).index_add(0, receiver, score.detach().abs())
        score = score / torch.where(total > 0, total, 1)[receiver]
    weight = 3 * value.detach().abs().sum(-1).nan_to_num(0, 0, 0) * torch.randn_like(score)
    of_score = torch.autograd.grad(score, list(leaves.values()), weight, materialize_grads=True)
    pairs = zip(leaves, found, of_score, strict=True)
    return {name: x.abs().nan_to_num(0, 0, 0) + y.abs().nan_to_num(0, 0, 0) for name, x, y in pairs}


def _leaves(states: list[State], message) -> Outcome:
    """By name, all that has gradients."""
    places = zip(("senders", "receivers", "edge"), states, strict=True)
    leaves = {f"{place} {name}": value for place, state in places for name, value in state.items()}
    return {name: value for name, value in leaves.items() if value.requires_grad} | dict(message.named_parameters())


def _graphs(graph, outcome: Outcome) -> dict[str, Tensor]:
    """The graph of each row, of what has a row for each node or edge."""
    receivers = graph_of(graph.receivers.ptr, torch.arange(graph.num_receivers))
    senders = graph_of(graph.senders.ptr, torch.arange(graph.num_senders))
    found = {"out": receivers}
    for name, value in outcome.items():
        if name.startswith("senders"):
            found[name] = senders
        elif name.startswith("receivers"):
            found[name] = receivers
        elif name.startswith("edge") and value.size(0) == graph.num_edges:
            found[name] = receivers[graph.edge_index()[1]]
    return found


def _largest(value: Tensor, group: Tensor | None) -> Tensor:
    """The largest number of a tensor, or of each group of rows."""
    if not value.numel():
        return value
    if group is None:
        return value.max().expand_as(value)
    rows = value.flatten(1).amax(1) if value.dim() > 1 else value
    most = rows.new_zeros(int(group.max()) + 1).scatter_reduce(0, group, rows, "amax")
    return most[group].view(-1, *[1] * (value.dim() - 1)).expand_as(value)


def _kind(value: Tensor) -> Tensor:
    """0 for a number, else which it is: 1 and -1 for the infinite, 2 for none."""
    return torch.where(value.isnan(), 2, torch.where(value.isinf(), value.sign(), 0))


def _at(wrong: Tensor, found: Tensor, exact: Tensor) -> str:
    place = tuple(wrong.nonzero()[0].tolist())
    return f"{int(wrong.sum())} of {wrong.numel()}, at {list(place)} {found[place]:.9g} for {exact[place]:.9g}"


def _each(state: State, change: Callable[[Tensor], Tensor]) -> State:
    return {name: _floating(value, change) for name, value in state.items()}


def _floating(value: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    return change(value) if value.is_floating_point() else value


def _shake(value: Tensor, noise: float) -> Tensor:
    return value * (1 + noise * (torch.rand_like(value) - 0.5) * 2)
