"""Learning curves as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphattn.training.molecules.objective import SCORES
from graphattn.training.runs import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from graphattn.training.molecules.saved import FittedModel

_LABELS = {"loss": "training loss", "val_loss": "validation loss", "val_accuracy": "validation accuracy"}


def draw_curves(curves: Curves, axes: Axes, names: Sequence[str] = ("loss", "val_loss")) -> None:
    """Some of the curves over the steps, on the axes of a figure; a dotted line marks the epoch whose weights were kept.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> draw_curves(Curves([{"step": 5, "loss": 2.0, "val_loss": 2.1}, {"step": 10, "loss": 1.0, "val_loss": 1.2}], 0.1, 1), axes)
    >>> [label.get_text() for label in axes.get_legend().get_texts()]
    ['training loss', 'validation loss']
    """
    steps = curves.column("step")
    for name in names:
        axes.plot(steps, curves.column(name), label=_LABELS.get(name, name))
    axes.axvline(steps[curves.kept], color="0.6", linestyle=":", linewidth=1)
    axes.set_xlabel("step")
    axes.legend(fontsize=8)


def draw_losses(members: Sequence[Curves], path: Path) -> None:
    """The training loss and the validation loss of every member of an ensemble, a row each, as a file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.6 * len(members)), layout="constrained")
    for curves, axes in zip(members, figure.subplots(len(members), squeeze=False)[:, 0], strict=True):
        names = [name for name in ("loss", "val_loss") if curves.epochs and name in curves.epochs[0]]
        draw_curves(curves, axes, names)
    with rc_context({"svg.hashsalt": "graphattn"}):  # the same file for the same curves
        figure.savefig(path, metadata={"Date": None})


def draw_training(model: FittedModel, path: Path) -> None:
    """The losses and the validation score of every member of an ensemble, a row each, as a file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    members = list(zip(model.record["curves"], model.record["training"], strict=True))
    figure = Figure(figsize=(8, 2.6 * len(members)), layout="constrained")
    rows = figure.subplots(len(members), 2, squeeze=False)
    for (epochs, history), (left, right) in zip(members, rows, strict=True):
        curves = Curves(epochs, history["seconds"], history["best_epoch"] - 1)
        draw_curves(curves, left)
        draw_curves(curves, right, ["val_score"])
        right.legend([f"validation {SCORES[model.task.kind]}"], fontsize=8)
    with rc_context({"svg.hashsalt": "graphattn"}):  # the same file for the same curves
        figure.savefig(path, metadata={"Date": None})
