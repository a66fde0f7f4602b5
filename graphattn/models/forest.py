"""Forests of decision trees as arrays: what scikit-learn has fitted, without scikit-learn, and checked before it is used.

Letters: ``N`` molecules, ``D`` columns of a table, ``T`` trees, ``V`` nodes of all trees, ``W`` numbers in a leaf, ``K`` outputs.
"""

from __future__ import annotations

from typing import Literal, final, get_args

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

Answers = Literal["values", "probabilities", "classes"]
"""What a forest predicts: values; a probability for each output; or one probability for each of several classes."""
_LEAVES = 2**20
"""Of one step, rows times trees."""


@final
class Forest(nn.Module):
    r"""The mean over trees of the leaves that a row of a table falls into.

    .. math:: f_k(x) = \frac{1}{|T_k|} \sum_{t \in T_k} v_{\ell_t(x)}

    From the root of a tree, :math:`x_d \le \theta` goes to the left child and the rest to the right one, until a node has no
    feature. Rows are float32, as scikit-learn casts them, so that a threshold of float64 is as good rounded down to float32.

    Args:
        children: left and right child of each node; a child stands behind its parent, in the same tree.
        feature: the column that a node compares, -1 in a leaf.
        threshold: that it is compared with.
        value: of leaves; of inner nodes it is not read.
        start: the first node of each tree, ascending from 0.
        column: the first output that a tree counts for, ascending; its leaves' numbers are for that output and those behind it.
        inputs: number of columns of the table.
        answers: what it predicts.

    Shapes: children int32 ``[V, 2]``, feature int16 ``[V]``, threshold float32 ``[V]``, value float64 ``[V, W]``, start and
    column int64 ``[T]``; ``data.table [N, D] -> [N, K]``, float64: values, or logits whose sigmoid or softmax are the
    probabilities.

    Raises:
        ValueError: arrays that are no forest, so that no row of finite numbers can fall out of it, run in a circle or end at a
            number that is none.

    >>> split, leaf = torch.tensor([[1, 2], [-1, -1], [-1, -1]]).int(), torch.tensor([[0.0], [0.25], [1.0]]).double()
    >>> feature, threshold = torch.tensor([0, -1, -1]).short(), torch.tensor([0.5, 0.0, 0.0])
    >>> one = torch.tensor([0])
    >>> forest = Forest(split, feature, threshold, leaf, one, one, inputs=1, answers="probabilities")
    >>> forest.predict(torch.tensor([[0.5], [0.6]])).tolist()
    [[0.25], [1.0]]
    """

    def __init__(
        self,
        children: Tensor,
        feature: Tensor,
        threshold: Tensor,
        value: Tensor,
        start: Tensor,
        column: Tensor,
        inputs: int,
        answers: Answers,
    ) -> None:
        super().__init__()
        self.children_ = nn.Buffer(children)  # nn.Module has a method children
        self.feature, self.threshold, self.value = nn.Buffer(feature), nn.Buffer(threshold), nn.Buffer(value)
        self.start, self.column = nn.Buffer(start), nn.Buffer(column)
        self.inputs, self.answers = inputs, answers
        _check_shapes(self)
        _check_trees(self)
        _check_answers(self)

    @property
    def trees(self) -> int:
        """Number ``T`` of trees."""
        return len(self.start)

    @property
    def outputs(self) -> int:
        """Number ``K`` of outputs."""
        return int(self.column[-1]) + self.value.size(1)

    def forward(self, data: Data) -> Tensor:
        """Values or logits of the rows of ``data.table``.

        Raises:
            ValueError: no table.
        """
        if "table" not in data:
            raise ValueError("expected molecules with a table of fingerprints and descriptors, got none")
        found = self.predict(data["table"])
        if self.answers == "values":
            return found
        return found.log() if self.answers == "classes" else found.logit()

    def predict(self, table: Tensor) -> Tensor:
        """Means ``[N, K]`` for the rows of ``table`` ``[N, D]``; added up in the order of the trees, as scikit-learn does.

        Raises:
            ValueError: another number of columns than the forest was fitted on.
        """
        if table.dim() != 2 or table.size(1) != self.inputs:
            raise ValueError(f"expected a table of {self.inputs} columns, got {list(table.shape)}")
        total = self.value.new_zeros(len(table), self.outputs)
        rows = max(1, _LEAVES // self.trees)
        for few, sums in zip(table.float().split(rows), total.split(rows), strict=True):
            leaves = self.leaves(few)
            for tree, column in enumerate(self.column.tolist()):
                sums[:, column : column + self.value.size(1)] += self.value[leaves[:, tree]]
        return total / self._trees_of_outputs()

    def leaves(self, table: Tensor) -> Tensor:
        """The node ``[N, T]`` at which each row of ``table`` ends in each tree."""
        reached = self.start.repeat(len(table))
        active = torch.arange(len(reached))
        while len(active):
            node = reached[active]
            inner = self.feature[node] >= 0
            active, node = active[inner], node[inner]
            right = table[active // self.trees, self.feature[node].long()] > self.threshold[node]
            reached[active] = self.children_[node, right.long()].long()
        return reached.view(len(table), self.trees)

    def _trees_of_outputs(self) -> Tensor:
        width = self.value.size(1)
        columns = self.column[:, None] + torch.arange(width)
        return columns.flatten().bincount(minlength=self.outputs).to(self.value)


SHAPES = {
    "children_": (torch.int32, 2),
    "feature": (torch.int16, 1),
    "threshold": (torch.float32, 1),
    "value": (torch.float64, 2),
    "start": (torch.int64, 1),
    "column": (torch.int64, 1),
}
"""Type and number of dimensions of the arrays of a forest, by name."""


def forest_of(arrays: dict[str, Tensor], inputs: int, answers: Answers) -> Forest:
    """The forest whose ``state_dict`` the arrays are.

    Raises:
        ValueError: arrays of other names; as :class:`Forest`.
    """
    if set(arrays) != set(SHAPES):
        raise ValueError(
            f"expected the arrays {', '.join(SHAPES)} of a forest, got {', '.join(sorted(arrays)) or 'none'}"
        )
    return Forest(*(arrays[name] for name in SHAPES), inputs=inputs, answers=answers)


def _check_shapes(forest: Forest) -> None:
    for name, (kind, dimensions) in SHAPES.items():
        array = forest.get_buffer(name)
        if array.dtype != kind or array.dim() != dimensions or not array.numel():
            expected = f"{kind} of {dimensions} dimension{'s' * (dimensions > 1)}"
            raise ValueError(
                f"expected {name} of a forest as {expected}, not empty; got {array.dtype} {list(array.shape)}"
            )
    nodes, trees = len(forest.feature), len(forest.start)
    if forest.children_.shape != (nodes, 2) or len(forest.threshold) != nodes or len(forest.value) != nodes:
        lengths = [len(each) for each in (forest.children_, forest.threshold, forest.value)]
        raise ValueError(f"expected children, thresholds and values of {nodes} nodes, got {lengths}")
    if len(forest.column) != trees:
        raise ValueError(f"expected an output of each of {trees} trees, got {len(forest.column)}")
    if forest.answers not in get_args(Answers):
        raise ValueError(
            f"expected answers of a forest as one of {', '.join(get_args(Answers))}, got {forest.answers!r}"
        )


def _check_trees(forest: Forest) -> None:
    """That a row goes on to a node further behind in its tree until it is in a leaf."""
    start, feature, nodes = forest.start, forest.feature, len(forest.feature)
    if int(start[0]) != 0 or bool((start[1:] <= start[:-1]).any()) or int(start[-1]) >= nodes:
        raise ValueError(f"expected trees of a forest that start in ascending order from 0 to {nodes - 1}")
    if bool((feature < -1).any()) or int(feature.max()) >= forest.inputs:
        found = f"{int(feature.min())} to {int(feature.max())}"
        raise ValueError(f"expected features of a forest from 0 to {forest.inputs - 1}, or -1, got {found}")
    inner = (feature >= 0).nonzero()[:, 0]
    ends = torch.cat([start[1:], start.new_tensor([nodes])])
    end = ends[torch.searchsorted(start, inner, right=True) - 1]
    children = forest.children_[inner].long()
    if bool((children <= inner[:, None]).any()) or bool((children >= end[:, None]).any()):
        raise ValueError("expected children in a forest behind their parents and in the same tree")
    if not bool(forest.threshold.isfinite().all()):
        raise ValueError("expected finite thresholds in a forest")


def _check_answers(forest: Forest) -> None:
    """That every output has trees and every leaf a number that can be predicted."""
    column, width = forest.column, forest.value.size(1)
    if int(column[0]) != 0 or bool(((column.diff() != 0) & (column.diff() != width)).any()):
        raise ValueError(f"expected trees of a forest in the order of their outputs, {width} for each, without a gap")
    leaves = forest.value[forest.feature == -1]
    if not bool(leaves.isfinite().all()):
        raise ValueError("expected finite numbers in the leaves of a forest")
    if forest.answers != "values" and (bool((leaves < 0).any()) or bool((leaves > 1).any())):
        raise ValueError("expected probabilities from 0 to 1 in the leaves of a forest")
    if forest.answers == "classes" and bool(((leaves.sum(1) - 1).abs() > 1e-6).any()):
        raise ValueError("expected probabilities that add up to 1 in the leaves of a forest")
