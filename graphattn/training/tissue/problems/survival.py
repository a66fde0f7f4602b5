"""Survival of patients: time and event of images, Cox's loss, concordance, and Cox regressions on what images consist of."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch_geometric.data import Data

from graphattn.data.labels import key_of, truth_of
from graphattn.data.splits import PARTS, Split
from graphattn.data.tasks import Task
from graphattn.data.tissue.cells import SetAside
from graphattn.data.tissue.composition import summaries
from graphattn.data.wording import listed
from graphattn.models.by_name.network import Level
from graphattn.training.comparing import Judge
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.metrics import draws
from graphattn.training.plain_models import filled
from graphattn.training.telling import Say
from graphattn.training.tissue.answering import predictions
from graphattn.training.tissue.inputs import TissueForm
from graphattn.training.tissue.slides import Labels, label_frame, labelled, usable_graphs

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

RISK = Task("regression", ("risk",))
"""What models of survival predict: the logarithm of the hazard."""
RESAMPLES, PENALTIES = 200, (0.01, 0.1, 1.0)
"""Of concordance; of Cox regressions, of which the validation part chooses."""
_SEEN = ("dead", "deceased", "died", "event", "1:deceased", "1:event", "1:recurred/progressed", "1:progression")
_CENSORED = ("alive", "living", "censored", "no event", "0:living", "0:censored", "0:diseasefree", "0:no event")
_LACKING = "survival is measured and compared by the package lifelines; pip install 'graphattn[survival]'"


@final
@dataclass(frozen=True)
class SurvivalSlides:
    """Images of patients with a time and whether the event was seen, a
    :class:`~graphattn.training.tissue.problems.base.TissueProblem`.

    Attributes:
        graphs: as a model reads them.
        y: time, and 1 if the event was seen or 0 if not until then, ``[N, 2]``.
        patients: of each image.
        cells: of each image in the column of splits, if there is one.
        form: of the graphs, by name.
        set_aside: what cannot be used.
    """

    graphs: list[Data]
    y: Floats
    patients: list[str]
    cells: list[str] | None
    form: TissueForm
    set_aside: list[SetAside]

    @property
    def task(self) -> Task:
        """A value."""
        return RISK

    @property
    def level(self) -> Level:
        """Each image has an answer."""
        return "graph"

    @property
    def judge(self) -> Judge:
        """By concordance."""
        return concordance_of

    @property
    def classes(self) -> Rows:
        """Whether the event was seen, for parts to share events."""
        return self.y[:, 1].astype(np.int64)

    def lesson(self, row: int, hops: int) -> list[tuple[Data, torch.Tensor]]:
        """The graph of an image with its time and event."""
        return [(self.graphs[row], torch.from_numpy(self.y[[row]]).float())]

    def lacking(self, split: Split) -> list[str]:
        """Sentences about parts without an event.

        Raises:
            ValueError: the training part has none.
        """
        without = [name for name, rows in zip(PARTS, split, strict=True) if len(rows) and not self.y[rows, 1].any()]
        if PARTS[0] in without:
            raise ValueError(f"the training part ({len(split.train)} images) has no event; try another --split")
        return [f"warning: the {name} part has no event" for name in without]

    def truth(self, rows: Rows) -> tuple[Floats, list[str]]:
        """Times and events ``[N, 2]`` of some images, and their patients."""
        return self.y[rows], [self.patients[row] for row in rows]

    def answers(self, model: FittedNetwork, rows: Rows) -> Floats:
        """The risks that a model gives some images, ``[N, 1]``."""
        return predictions(model, [self.graphs[row] for row in rows])

    def baselines(self, split: Split, seed: int) -> dict[str, Floats]:
        """The risks that Cox regressions on what images consist of give the test part."""
        return {f"Cox regression on {name}": _cox(table, self.y, split) for name, table in self.tables.items()}

    @cached_property
    def tables(self) -> dict[str, Floats]:
        """What images consist of, by the name of the summary."""
        return summaries(self.graphs)

    def bases(self, truth: Floats) -> dict[str, float]:
        """The concordance of chance."""
        return {"concordance": 0.5}


def read_survival(graphs: Sequence[Data], labels: Labels, source: str, say: Say) -> SurvivalSlides:
    """The images with a time and an event that can be used; says what is inferred and what is set aside.

    Args:
        graphs: of :func:`~graphattn.training.tissue.slides.open_graphs`.
        labels: with the names of both columns as ``survival``.
        source: what the graphs are called in messages.
        say: receives sentences.

    Raises:
        ValueError: no table, or one without the columns; no image that can be used; no event; lifelines is not installed.
    """
    assert labels.survival is not None
    time, event = labels.survival
    if labels.table is None:
        raise ValueError(f"expected a table, --labels, with the columns {time!r} and {event!r}, got none")
    _lifelines()
    found = labelled(graphs, dataclasses.replace(labels, target=time), source, say)
    form, set_aside = TissueForm.of(found.graphs), list(found.set_aside)
    usable = usable_graphs(found.graphs, form, source, set_aside)
    y, kept = times_and_events(usable, labels.survival, labels.positive, source, set_aside, say)
    cells = None if labels.split is None else [str(usable[row]["label_columns"][labels.split]) for row in kept]
    patients = [str(usable[row].get("patient") or usable[row]["image"]) for row in kept]
    return SurvivalSlides([form.applied(usable[row]) for row in kept], y, patients, cells, form, set_aside)


def times_and_events(
    graphs: Sequence[Data],
    columns: tuple[str, str],
    positive: str | None,
    source: str,
    set_aside: list[SetAside],
    say: Say,
) -> tuple[Floats, list[int]]:
    """Times and events ``[N, 2]`` of the graphs that have both, and their positions; the others are set aside.

    Raises:
        ValueError: no graph has both, or no event was seen.
    """
    time, event = columns
    times, _ = Task("regression", (time,)).encode(label_frame(graphs, time))
    words = [str(graph["label_columns"][event]) for graph in graphs]
    events = _events(words, event, positive)
    kept = []
    for row, graph in enumerate(graphs):
        why = ""
        if not times[row, 0] >= 0:
            why = f"its time, {label_frame([graph], time)[time][0]!r}, is no number of 0 or more"
        elif np.isnan(events[row]):
            why = f"its event, {words[row]!r}, says neither that it was seen nor that it was not"
        if why:
            set_aside.append(SetAside(source, f"image {graph['image']!r}", why))
        else:
            kept.append(row)
    y = np.stack([times[:, 0].astype(np.float64), events], axis=1)[kept]
    if not len(y) or not y[:, 1].any():
        aside = f"; set aside: {'; '.join(map(str, set_aside[:5]))}" if set_aside else ""
        raise ValueError(
            f"expected images with a time and events that were seen, got {len(y)} images and no event{aside}"
        )
    say(
        f"survival by {time!r} and {event!r}: {int(y[:, 1].sum()):,} of {len(y):,} images with the event, times from "
        f"{y[:, 0].min():g} to {y[:, 0].max():g}"
    )
    return y, kept


def concordance_of(
    prediction: Floats, y: Floats, patients: Sequence[str], resamples: int = RESAMPLES
) -> dict[str, Floats]:
    """Harrell's concordance by lifelines: the share of comparable pairs in which the higher risk has the earlier event."""
    index = _lifelines().utils.concordance_index
    rows, whose = np.arange(len(y)), np.unique(np.asarray(patients), return_inverse=True)[1]
    values = []
    for weight in draws(int(whose.max(initial=-1)) + 1, resamples)[:, whose].astype(np.int64):
        drawn = np.repeat(rows, weight)
        try:
            values.append(float(index(y[drawn, 0], -prediction[drawn, 0], y[drawn, 1])))
        except ZeroDivisionError:  # no two that can be compared
            values.append(np.nan)
    return {"concordance": np.array(values)}


