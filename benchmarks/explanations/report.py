"""Tables of what was measured, in Markdown."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.molecules.report import markdown

AIM = 0.8
"""Of the ROC-AUC of graphattn's contributions, mean over molecules and seeds; set before the test part was looked at."""


def table(records: Sequence[dict[str, Any]]) -> str:
    """A line for each explainer: mean over molecules, then over seeds with its deviation; of losses in points of probability."""
    rows = []
    for name in dict.fromkeys(each["explainer"] for each in records):
        seeds = [_of(each["cases"]) for each in records if each["explainer"] == name]
        rows.append(
            {"explainer": name, "seeds": len(seeds), "molecules": sum(int(seed["molecules"]) for seed in seeds)}
        )
        for column in ("ROC-AUC", "of nitro", "of amines", "lost by the group", "lost by others", "group loses more"):
            values = np.array([seed[column] for seed in seeds])
            rows[-1][column] = (
                f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values.mean():.3f}"
            )
    return markdown(pd.DataFrame(rows))


def mean_auc(records: Sequence[dict[str, Any]], explainer: str) -> float:
    """Of one explainer, over molecules and then seeds."""
    return float(np.mean([_of(each["cases"])["ROC-AUC"] for each in records if each["explainer"] == explainer]))


def _of(cases: Sequence[Sequence[Any]]) -> dict[str, float]:
    """Means over the molecules of one seed."""
    frame = pd.DataFrame(list(cases), columns=["kind", "auc", "group", "others"])
    of = {kind: frame["auc"][frame["kind"] == kind].mean() for kind in ("nitro", "aromatic amine")}
    return {
        "molecules": len(frame),
        "ROC-AUC": frame["auc"].mean(),
        "of nitro": of["nitro"],
        "of amines": of["aromatic amine"],
        "lost by the group": frame["group"].mean(),
        "lost by others": frame["others"].mean(),
        "group loses more": (frame["group"] > frame["others"]).mean(),
    }
