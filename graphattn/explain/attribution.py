"""What a prediction rests on: one function for every method of attribution, of every model on graphs.

Letters: ``M`` members of an ensemble, ``N`` nodes, ``E`` edges, ``G`` groups of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from graphattn.explain.gradients import IntegratedGradients, saliency
from graphattn.explain.inquiry import Contributions, Inquiry
from graphattn.explain.masking import Masking
from graphattn.explain.subject import Mask, Subject, evaluating, features_of, subject_of

Method = Callable[[Subject, Inquiry], Contributions]
"""From a model and a inquiry about one graph, contributions to the answer of each member."""

METHODS: Mapping[str, Method] = {
    "masking": Masking(),
    "saliency": saliency,
    "integrated_gradients": IntegratedGradients(),
}
"""By name; a method with other options is given itself, as ``method=Masking(edges=True)``."""


class Agreement(NamedTuple):
    """Share of the members of an ensemble whose contribution has the sign of the mean, for each node, edge and group."""

    nodes: Tensor
    edges: Tensor | None
    groups: Tensor | None


@dataclass(frozen=True)
class Attribution:
    """What the parts of one graph contribute to one prediction; above 0 where a part raises it.

    Attributes:
        nodes: of each node, ``[N]``.
        edges: of each edge, ``[E]``, if the method has them.
        groups: of each group of nodes that was given, ``[G]``, if any were.
        target: name of what is predicted, such as a class.
        prediction: the number that is explained: a probability, a value, or an output of a network; never calibrated.
        method: its name.
        agreement: of the members of an ensemble; 1 everywhere for a single network.
    """

    nodes: Tensor
    edges: Tensor | None
    groups: Tensor | None
    target: str
    prediction: float
    method: str
    agreement: Agreement


def attribute(
    model: Any,
    graph: Any,
    method: str | Method = "masking",
    *,
    target: int | str | None = None,
    groups: Sequence[Sequence[int]] = (),
    node: int | None = None,
) -> Attribution:
    """Contributions of nodes, and where a method has them of edges and of groups of nodes, to a prediction for one graph.

    ==========================  ======================================================================================
    ``masking``                 prediction minus prediction with the part hidden (:class:`~graphattn.explain.masking.Masking`)
    ``saliency``                length of the gradient with respect to a node's features, never negative (Simonyan et al. 2014)
    ``integrated_gradients``    of the path from hidden features; they add up (Sundararajan et al. 2017)
    ==========================  ======================================================================================

    Args:
        model: a model of molecules (``graphattn.load``, an estimator), a fitted ``GraphClassifier`` or ``GraphRegressor``, or any
            torch module that takes a PyG batch and answers each graph, or each node.
        graph: PyG ``Data``; for a model of molecules also SMILES or a molecule of RDKit.
        method: a name of :data:`METHODS`, or a function like those there.
        target: the output to explain, by name or number; if not given the positive class, of more classes the likeliest, of
            values the first, and of a module the largest output.
        groups: positions of nodes that are also explained together.
        node: the node whose answer is explained, for models that answer each node.

    Raises:
        ValueError: an unknown method, target or node, a graph without nodes; a model that answers each node, and no ``node``.
        TypeError: a model or graph of another kind.

    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from torch_geometric.nn import global_add_pool
    >>> class Counts(torch.nn.Module):
    ...     def forward(self, data):
    ...         return global_add_pool(data.x @ torch.tensor([[2.0], [-1.0]]), data.batch)
    >>> graph = Data(x=torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    >>> found = attribute(Counts(), graph, groups=[(0, 1)])
    >>> found.nodes.tolist(), found.groups.tolist(), found.prediction
    ([2.0, -1.0, 1.0], [1.0], 2.0)
    """
    name, compute = _method(method)
    subject = subject_of(model)
    read = subject.read(graph)
    nodes = len(features_of(read))
    strange = [each for group in groups for each in group if not 0 <= each < nodes]
    if strange or not (node is None or 0 <= node < nodes):
        raise ValueError(f"expected nodes from 0 to {nodes - 1}, got {strange[0] if strange else node}")
    with evaluating(subject.members):
        answer = subject.mean(subject.answers(read, [Mask()], node)[:, 0])
        column = _column(subject, answer, target)
        found = compute(subject, Inquiry(read, column, node, tuple(map(tuple, groups))))
    of_edges, of_groups = (None if each is None else subject.mean(each) for each in found[1:])
    shares = [None if each is None else _agreement(each, subject.mean(each)) for each in found[1:]]
    agreement = Agreement(_agreement(found.nodes, subject.mean(found.nodes)), *shares)
    label = subject.outputs[column] if subject.outputs else f"output {column}"
    return Attribution(subject.mean(found.nodes), of_edges, of_groups, label, float(answer[column]), name, agreement)


def _method(method: str | Method) -> tuple[str, Method]:
    if not isinstance(method, str):
        return getattr(method, "__name__", type(method).__name__), method
    if method not in METHODS:
        raise ValueError(f"expected a method of {', '.join(METHODS)}, got {method!r}")
    return method, METHODS[method]


def _column(subject: Subject, answer: Tensor, target: int | str | None) -> int:
    names, count = subject.outputs, len(answer)
    if target is None:
        return subject.default(answer)
    if isinstance(target, str):
        if target not in names:
            known = ", ".join(map(repr, names)) or f"numbers from 0 to {count - 1}"
            raise ValueError(f"expected one of {known} to explain, got {target!r}")
        return names.index(target)
    if not 0 <= target < count:
        raise ValueError(f"expected an output from 0 to {count - 1} to explain, got {target}")
    return target


def _agreement(contributions: Tensor, mean: Tensor) -> Tensor:
    """``[M, n]`` and their mean ``[n]`` -> ``[n]``."""
    return (contributions.sign() == mean.sign()).double().mean(0)