def _events(words: Sequence[str], name: str, positive: str | None) -> Floats:
    """1 where a word says that the event was seen, 0 where not until then, NaN where it says neither.

    With ``positive`` that word alone is the event, and the most frequent other one says that it was not seen.
    """
    keys = [key_of(word) for word in words]
    if positive is not None:
        others = Counter(key for key, word in zip(keys, words, strict=True) if word and key != key_of(positive))
        known = {key_of(positive): 1.0, **{other: 0.0 for other, _ in others.most_common(1)}}
    else:
        known = {key: at for at, of in enumerate((_CENSORED, _SEEN)) for key in of}
        known |= {key: float(truth_of(key)) for key in keys if truth_of(key)}
    found = np.array([known.get(key, np.nan) for key in keys], dtype=np.float64)
    if np.isnan(found).all() or (positive is not None and not (found == 1).any()):
        raise ValueError(
            f"expected words such as 1 and 0, yes and no, or dead and alive in {name!r}, or the one of the event as --positive, "
            f"got {listed(sorted(set(words)), most=5)}" + (f" and --positive {positive}" if positive else "")
        )
    return found


def _cox(table: Floats, y: Floats, split: Split) -> Floats:
    """Risks of the test part by the Cox regression that is best on the validation part."""
    steps = make_pipeline(filled(), StandardScaler()).fit(table[split.train])
    x = [pd.DataFrame(steps.transform(table[rows])).rename(columns=str) for rows in split]
    told = x[0].assign(time=y[split.train, 0], event=y[split.train, 1])
    best, risks = -np.inf, np.zeros((len(split.test), 1))
    for penalty in PENALTIES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                fitted = _lifelines().CoxPHFitter(penalizer=penalty).fit(told, "time", "event")
                chosen = fitted.predict_log_partial_hazard(x[1]).to_numpy()[:, None]
                said = fitted.predict_log_partial_hazard(x[2]).to_numpy()[:, None]
            except (ValueError, ArithmeticError):  # it does not converge
                continue
        value = np.nan_to_num(concordance_of(chosen, y[split.validation], [""] * len(chosen), 0)["concordance"][0])
        if value > best:
            best, risks = value, said
    return risks


def _lifelines() -> Any:
    """The package.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import lifelines
        import lifelines.utils
    except ImportError:
        raise ValueError(_LACKING) from None
    return lifelines
