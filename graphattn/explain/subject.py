r"""A model as methods of attribution see it: networks, copies of a graph with parts hidden, and what the outputs mean.

Letters: ``M`` members of an ensemble, ``N`` nodes, ``E`` edges, ``K`` outputs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from graphattn.data.wording import listed
from graphattn.models.by_name.whole import prepared
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.fitting import Ensemble

MOST_PAIRS, MOST_COPIES = 500_000, 256
"""Of one batch: pairs of nodes, and copies of a graph. Attention on a full graph holds numbers for each pair."""


class Mask(NamedTuple):
    """Parts of a graph that are hidden together: positions of nodes, and of columns of ``edge_index``."""

    nodes: tuple[int, ...] = ()
    edges: tuple[int, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What is explained.

    Args:
        members: networks whose answers are averaged; each makes of a batch outputs ``[B, K]``, or ``[N, K]`` for each node.
        read: the graph that networks take, from what a caller has.
        masked: copies of such a graph, one for each mask.
        blank: a copy in which the features of all nodes are hidden, where gradients are integrated from.
        batch: joins copies, to a PyG batch.
        scaled: from outputs to what is predicted, such as probabilities ``[B, K]``.
        outputs: names of the columns of what is predicted; numbers if there are none.
        default: the column that is explained if none is named, from the answer ``[K]``.
        shares: of the members in the mean, which add up to 1; all alike if there are none.
    """

    members: Sequence[nn.Module]
    read: Callable[[Any], Data]
    masked: Callable[[Data, Sequence[Mask]], list[Data]]
    blank: Callable[[Data], Data]
    batch: Callable[[list[Data]], Any] = lambda graphs: Batch.from_data_list(list(graphs))
    scaled: Callable[[Tensor], Tensor] = lambda outputs: outputs
    outputs: tuple[str, ...] = ()
    default: Callable[[Tensor], int] = lambda answer: int(answer.argmax())
    shares: tuple[float, ...] = ()

    def mean(self, each: Tensor) -> Tensor:
        """Over members, ``[M, ...] -> [...]``."""
        return torch.tensordot(each.new_tensor(self.shares), each, 1) if self.shares else each.mean(0)

    @torch.no_grad()
    def answers(self, graph: Data, masks: Sequence[Mask], node: int | None = None) -> Tensor:
        """What each member predicts of the graph with each mask, ``[M, masks, K]``, by batches of bounded size.

        Args:
            graph: of :attr:`read`.
            masks: what is hidden; ``Mask()`` hides nothing.
            node: whose answer is taken, of networks that answer each node.

        Raises:
            ValueError: a network that answers each node and no node is named, or the other way round.
        """
        found = []
        for few in _chunks(masks, copies_at_once(len(features_of(graph)))):
            batch = self.batch(self.masked(graph, few))
            found.append(torch.stack([self.rows(member(batch), batch, len(few), node) for member in self.members]))
        return torch.cat(found, dim=1)

    def rows(self, outputs: Tensor, batch: Any, graphs: int, node: int | None) -> Tensor:
        """What is predicted of each graph of a batch, or of the node of that number in each, float64 ``[graphs, K]``."""
        predicted, nodes = self.scaled(outputs), len(features_of(batch))
        if node is not None:
            if len(outputs) != nodes:
                raise ValueError(f"expected a model that answers each of {nodes} nodes, got {len(outputs)} answers")
            predicted = predicted[batch.ptr[:-1] + node]
        elif len(outputs) != graphs:
            raise ValueError(
                f"expected one answer of the model for each graph, got {len(outputs)} for {graphs}: "
                "node= says which node's answer is explained"
            )
        return predicted.double()


def name_of_features(graph: Data) -> str:
    """``x``, or ``token`` where nodes are tokens.

    Raises:
        ValueError: a graph with neither.
    """
    if name := next((name for name in ("x", "token") if name in graph), ""):
        return name
    raise ValueError(f"expected a graph with features x or token to explain, got {listed(graph.to_dict())}")


def features_of(graph: Data) -> Tensor:
    """What is hidden of nodes, ``[N, ...]``."""
    return graph[name_of_features(graph)]


