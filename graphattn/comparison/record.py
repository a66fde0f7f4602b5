"""One fit as a line of the file of results: configuration, score, cost, learning curves and predictions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Self, final

if TYPE_CHECKING:
    from pandas import DataFrame

Role = Literal["model", "baseline", "permuted"]
Status = Literal["ok", "failed"]
_NESTED = ("fit", "chosen", "learned", "versions", "chance", "curves", "predictions")
_SHORT = ("problem", "layer", "topology", "role", "split", "seed", "split_hash", "data_hash")


@final
@dataclass(frozen=True)
class Fit:
    """What a fit is, and all that its result depends on: equal fits need not be run twice.

    ``layer`` and ``topology`` are names (a baseline's name and ``""``), ``split`` counts from 0, ``settings`` are everything
    else that is equal for all: depth, reference width, epochs, trials, ...; ``split_hash`` is of the parts themselves,
    ``data_hash`` of the graphs.
    """

    problem: str
    layer: str
    topology: str
    split: int
    seed: int
    role: Role = "model"
    split_hash: str = ""
    data_hash: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in tables: ``"attention on full"``, ``"random forest"``, ``"attention on full, labels permuted"``."""
        on = f"{self.layer} on {self.topology}" if self.topology else self.layer
        return f"{on}, labels permuted" if self.role == "permuted" else on


@final
@dataclass(frozen=True)
class FitRecord:
    """Outcome of a fit.

    Args:
        fit: what it was.
        status: ``failed`` fits have a ``reason`` and no score.
        measure: name of the score, more is better.
        score: on the test part, which chose nothing.
        validation: the same on the validation part.
        train_size, test_size: rows of the parts (graphs, or nodes with a label): how much resamplings overlap.
        chosen: what tuning chose, such as a learning rate.
        width: channels, and ``hidden`` those of the token-wise network: what makes parameter counts agree.
        parameters: trained numbers; ``flops`` of one forward pass on the whole test part, per graph.
        epochs: until it stopped; ``kept`` the best of them.
        seconds_per_epoch, graphs_per_second, peak_mib: of training, of inference (seconds of work on one thread; of all
            time where there is an accelerator), and MiB: of a network the tensors that one training step makes and that live
            at once, batch and gradients counted, weights and the optimiser's state not; of a baseline what the process grew by.
        learned: by name, a number or one for each layer: ``entropy``, ``distance``, ``dirichlet``, ``reach``, ``true_edges``.
        batch_size: smaller than in the settings if memory ran out.
        chance: lowest and highest score that labels drawn at random would get on this test part, 9,999 times of 10,000; of
            permuted labels only, and known before they were learned.
        curves: by name (``loss``, ``val_loss``), a number for each epoch, of a network; the loss of values is in units of their
            variance.
        predictions: of the test part, a number for each of its rows under ``row`` (number of the graph, or of the node among all
            nodes), ``true`` and ``predicted``: of two classes how much the second is preferred (positive) to the first, of more
            the number of the predicted class, else the value; empty for more than 5,000 rows and in records of earlier versions.
        seconds: of the whole fit, with tuning.
        versions, date: of libraries and day.
    """

    fit: Fit
    status: Status
    measure: str
    reason: str = ""
    score: float | None = None
    validation: float | None = None
    train_size: int = 0
    test_size: int = 0
    chosen: dict[str, float] = field(default_factory=dict)
    width: int = 0
    hidden: int = 0
    parameters: int = 0
    flops: float = 0.0
    epochs: int = 0
    kept: int = 0
    seconds_per_epoch: float = 0.0
    graphs_per_second: float = 0.0
    peak_mib: float = 0.0
    learned: dict[str, float | list[float]] = field(default_factory=dict)
    batch_size: int = 0
    chance: list[float] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)
    predictions: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    date: str = ""

    def to_json(self) -> dict[str, Any]:
        """As one line of the file."""
        return asdict(self)

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        """From one line of the file.

        Raises:
            ValueError: names that are missing or unknown.
        """
        try:
            known: dict[str, Any] = line | {"fit": Fit(**line["fit"])}
            return cls(**known)
        except (KeyError, TypeError) as error:
            names = ", ".join(each.name for each in fields(cls))
            raise ValueError(f"expected a record with {names}, got {', '.join(map(str, line))}: {error}") from None


def table(records: Iterable[FitRecord]) -> DataFrame:
    """A row for each fit, failed ones as well, a column for each figure.

    Settings, choices of tuning and versions have columns of their own (``setting_epochs``, ``chosen_learning_rate``,
    ``version_torch``); of what layers learned there is a column for each layer of the network (``learned_entropy_1``).
    With ``split_hash``, ``data_hash``, seed, settings and versions a row can be repeated and checked.

    >>> what = Fit("made up", "gcn", "edges", split=0, seed=7, settings={"epochs": 60})
    >>> found = table([FitRecord(what, "ok", "R2", score=0.5, learned={"dirichlet": [0.9, 0.4]})])
    >>> found[["layer", "seed", "score", "learned_dirichlet_2", "setting_epochs"]].values.tolist()
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
