"""One fit: a network is trained on the training part, stopped by the validation part and scored once on the test part."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from graphattn.comparison.fits.cost import cost
from graphattn.comparison.fits.diagnostics import learned
from graphattn.comparison.fits.networks import network
from graphattn.comparison.fits.process import free, one_thread, out_of_memory, seconds
from graphattn.comparison.fits.scoring import brief, chance, recorded, score
from graphattn.comparison.fits.tuning import Chosen, tune
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.record import Fit, FitRecord
from graphattn.comparison.settings import Settings
from graphattn.comparison.splitting import divided, label_mask, label_rows, part_labels
from graphattn.comparison.store import digest
from graphattn.data.splits import Split
from graphattn.environment import now, surroundings, versions
from graphattn.memory import tensors
from graphattn.models.by_name.network import Size, parameters
from graphattn.models.by_name.whole import Architecture
from graphattn.training import fitting as training
from graphattn.training.craft import Loss, cross_entropy, squared_error
from graphattn.training.recipe import Recipe
from graphattn.training.runs import Curves

MEASURED = 64
"""Graphs of the test part on which it is measured what a network costs and what it learned; labels play no part in it."""


@final
@dataclass(frozen=True)
class FitOrder:
    """A fit that is wanted, with all it takes.

    Baselines have no configuration and no size; ``batch_size`` is smaller after memory ran out.
    """

    fit: Fit
    split: Split
    configuration: Architecture | None = None
    size: Size | None = None
    batch_size: int | None = None


def worded(error: Exception) -> str:
    """The reason of a failed fit in one line."""
    text = " ".join(str(error).split())[:300]
    if out_of_memory(error):
        return f"out of memory: {text or type(error).__name__}"
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def started(problem: Problem, order: FitOrder, settings: Settings) -> FitRecord:
    """The record of a fit of which nothing is known yet, but its parts, and for permuted labels the band of chance."""
    train, _, test = part_labels(problem, order.split)
    return FitRecord(
        order.fit,
        "failed",
        problem.measure,
        width=order.size.width if order.size else 0,
        hidden=order.size.hidden if order.size else 0,
        train_size=len(train),
        test_size=len(test),
        chance=list(chance(problem.target, test)) if order.fit.role == "permuted" else [],
        batch_size=order.batch_size or settings.batch_size if order.configuration else 0,
        versions=dict(_versions()),
        date=now(),
    )


def fit(problem: Problem, order: FitOrder, settings: Settings, folder: Path | None = None) -> FitRecord:
    """Tune where trials are given, train, score and measure a network; returns a record in any case.

    Where memory runs out the batch is halved, down to one graph, which is recorded. Any other error is the reason of a fit
    that failed.

    Args:
        problem: with graphs as :func:`~graphattn.comparison.fits.networks.prepared` for the configuration; for controls, with
            permuted labels.
        order: the configuration, its size and its parts.
        settings: what is equal for all.
        folder: of the journals of tuning.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    record, before = started(problem, order, settings), time.perf_counter()
    # Larger than the training part is as large as it: halving it would change nothing.
    batch = most = min(record.batch_size, len(divided(problem, order.split).train))
    while True:
        try:
            with one_thread(), torch.random.fork_rng(devices=()):
                torch.manual_seed(order.fit.seed)
                found = _Fit(problem, order, settings, batch, folder).record(record)
                break
        except Exception as error:
            reason = worded(error)
            if not out_of_memory(error) or batch == 1:
                found = replace(record, reason=reason, batch_size=batch if batch < most else record.batch_size)
                break
        batch //= 2
        free()
    if batch < most or order.batch_size is not None:
        smaller = f"memory ran out with batches of {settings.batch_size}, so they were of {batch}"
        found = replace(found, reason="; ".join(filter(None, (smaller, found.reason))))
    return replace(found, seconds=time.perf_counter() - before)