def copies_at_once(nodes: int) -> int:
    """How many copies of a graph stand in one batch.

    >>> [copies_at_once(nodes) for nodes in (10, 500, 100_000)]
    [256, 2, 1]
    """
    return max(1, min(MOST_COPIES, MOST_PAIRS // max(1, nodes) ** 2))


def subject_of(model: Any) -> Subject:
    """A model of molecules, an estimator or a fitted network of graphs, or any module that takes a PyG batch.

    Raises:
        TypeError: none of these, or an estimator that is not fitted.
    """
    if isinstance(model, Subject):
        return model
    if isinstance(model, FittedNetwork):
        return _fitted(model)
    if isinstance(model, Ensemble):
        return replace(subject_of(model.models[0]), members=list(model.models), scaled=_probabilities)
    if isinstance(model, nn.Module):
        return Subject([model], _checked, partial(masked, hidden=zeros), partial(_blank, hidden=zeros))
    # RDKit and what trains molecules are loaded only where they are needed.
    from graphattn.explain.molecules.subject import FittedModel, molecule_subject

    if isinstance(model, FittedModel):
        return molecule_subject(model)
    if not hasattr(model, "model_"):
        expected = "a torch module that takes a PyG batch, a fitted estimator, or a model of graphattn.load"
        raise TypeError(f"expected {expected}, got {model if hasattr(model, 'fit') else type(model).__name__}")
    subject = subject_of(model.model_)
    return replace(subject, outputs=tuple(map(str, getattr(model, "classes_", subject.outputs))))


@contextmanager
def evaluating(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Modules in evaluation, and each of their parts as it was afterwards."""
    modes = {part: part.training for module in modules for part in module.modules()}
    with ExitStack() as stack:
        for part, mode in modes.items():
            stack.callback(setattr, part, "training", mode)
        for module in modules:
            module.eval()
        yield


def zeros(features: Tensor) -> Tensor:
    """What stands for hidden features: zeros, which are "unknown" where index 0 of categories says so, as in molecules."""
    return torch.zeros_like(features)


def without_edges(graph: Data, edges: Sequence[int]) -> Data:
    """A copy without some columns of ``edge_index`` and the rows of ``edge_...`` that belong to them.

    >>> without_edges(Data(edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.rand(2, 3)), [0])
    Data(edge_index=[2, 1], edge_attr=[1, 3])
    """
    kept = torch.ones(graph["edge_index"].size(1), dtype=torch.bool)
    kept[list(edges)] = False
    left = copy.copy(graph)
    for name in [name for name in graph.to_dict() if name.startswith("edge_")]:
        left[name] = graph[name][:, kept] if name == "edge_index" else graph[name][kept]
    return left


def masked(
    graph: Data,
    masks: Sequence[Mask],
    hidden: Callable[[Tensor], Tensor],
    cut: Callable[[Data, Sequence[int]], Data] = without_edges,
) -> list[Data]:
    """Copies of a graph: features of masked nodes are hidden, masked edges are cut.

    >>> graph = Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0, 1], [1, 0]]))
    >>> few = masked(graph, [Mask(nodes=(1,)), Mask(edges=(0,))], zeros)
    >>> few[0].x.flatten().tolist(), few[1].edge_index.tolist()
    ([1.0, 0.0], [[1], [0]])
    """
    copies = []
    for mask in masks:
        made = cut(graph, mask.edges) if mask.edges else copy.copy(graph)
        if mask.nodes:
            name, at = name_of_features(made), list(mask.nodes)
            made[name] = made[name].clone()
            made[name][at] = hidden(made[name][at])
        copies.append(made)
    return copies


def likeliest(answer: Tensor) -> int:
    """The column of the largest of several probabilities; of two, that of the positive class."""
    return 1 if len(answer) == 2 else int(answer.argmax())


def _fitted(model: FittedNetwork) -> Subject:
    """Of a fitted network numbers are hidden by their mean in training, categories by one that no graph had."""
    start, values = model.network.get_submodule("embedding.start"), "y" in model.scales

    def unknown(features: Tensor) -> Tensor:
        name = "mean" if features.is_floating_point() else "last"
        return start.get_buffer(name).to(features).expand_as(features)

    def cut(graph: Data, edges: Sequence[int]) -> Data:
        left = without_edges(graph, edges)
        if "distance" in left:  # along the edges that are left
            del left["distance"]
        return prepared(left, [model.configuration])

    return Subject(
        model.members,
        lambda graph: model.prepared(_checked(graph)),
        partial(masked, hidden=unknown, cut=cut),
        partial(_blank, hidden=unknown),
        scaled=model.answered,
        default=(lambda answer: 0) if values else likeliest,
    )


def _probabilities(outputs: Tensor) -> Tensor:
    return outputs.double().softmax(1)


def _blank(graph: Data, hidden: Callable[[Tensor], Tensor]) -> Data:
    return masked(graph, [Mask(nodes=tuple(range(len(features_of(graph)))))], hidden)[0]


def _checked(graph: Any) -> Data:
    if not isinstance(graph, Data):
        raise TypeError(f"expected one PyG Data to explain, got {type(graph).__name__}")
    if not len(features_of(graph)):
        raise ValueError("expected a graph with nodes to explain, got one without")
    return graph


def _chunks(masks: Sequence[Mask], count: int) -> Iterator[Sequence[Mask]]:
    return (masks[start : start + count] for start in range(0, len(masks), count))
