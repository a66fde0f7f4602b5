"""Graph networks, forests and their blend: each is fitted, and the one that does best on inner splits is kept.

- ``graph``: :func:`~graphattn.training.molecules.ensemble.fit_molecules`.
- ``forest``: :func:`~graphattn.training.molecules.forests.fitting.fit_forest`.
- ``blend``: the mean of the predictions of both. The share of the forest is the best of five on the validation part, moved half
  the way to 1/2, since few molecules tell shares badly apart.
- ``auto``: the training part is split again, by the rule that made it, three times (once, if it is large); in each of these
  inner splits all three are fitted from nothing, and their scores on the inner test parts decide. What is kept was fitted on the
  training part before. Nothing is fitted again on training and validation molecules together: thresholds, calibration and
  prediction sets need predictions of molecules that were not trained on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.folder.checks import CHECKPOINTS
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.molecules.forests.fitting import best_forest, fit_forest, rank
from graphattn.training.molecules.objective import SCORES, score
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.molecules.start import StartingWeights
from graphattn.training.recipe import Hardware, MoleculeRecipe
from graphattn.training.runs import Interrupted
from graphattn.training.statistics import paired

Model = Literal["graph", "forest", "blend", "auto"]
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of a forest in a blend, which are compared on the validation part."""
Parts = tuple[Sequence[Data], Sequence[Data]]


class Chosen(NamedTuple):
    """A fitted model, and others to be tested beside it."""

    model: FittedModel
    beside: tuple[FittedModel, ...] = ()


@dataclass(frozen=True)
class Learner:
    """Fits graph networks and forests, all in one way, on parts ``(train, validation)`` of graphs.

    Args:
        task: what is predicted.
        recipe: of the training.
        architecture: of the networks; that of ``start`` if it is None.
        start: weights that networks begin with.
        hardware: that networks are trained on.
        verbose: whether progress is shown.
    """

    task: Task
    recipe: MoleculeRecipe
    architecture: Mapping[str, Any] | None = None
    start: StartingWeights | None = None
    hardware: Hardware | None = None
    verbose: bool = False

    def fit(
        self, model: Model, parts: Parts, draws: Sequence[Split] = (), folder: Path | None = None, resume: bool = False
    ) -> Chosen:
        """Fit what ``model`` says; ``auto`` chooses by the inner splits ``draws`` of the training part, or else on validation.

        With a ``folder``, what is finished goes to ``folder/training``, and ``resume`` goes on from there.

        Raises:
            ValueError: as ``fit_molecules`` and ``fit_forest``; weights to start from, and no network.
            Interrupted: Ctrl-C or SIGTERM, with a model that was fitted before.
        """
        if model == "graph":
            return Chosen(self._graph(parts, folder, resume))
        if model == "forest":
            if self.start is not None:
                raise ValueError(
                    "expected no network to start from, since a forest has none; got --from and --model forest"
                )
            return Chosen(fit_forest(*parts, self.task, recipe=self.recipe, folder=folder, resume=resume))
        fitted = self._each(parts, folder, resume)
        if model == "blend":
            return Chosen(fitted["blend"], (fitted["graph"], fitted["forest"]))
        try:
            scores = self._scores(parts[0], draws, folder, resume) if draws else self._validated(fitted, parts[1])
        except Interrupted:
            raise Interrupted(fitted["blend"]) from None
        kept = max(scores, key=lambda name: (rank(_mean(scores[name])), name == "blend"))
        fitted[kept].record["choice"] = _told(self.task, kept, scores, draws)
        return Chosen(fitted[kept], tuple(each for name, each in fitted.items() if name != kept))

    def _graph(self, parts: Parts, folder: Path | None, resume: bool) -> FittedModel:
        return fit_molecules(
            *parts,
            self.task,
            architecture=self.architecture,
            start=self.start,
            recipe=self.recipe,
            hardware=self.hardware,
            folder=folder,
            resume=resume,
            verbose=self.verbose,
        )

    def _each(self, parts: Parts, folder: Path | None, resume: bool) -> dict[str, FittedModel]:
        """All three, by name."""
        graph = self._graph(parts, folder, resume)
        try:
            forest = best_forest(*parts, self.task, self.recipe, folder and folder / CHECKPOINTS)
        except KeyboardInterrupt:
            raise Interrupted(graph) from None
        return {"graph": graph, "forest": forest, "blend": blended(graph, forest, parts[1])}

    def _scores(
        self, train: Sequence[Data], draws: Sequence[Split], folder: Path | None, resume: bool
    ) -> dict[str, list[float]]:
        """Of each on the inner test parts."""
        scores: dict[str, list[float]] = {}
        for number, draw in enumerate(draws):
            place = folder / CHECKPOINTS / f"inner-{number + 1}" if folder else None
            begun = resume and place is not None and (place / CHECKPOINTS).is_dir()
            fit, choose, test = ([train[row] for row in rows.tolist()] for rows in draw)
            for name, model in self._each((fit, choose), place, begun).items():
                scores.setdefault(name, []).append(_score(model, test))
        return scores

    def _validated(self, fitted: dict[str, FittedModel], validation: Sequence[Data]) -> dict[str, list[float]]:
        return {name: [_score(model, validation)] for name, model in fitted.items()}


def blended(graph: FittedModel, forest: FittedModel, validation: Sequence[Data]) -> FittedModel:
    """The mean of graph networks and a forest, fitted on the same molecules, by a share that ``validation`` tells."""
    assert forest.forest is not None
    share = best_share(graph, forest, validation)
    record = {**graph.record, "forests": forest.record["forests"]}
    return replace(
        graph,
        members=[*graph.members, *forest.members],
        descriptor_names=forest.descriptor_names,
        record=record,
        forest=replace(forest.forest, share=share),
    )


def best_share(graph: FittedModel, forest: FittedModel, validation: Sequence[Data]) -> float:
    """The best of :data:`SHARES`, that nearest to 1/2 of equal ones, moved half the way to 1/2."""
    given = list(validation)
    found, truth = [model.predict(given) for model in (graph, forest)], _labels(given)
    scores = {}
    for share in SHARES:
        mean = torch.from_numpy((1 - share) * found[0] + share * found[1])
        scores[share] = score(graph.task, mean, truth)
    best = max(SHARES, key=lambda share: (rank(scores[share]), -abs(share - 0.5)))
    return (best + 0.5) / 2


def _labels(graphs: Sequence[Data]) -> torch.Tensor:
    return torch.cat([graph["y"] for graph in graphs])


def _score(model: FittedModel, graphs: Sequence[Data]) -> float:
    return score(model.task, torch.from_numpy(model.predict(list(graphs))), _labels(graphs))


def _mean(scores: Sequence[float]) -> float:
    """Of those that are defined."""
    known = [value for value in scores if value == value]
    return float(np.mean(known)) if known else np.nan


def _told(task: Task, kept: str, scores: dict[str, list[float]], draws: Sequence[Split]) -> dict[str, Any]:
    """What ``model.json`` says of the choice: scores by name, and the paired differences of what was kept to the others."""
    ratio = float(np.mean([len(draw.test) / len(draw.train) for draw in draws])) if draws else 0.0
    differences = {}
    for name in (name for name in scores if name != kept):
        both = np.array([scores[kept], scores[name]])
        pairs: NDArray[np.float64] = both[:, ~np.isnan(both).any(0)]
        differences[name] = list(paired(pairs[0] - pairs[1], ratio).interval)
    return {
        "kept": kept,
        "measure": SCORES[task.kind],
        "inner": len(draws),
        "scores": scores,
        "differences": differences,
    }
