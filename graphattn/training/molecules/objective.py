"""What is learned: loss, probabilities and validation score of each kind of task.

Letters: N molecules, T targets, K classes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data
from torchmetrics.functional import classification, regression

from graphattn.data.tasks import Task

_TINY = torch.finfo(torch.float32).tiny
SCORES = {"binary": "ROC-AUC", "multiclass": "ROC-AUC", "multilabel": "ROC-AUC", "regression": "R2"}


class Objective(nn.Module):
    """Loss of one task: weighted cross-entropy for classes, squared error of standardised values for regression.

    Weights are ``frequency ** -balance`` per class (and per target), scaled to a mean of 1 over the training labels.
    A missing label (NaN) adds nothing; rows count by their ``weight``, where the batch has it. ``mean`` and ``deviation`` are
    those of the training targets, 0 and 1 for classes.
    """

    def __init__(self, task: Task, y: Tensor, balance: float) -> None:
        super().__init__()
        self.task = task
        weight, mean, deviation = torch.ones(2, y.shape[1]), torch.zeros(y.shape[1]), torch.ones(y.shape[1])
        if task.kind == "regression":
            mean = y.nanmean(0)
            deviation = (y - mean).square().nanmean(0).sqrt()
            deviation = torch.where(deviation > 0, deviation, 1.0)
        elif task.kind == "multiclass":
            weight = _balanced(torch.bincount(y[:, 0].long(), minlength=task.outputs).float(), balance)
        else:
            weight = _balanced(torch.stack([(y == 0).sum(0), (y == 1).sum(0)]).float(), balance)
        self.weight, self.mean, self.deviation = nn.Buffer(weight), nn.Buffer(mean), nn.Buffer(deviation)

    def forward(self, logits: Tensor, batch: Data) -> Tensor:
        """``logits`` [N, outputs] of a batch with ``y`` [N, T] -> mean loss over the known labels."""
        return self.of(logits, batch["y"], getattr(batch, "weight", None))

    def of(self, logits: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """The same, given ``y`` [N, T] and ``weight`` [N] of the rows."""
        logits, rows = logits.float(), torch.ones_like(y[:, 0]) if weight is None else weight
        if self.task.kind == "multiclass":
            label = y[:, 0].long()
            each = F.cross_entropy(logits, label, reduction="none") * self.weight[label]
            return (each * rows).sum() / rows.sum().clamp(min=_TINY)
        known = ~y.isnan()
        target = torch.where(known, y, 0.0)
        if self.task.kind == "regression":
            loss = (logits - (target - self.mean) / self.deviation).square()
        else:
            loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
            loss = loss * torch.where(target == 1, self.weight[1], self.weight[0])
        shares = known * rows[:, None]
        return (torch.where(known, loss, 0.0) * shares).sum() / shares.sum().clamp(min=_TINY)


def predictions(task: Task, logits: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """What the outputs of a network [N, outputs] mean.

    Probabilities of the positive class [N, 1], of the positive class of every target [N, T] or of every class [N, K];
    for regression values [N, T] in the unit of the target, ``logits`` * ``deviation`` + ``mean``.
    """
    exact = logits if logits.dtype == torch.float64 else logits.float()
    if task.kind == "regression":
        return exact * deviation + mean
    return exact.softmax(1) if task.kind == "multiclass" else exact.sigmoid()


def score(task: Task, prediction: Tensor, y: Tensor) -> float:
    """Mean over targets of the ROC-AUC (R2 for regression), larger is better; NaN where no target has two values.

    >>> task = Task("binary", ("y",), ("0", "1"))
    >>> score(task, torch.tensor([[0.1], [0.9], [0.8]]), torch.tensor([[0.0], [1.0], [1.0]]))
    1.0
    """
    if task.kind == "multiclass":
        columns = [(prediction[:, k], (y[:, 0] == k).float()) for k in range(task.outputs)]
    else:
        columns = [(prediction[:, t], y[:, t]) for t in range(y.shape[1])]
    measure = regression.r2_score if task.kind == "regression" else _roc_auc
    values = [float(measure(p[~t.isnan()], t[~t.isnan()])) for p, t in columns if len(t[~t.isnan()].unique()) > 1]
    return sum(values) / len(values) if values else float("nan")


def _roc_auc(prediction: Tensor, label: Tensor) -> Tensor:
    return classification.binary_auroc(prediction, label.long())


def _balanced(count: Tensor, balance: float) -> Tensor:
    """``count`` [K] or [2, T] labels per class -> weights of the same shape with mean 1 over all labels of a target."""
    share = count / count.sum(0).clamp(min=1)
    weight = torch.where(count > 0, share.clamp(min=1e-12) ** -balance, 1.0)
    return weight / (weight * share).sum(0).clamp(min=1e-12)
