"""Molecular graphs in, fitted model out: trains every member of an ensemble, and goes on where an interrupted run stopped."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.data.tasks import Task
from graphattn.training.batches import BatchData, SizeBatches, by_size
from graphattn.training.folder.build import build
from graphattn.training.module import LearningModule
from graphattn.training.molecules.objective import SCORES, Objective, predictions, score
from graphattn.training.molecules.packed import Packed, Standardiser, raw_descriptors
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.molecules.start import StartingWeights
from graphattn.training.recipe import Architecture, Hardware, MoleculeRecipe
from graphattn.training.runs import Curves, Interrupted, TrainingRun, digest, seeded


def fit_molecules(
    train: Sequence[Data],
    validation: Sequence[Data],
    task: Task,
    *,
    architecture: Mapping[str, Any] | None = None,
    recipe: MoleculeRecipe | None = None,
    hardware: Hardware | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    verbose: bool = False,
    start: StartingWeights | None = None,
) -> FittedModel:
    """Trains on ``train``, chooses the epoch on ``validation``, and returns the model (on the CPU, in evaluation mode).

    Graphs come from ``graphattn.data.to_data`` with ``y`` [1, T] (NaN: missing), to weight rows ``weight`` [1] and, to use
    descriptors at the readout, raw ``descriptors`` [1, D]. With a ``folder``, logs (CSV, and TensorBoard if it is installed) go
    to ``folder/logs`` and checkpoints to ``folder/training``; ``resume`` goes on from there and ends at the weights of an
    uninterrupted run. The caller's random state is left alone. With a ``start`` every network begins with its weights, and
    the architecture is its own.

    Raises:
        ValueError: empty parts; a ``resume`` without a checkpoint folder or with other settings or data than the interrupted
            run's; more than one device; weights that became infinite; an architecture that is not that of the start.
        Interrupted: Ctrl-C or SIGTERM.
    """
    recipe = recipe or MoleculeRecipe()
    words = _architecture(architecture, start)
    standardiser = Standardiser.of(raw_descriptors(train)) if train and "descriptors" in train[0] else None
    packed = Packed.of(train, standardiser), Packed.of(validation, standardiser)
    data = _batches(*packed, recipe)
    labels = packed[0].beside["y"]
    objective = Objective(task, labels, recipe.balance)
    run = TrainingRun(
        Path(folder) if folder is not None else None, hardware or Hardware(), score=SCORES[task.kind] if verbose else ""
    )
    run.prepare(_settings(words, recipe, task, packed) | _started(start), resume)
    model = FittedModel(task, words, recipe, [], (objective.mean.clone(), objective.deviation.clone()), standardiser)
    model.record |= {"training": [], "curves": [], **_started(start)}
    for member in range(recipe.members):
        width = standardiser.width if standardiser else 0
        network = _network(words, task.outputs, width, (recipe.seed, member), start)
        tally, masked = partial(WholeValidation, objective), partial(hide_atoms, share=recipe.atom_mask)
        module = LearningModule(network, objective, recipe, tally, masked, member)
        title = f"model {member + 1} of {recipe.members}" if recipe.members > 1 else "training"
        curves, interrupted = dataclasses.replace(run, title=title if verbose else "").member(module, data)
        model.record["training"].append(_best(curves))
        model.record["curves"].append(curves.epochs)
        model.members.append(module.kept.cpu().eval())
        if interrupted:
            raise Interrupted(model)
    return model


def _architecture(given: Mapping[str, Any] | None, start: StartingWeights | None) -> dict[str, Any]:
    if start is None:
        return dict(given) if given is not None else Architecture().to_dict()
    if given is not None and dict(given) != dict(start.architecture):
        raise ValueError(f"expected the architecture of {start.name}, {dict(start.architecture)}, got {dict(given)}")
    return dict(start.architecture)


def _network(
    words: Mapping[str, Any], outputs: int, width: int, words_of_seed: tuple[int, int], start: StartingWeights | None
) -> nn.Module:
    with seeded(words_of_seed):
        network = build(words, outputs, width)
    if start is not None:
        start.into(network)
    return network


def _started(start: StartingWeights | None) -> dict[str, Any]:
    return {"start": start.describe()} if start is not None else {}


@final
class WholeValidation:
    """The loss and the score of all validation molecules together, :class:`~graphattn.training.module.EpochTally`."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.validated: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, out: Tensor, batch: Data) -> None:
        """Keeps logits and labels until the epoch ends."""
        weight = batch["weight"] if "weight" in batch else torch.ones_like(batch["y"][:, 0])
        self.validated.append((out.float(), batch["y"], weight))

    def means(self) -> dict[str, float]:
        """The loss, and the score; where that is not defined, the loss with the other sign."""
        logits, y, weight = (torch.cat(parts) for parts in zip(*self.validated, strict=True))
        loss = float(self.objective.of(logits, y, weight))
        task, mean, deviation = self.objective.task, self.objective.mean, self.objective.deviation
        return {"loss": loss, "score": score(task, predictions(task, logits, mean, deviation), y)}


def hide_atoms(batch: Data, share: float) -> Data:
    """A shallow copy in which each atom is, with probability ``share``, index 0 ("unknown") in every feature."""
    if share == 0:
        return batch
    atoms = batch["x"]
    hidden = torch.rand(len(atoms), 1, device=atoms.device) < share
    shallow = copy.copy(batch)
    shallow.update({"x": atoms.masked_fill(hidden, 0)})
    return shallow


def _batches(train: Packed, validation: Packed, recipe: MoleculeRecipe) -> BatchData:
    size = recipe.batch_size_for(len(train))
    order = SizeBatches(train.nodes.numpy(), size, recipe.seed)
    # Four times as large: nothing is kept for a backward pass.
    return BatchData(train, order, validation, by_size(validation.nodes.numpy(), 4 * size))


def _best(curves: Curves) -> dict[str, Any]:
    """The epoch that was kept."""
    row = curves.epochs[curves.kept] if curves.epochs else {}
    figures = {name: value for name, value in row.items() if name != "step"}
    return {"best_epoch": curves.kept + 1, "seconds": round(curves.seconds, 1), **figures}


def _settings(
    architecture: Mapping[str, Any], recipe: MoleculeRecipe, task: Task, parts: tuple[Packed, Packed]
) -> dict[str, Any]:
    settings = {"architecture": dict(architecture), "task": task.to_dict(), **dataclasses.asdict(recipe)}
    for whose, part in zip(("training molecules", "validation molecules"), parts, strict=True):
        rows = (part.beside.get(name) for name in ("y", "weight", "descriptors"))
        found = digest((*(part.parts[name] for name in ("x", "edge_index", "edge_attr")), *rows))
        settings[whose] = f"{len(part)}, sha256 {found}"
    return settings