@final
class _Fit:
    """The steps of one attempt at a fit, with batches of a given size."""

    def __init__(self, problem: Problem, order: FitOrder, settings: Settings, batch: int, folder: Path | None) -> None:
        if order.configuration is None or order.size is None:
            raise ValueError(f"expected a configuration and its size, got {order.configuration} and {order.size}")
        self.problem, self.order, self.settings, self.batch, self.folder = problem, order, settings, batch, folder
        self.configuration, self.size, self.seed = order.configuration, order.size, order.fit.seed
        self.parts, self.labels = divided(problem, order.split), part_labels(problem, order.split)

    def record(self, record: FitRecord) -> FitRecord:
        """All of it."""
        chosen = self._tuned()
        # Kernels are compiled by this step on a network that is thrown away, before seconds are counted.
        unused = self._network(chosen)
        mib = tensors(lambda: _step(unused, self._loss(), self.parts.train, self.batch))
        model, curves = self._trained(chosen)
        validation = self._score(model, self.parts.validation, self.labels[1])
        # The only look at the test part.
        answers = self._predicted(model, self.parts.test)
        tested = score(self.problem.target, self.labels[2], answers)
        rows = label_rows(self.problem, self.order.split.test)
        record = replace(
            record,
            status="ok",
            score=tested,
            validation=validation,
            chosen=chosen,
            parameters=parameters(model),
            epochs=len(curves.epochs),
            kept=curves.kept + 1,
            seconds_per_epoch=curves.seconds / len(curves.epochs),
            peak_mib=mib,
            curves={name: brief(curves.column(name)) for name in ("loss", "val_loss")},
            predictions=recorded(self.problem.target, rows, self.labels[2], answers),
            batch_size=self.batch if self.batch < len(self.parts.train) else record.batch_size,
        )
        return self._measured(model, record)

    def _tuned(self) -> Chosen:
        if not self.settings.trials:
            return {}
        journal = None if self.folder is None else self.folder / f"{digest(self.order.fit)}.journal"

        def validated(chosen: Chosen) -> float:
            return self._score(self._trained(chosen)[0], self.parts.validation, self.labels[1])

        return tune(self.settings, validated, self.seed, journal)

    def _network(self, chosen: Chosen) -> nn.Module:
        size = replace(self.size, dropout=chosen["dropout"]) if chosen else self.size
        return network(self.problem, self.configuration, size, self.seed, self.parts.train)

    def _loss(self) -> Loss:
        return squared_error if self.problem.target == "regression" else cross_entropy()

    def _trained(self, chosen: Chosen) -> tuple[nn.Module, Curves]:
        """The network with the weights of its best epoch, and its curves."""
        recipe = Recipe(
            epochs=self.settings.epochs,
            batch_size=self.batch,
            learning_rate=chosen.get("learning_rate", self.settings.learning_rate),
            weight_decay=chosen.get("weight_decay", self.settings.weight_decay),
            patience=self.settings.patience,
            seed=self.seed,
        )
        model = self._network(chosen)
        train, validation = (self._scaled(part) for part in self.parts[:2])
        before = seconds()
        curves = training.fit(model, train, validation, recipe, self._loss(), measures={})
        return model, curves._replace(seconds=seconds() - before)

    def _scaled(self, graphs: Sequence[Data]) -> list[Data]:
        """Values less the mean of the training part, in its standard deviations: R2 is the same, and learning is easier."""
        if self.problem.target != "regression":
            return list(graphs)
        mean, deviation = float(self.labels[0].mean()), float(self.labels[0].std())
        scaled = [copy.copy(graph) for graph in graphs]
        for graph in scaled:
            graph["y"] = ((graph["y"].double() - mean) / (deviation or 1.0)).float()
        return scaled

    def _score(self, model: nn.Module, graphs: Sequence[Data], labels: NDArray[np.float64]) -> float:
        return score(self.problem.target, labels, self._predicted(model, graphs))

    def _predicted(self, model: nn.Module, graphs: Sequence[Data]) -> NDArray[np.float64]:
        """Outputs for each row of a part, in the units of the labels."""
        outputs = predicted(model, graphs, self.problem, self.batch)
        if self.problem.target == "regression":
            outputs = outputs * (float(self.labels[0].std()) or 1.0) + float(self.labels[0].mean())
        return outputs

    def _measured(self, model: nn.Module, record: FitRecord) -> FitRecord:
        """Record with costs and diagnostics; where these fail, the score is kept and the reason recorded."""
        rows = [0] if self.problem.transductive else self.order.split.test[:MEASURED].tolist()
        try:
            costs = cost(model, self.configuration, self.size.heads, self.problem, rows)
            record = replace(record, flops=float(costs.flops), graphs_per_second=float(costs.graphs_per_second))
            return replace(record, learned=learned(model, self.configuration, self.problem, rows))
        except Exception as error:
            return replace(record, reason=f"not measured: {worded(error)}")


@torch.no_grad()
def predicted(model: nn.Module, graphs: Sequence[Data], problem: Problem, batch: int) -> NDArray[np.float64]:
    """Outputs of a network, a row for each label."""
    model.eval()
    found = []
    for each in DataLoader(list(graphs), batch_size=4 * batch):
        known = label_mask(problem, each["y"].reshape(-1).double().numpy())
        found.append(model(each).double().reshape(len(known), -1).numpy()[known])
    return np.concatenate(found)


def _step(model: nn.Module, loss: Loss, graphs: Sequence[Data], batch: int) -> None:
    """Forward and backward on the first batch."""
    some = next(iter(DataLoader(list(graphs[:batch]), batch_size=batch)))
    loss(model.train()(some), some).backward()


@lru_cache
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple({**versions(), "commit": str(surroundings()["commit"])}.items())
