"""The results on bbb as a picture: every split of every model, and the mean."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.molecules.model import OURS


def draw(frame: pd.DataFrame, path: Path) -> None:
    """A row of dots per model (one dot per split), a bar at its mean; a split's dots of two models are joined by a line.

    Args:
        frame: columns `model`, `seed`, `roc_auc`.
        path: PNG file to write.
    """
    wide = frame.pivot(index="seed", columns="model", values="roc_auc")
    order = wide.mean().sort_values().index.tolist()
    figure = Figure(figsize=(8, 0.62 * len(order) + 1.2), layout="constrained")
    axis = figure.subplots()
    for _, scores in wide[order].iterrows():
        known = scores.dropna()
        axis.plot(known, [order.index(name) for name in known.index], color="0.85", linewidth=0.8, zorder=1)
    for height, name in enumerate(order):
        colour = mpl.colormaps["tab10"](0 if name in OURS else 7)
        scores = wide[name].dropna()
        axis.scatter(scores, [height] * len(scores), s=22, color=colour, alpha=0.75, zorder=2)
        axis.plot([scores.mean()] * 2, [height - 0.3, height + 0.3], color=colour, linewidth=3, zorder=3)
        label = f"{scores.mean():.3f}  ({len(scores)} splits)"
        axis.text(1.01, height, label, transform=axis.get_yaxis_transform(), va="center", color=colour)
    axis.set_yticks(range(len(order)), order)
    axis.set_ylim(-0.6, len(order) - 0.4)
    axis.set_xlabel("test ROC-AUC on bbb, scaffold-balanced splits (dot: one split, bar: mean)")
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
