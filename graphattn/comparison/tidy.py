"""All fits as one table, a row for each, with all that is needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from graphattn.comparison.record import FitRecord

if TYPE_CHECKING:
    from pandas import DataFrame

_NESTED = ("fit", "chosen", "learned", "versions", "chance", "curves", "predictions")
_SHORT = ("problem", "layer", "topology", "role", "split", "seed", "split_hash", "data_hash")


def tidy(records: Iterable[FitRecord]) -> DataFrame:
    """A row for each fit, failed ones as well, a column for each figure.

    Settings, choices of tuning and versions have columns of their own (``setting_epochs``, ``chosen_learning_rate``,
    ``version_torch``); of what layers learned there is a column for each layer of the network (``learned_entropy_1``).
    With ``split_hash``, ``data_hash``, seed, settings and versions a row can be repeated and checked.

    >>> from graphattn.comparison.record import Fit, FitRecord
    >>> what = Fit("made up", "gcn", "edges", split=0, seed=7, settings={"epochs": 60})
    >>> table = tidy([FitRecord(what, "ok", "R2", score=0.5, learned={"dirichlet": [0.9, 0.4]})])
    >>> table[["layer", "seed", "score", "learned_dirichlet_2", "setting_epochs"]].values.tolist()
    [['gcn', 7, 0.5, 0.4, 60]]
    """
    from pandas import DataFrame

    rows = [_row(record) for record in records]
    return DataFrame(rows, columns=_ordered(list(dict.fromkeys(name for row in rows for name in row))))


def _row(record: FitRecord) -> dict[str, Any]:
    fit = record.fit
    plain = {name: value for name, value in vars(record).items() if name not in _NESTED}
    low, high = record.chance if len(record.chance) == 2 else (None, None)
    return {
        **{name: getattr(fit, name) for name in _SHORT},
        **plain,
        "chance_low": low,
        "chance_high": high,
        **_columns("chosen", record.chosen),
        **_columns("learned", record.learned),
        **_columns("setting", fit.settings),
        **_columns("version", record.versions),
    }


def _columns(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    """A column for each name; of numbers by layer one for each layer, counted from 1; other lists as JSON."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if prefix == "learned" and isinstance(value, Sequence) and not isinstance(value, str):
            found |= {f"{prefix}_{name}_{number}": each for number, each in enumerate(value, 1)}
        else:
            found[f"{prefix}_{name}"] = json.dumps(value) if isinstance(value, list | tuple | dict) else value
    return found


def _ordered(names: Sequence[str]) -> list[str]:
    """Columns of a kind side by side, whichever record had them first."""
    kinds = ("chosen_", "learned_", "setting_", "version_")
    return [name for name in names if not name.startswith(kinds)] + [
        name for kind in kinds for name in names if name.startswith(kind)
    ]
