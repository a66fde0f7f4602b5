"""From rows of results to tables: mean ± deviation of each model, and differences paired by split."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats


class Difference(NamedTuple):
    """Mean of paired differences with the 95 % interval of Student's t (n - 1 degrees of freedom)."""

    mean: float
    low: float
    high: float
    least: float
    most: float
    pairs: int


def difference(ours: ArrayLike, theirs: ArrayLike) -> Difference:
    """`ours - theirs`, pair by pair; the interval is infinite for one pair.

    Raises `ValueError` when the two differ in length, or hold nothing.

    >>> difference([0.9, 0.8, 0.7], [0.8, 0.8, 0.6]).pairs
    3
    """
    first, second = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if first.shape != second.shape or not first.size:
        raise ValueError(
            f"paired differences need two lists of the same length; got {first.size} and {second.size} values"
        )
    values = first - second
    half = np.inf
    if len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Difference(
        values.mean(), values.mean() - half, values.mean() + half, values.min(), values.max(), len(values)
    )


def bootstrap(scores: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of bootstrapped scores by percentiles; resamples without a score (NaN) are left out."""
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    return float(low), float(high)


def summary(frame: pd.DataFrame, scores: Sequence[str], seconds: Sequence[str]) -> pd.DataFrame:
    """One line per model, in order of appearance: number of rows, mean ± deviation of `scores`, mean of `seconds`."""
    rows = []
    for model, group in frame.groupby("model", sort=False):
        row = {"model": model, "n": len(group)}
        row |= {name: _spread(group[name]) for name in scores}
        row |= {name: f"{group[name].mean():.1f}" for name in seconds}
        rows.append(row)
    return pd.DataFrame(rows)


def paired(frame: pd.DataFrame, keys: Sequence[str], score: str, ours: Sequence[str]) -> pd.DataFrame:
    """One line for each of our models and each peer: differences of `score` over the splits (`keys`) that both have."""
    wide = frame.pivot(index=list(keys), columns="model", values=score)
    rows = []
    for model in (name for name in ours if name in wide):
        for peer in (name for name in wide if name not in ours):
            both = wide[[model, peer]].dropna()
            if len(both):
                found = difference(both[model], both[peer])
                rows.append({
                    "difference": f"{model} - {peer}",
                    "n": found.pairs,
                    f"mean {score}": f"{found.mean:+.4f}",
                    "95 % interval": f"[{found.low:+.4f}, {found.high:+.4f}]",
                    "least": f"{found.least:+.4f}",
                    "most": f"{found.most:+.4f}",
                })  # fmt: skip
    return pd.DataFrame(rows)


def ratios(frame: pd.DataFrame, keys: Sequence[str], seconds: Sequence[str], ours: Sequence[str]) -> pd.DataFrame:
    """One line for each of our models and each peer: our share of its time, the sum over the splits that both have."""
    rows = []
    for model in (name for name in ours if name in set(frame["model"])):
        for peer in (name for name in frame["model"].unique() if name not in ours):
            row: dict[str, object] = {"time": f"{model} / {peer}"}
            for name in seconds:
                both = frame.pivot(index=list(keys), columns="model", values=name)[[model, peer]].dropna()
                row |= {"n": len(both), name: f"{both[model].sum() / both[peer].sum():.3f}" if len(both) else ""}
            rows.append(row)
    return pd.DataFrame(rows)


def markdown(frame: pd.DataFrame) -> str:
    """A table in Markdown.

    >>> print(markdown(pd.DataFrame({"model": ["a"], "n": [3]})))
    | model | n |
    |---|---|
    | a | 3 |
    """
    lines = [frame.columns.tolist(), *frame.to_numpy().tolist()]
    head, *body = ["| " + " | ".join(map(str, line)) + " |" for line in lines]
    return "\n".join([head, "|" + "---|" * len(frame.columns), *body])


def _spread(values: pd.Series) -> str:
    known = values.dropna()
    return f"{known.mean():.4f} ± {known.std(ddof=1) if len(known) > 1 else 0:.4f}" if len(known) else ""
