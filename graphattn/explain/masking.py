r"""Masking: what a prediction loses when a part of the graph is hidden.

.. math:: c_S = f(G) - f(G \setminus S)

for a node, a group of nodes or an edge :math:`S`. Contributions need not add up to the prediction. How a part is hidden depends
on the model (:class:`~graphattn.explain.subject.Subject`): features become 0, the mean of a fitted network's training graphs, or
"unknown"; edges are left out; of a molecule the descriptors are those of what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphattn.explain.inquiry import Contributions, Inquiry
from graphattn.explain.subject import Mask, Subject, features_of


@dataclass(frozen=True)
class Masking:
    """Contributions by masking, of nodes and groups, and of edges if these are wanted; a prediction for each.

    An edge and its reverse are masked together and have the same contribution.

    Args:
        edges: whether edges are masked, too.

    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from torch_geometric.utils import scatter
    >>> from graphattn.explain.attribution import attribute
    >>> class Edges(torch.nn.Module):
    ...     def forward(self, data):
    ...         return scatter(torch.ones(data.num_edges, 1), data.batch[data.edge_index[0]], dim_size=data.num_graphs)
    >>> graph = Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0, 1, 1], [1, 0, 2]]))
    >>> found = attribute(Edges(), graph, Masking(edges=True))
    >>> found.nodes.tolist(), found.edges.tolist()
    ([0.0, 0.0, 0.0], [2.0, 2.0, 1.0])
    """

    edges: bool = False

    def __call__(self, subject: Subject, inquiry: Inquiry) -> Contributions:
        """Contributions to the answer of each member."""
        nodes = [Mask(nodes=(node,)) for node in range(len(features_of(inquiry.graph)))]
        groups = [Mask(nodes=group) for group in inquiry.groups]
        joined, which = _joined(inquiry.graph["edge_index"]) if self.edges else ([], None)
        masks = [Mask(), *nodes, *groups, *joined]
        answers = subject.answers(inquiry.graph, masks, inquiry.node)[..., inquiry.column]
        of_nodes, of_groups, of_edges = (answers[:, :1] - answers[:, 1:]).split(
            [len(nodes), len(groups), len(joined)], dim=1
        )
        return Contributions(of_nodes, None if which is None else of_edges[:, which], of_groups if groups else None)


def _joined(edge_index: Tensor) -> tuple[list[Mask], Tensor]:
    """A mask for each two nodes that are joined, and which of them each edge belongs to, ``[E]``."""
    ends, which = edge_index.sort(dim=0).values.unique(dim=1, return_inverse=True)
    order = which.argsort(stable=True)
    masks = [Mask(edges=tuple(few.tolist())) for few in order.split(which.bincount(minlength=ends.size(1)).tolist())]
    return masks, which
