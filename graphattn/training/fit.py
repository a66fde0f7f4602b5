"""Graphs in, fitted model out: trains every member of an ensemble, and goes on where an interrupted run stopped."""

import dataclasses
import hashlib
import importlib.util
import json
import logging
import shutil
import signal
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from safetensors.torch import load_file, save
from torch import nn
from torch_geometric.data import Data

from graphattn import files
from graphattn.data.tasks import Task
from graphattn.training.build import build
from graphattn.training.callbacks import Keeper, ProgressBar, Stopped
from graphattn.training.data_module import MoleculeData
from graphattn.training.folders import CHECKPOINTS
from graphattn.training.module import MoleculeModule
from graphattn.training.objective import Objective
from graphattn.training.packed import Packed, Standardiser, raw_descriptors
from graphattn.training.recipe import Architecture, Hardware, Recipe
from graphattn.training.saved import FittedModel


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM during training. `model` holds the best weights until then; a run with a folder can be resumed."""

    def __init__(self, model: FittedModel) -> None:
        super().__init__("training was interrupted")
        self.model = model


def fit(
    train: Sequence[Data],
    validation: Sequence[Data],
    task: Task,
    *,
    architecture: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    hardware: Hardware | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    verbose: bool = False,
) -> FittedModel:
    """Trains on `train`, chooses the epoch on `validation`, and returns the model (on the CPU, in evaluation mode).

    Graphs come from `graphattn.data.to_data` with `y` [1, T] (NaN: missing) and, to use descriptors at the readout,
    raw `descriptors` [1, D]. With a `folder`, logs (CSV, and TensorBoard if it is installed) go to `folder/logs` and
    checkpoints to `folder/training`; `resume` goes on from there and ends at the weights of an uninterrupted run. The
    caller's random state is left alone.

    Raises `ValueError` for empty parts, for a `resume` without a checkpoint folder or with other settings or data than
    the interrupted run's, for more than one device, and when the weights became infinite; `Interrupted` on Ctrl-C and
    SIGTERM.
    """
    recipe = recipe or Recipe()
    words = dict(architecture if architecture is not None else Architecture().to_dict())
    standardiser = Standardiser.of(raw_descriptors(train)) if train and "descriptors" in train[0] else None
    size = recipe.batch_size_for(len(train))
    data = MoleculeData(Packed(train, standardiser), Packed(validation, standardiser), size, recipe.seed)
    assert data.train.y is not None
    objective = Objective(task, data.train.y, recipe.balance)
    run = Run(words, recipe, hardware or Hardware(), Path(folder) if folder is not None else None, verbose)
    run.prepare(_settings(words, recipe, task, data), resume)
    model = FittedModel(task, words, recipe, [], (objective.mean.clone(), objective.deviation.clone()), standardiser)
    model.record["training"] = []
    width = standardiser.width if standardiser else 0
    for member in range(recipe.members):
        with _seeded((recipe.seed, member)):
            network = build(words, task.outputs, width)
        interrupted = run.member(model, MoleculeModule(network, objective, recipe, member), data)
        if interrupted:
            raise Interrupted(model)
    return model


@dataclass
class Run:
    """Where one call of `fit` writes and on what it computes."""

    architecture: Mapping[str, Any]
    recipe: Recipe
    hardware: Hardware
    folder: Path | None
    verbose: bool

    def prepare(self, settings: dict[str, Any], resume: bool) -> None:
        """Writes down the settings, or compares them with those of the run to be resumed."""
        if self.folder is None:
            if resume:
                raise ValueError("resume needs the folder of the interrupted run, got folder=None")
            return
        path = self.folder / CHECKPOINTS / "settings.json"
        if resume and not path.parent.is_dir():
            raise ValueError(f"nothing to resume in {self.folder}: {path.parent} is missing")
        begun = resume and path.is_file()  # a run that was killed before it wrote them begins anew
        if begun:
            stored = _read(path)
            for name, value in settings.items():
                if stored.get(name) != value:
                    raise ValueError(f"cannot resume {self.folder}: {name} was {stored.get(name)!r}, is now {value!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in () if begun else (*path.parent.glob("*.ckpt"), *path.parent.glob("member-*")):
            old.unlink(missing_ok=True)
        files.write(path, json.dumps(settings, indent=1))

    def member(self, model: FittedModel, module: MoleculeModule, data: MoleculeData) -> bool:
        """Adds one member to `model`, trained, or read if it is finished. Returns whether it was interrupted."""
        finished = self.folder / CHECKPOINTS / f"member-{module.member + 1}.safetensors" if self.folder else None
        history = finished.with_suffix(".json") if finished else None
        if finished and history and history.is_file():
            model.record["training"].append(_read(history))
            module.kept.load_state_dict(load_file(finished))
            interrupted = False
        else:
            keeper, interrupted, seconds = self.train(module, data)
            if keeper.weights:
                module.kept.load_state_dict(keeper.weights)
            _check_finite(module.kept, self.recipe)
            report = {"best_epoch": keeper.epoch + 1, "seconds": round(seconds, 1), **keeper.history}
            model.record["training"].append(report)
            if finished and history and not interrupted:
                files.write(
                    finished, save({name: value.contiguous() for name, value in module.kept.state_dict().items()})
                )
                files.write(history, json.dumps(report))
                finished.with_suffix(".ckpt").unlink(missing_ok=True)
        model.members.append(module.kept.cpu().eval())
        return interrupted

    def train(self, module: MoleculeModule, data: MoleculeData) -> tuple[Keeper, bool, float]:
        """One run of Lightning's trainer, from the checkpoint where there is one. Returns the best weights as well."""
        recipe, started = self.recipe, time.perf_counter()
        checkpoint = self.folder / CHECKPOINTS / f"member-{module.member + 1}.ckpt" if self.folder else None
        keeper, stopped = Keeper(recipe.monitor, recipe.patience, checkpoint), Stopped()
        callbacks: list[Callback] = [keeper, stopped]
        if self.verbose:
            title = f"model {module.member + 1} of {recipe.members}" if recipe.members > 1 else "training"
            callbacks.append(ProgressBar(title))
        with _quiet(), _seeded((recipe.seed, module.member, 1)), _threads(self.hardware.threads):
            trainer = pl.Trainer(
                accelerator=self.hardware.accelerator,
                devices=self.hardware.devices,
                precision=self.hardware.precision,  # pyright: ignore[reportArgumentType] - Lightning checks the word
                max_epochs=recipe.epochs,
                gradient_clip_val=recipe.gradient_clip,
                callbacks=callbacks,
                logger=self.loggers(module.member),
                log_every_n_steps=1,
                num_sanity_val_steps=0,
                use_distributed_sampler=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            try:
                resumed = str(checkpoint) if checkpoint and checkpoint.is_file() else None
                trainer.fit(module, data, ckpt_path=resumed, weights_only=True)
            except SystemExit:
                if not stopped.interrupted:
                    raise
        return keeper, stopped.interrupted, time.perf_counter() - started

    def loggers(self, member: int) -> list[Logger]:
        """A new folder of logs for every attempt, so that a resumed run keeps what the first one wrote."""
        if self.folder is None:
            return []
        attempts = len(list((self.folder / "logs").glob(f"model-{member + 1}*")))
        name = f"model-{member + 1}" + (f"-resumed-{attempts}" if attempts else "")
        loggers: list[Logger] = [CSVLogger(self.folder, "logs", name)]
        if importlib.util.find_spec("tensorboard"):
            loggers.append(TensorBoardLogger(self.folder, "logs", name, default_hp_metric=False))
        return loggers


def clear(folder: Path) -> None:
    """Removes the checkpoints of a run that is finished and saved: the settings first, without which nothing is resumed."""
    (folder / CHECKPOINTS / "settings.json").unlink(missing_ok=True)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        text = f"{path} is damaged: {error}; remove the folder {path.parent.parent} and train again"
        raise ValueError(text) from None


def _settings(architecture: Mapping[str, Any], recipe: Recipe, task: Task, data: MoleculeData) -> dict[str, Any]:
    settings = {"architecture": dict(architecture), "task": task.to_dict(), **dataclasses.asdict(recipe)}
    for name, part in (("training molecules", data.train), ("validation molecules", data.validation)):
        digest = hashlib.sha256()
        for tensor in (part.x, part.edge_index, part.edge_attr, part.y, part.descriptors):
            if tensor is not None:
                digest.update(tensor.contiguous().numpy().tobytes())
        settings[name] = f"{len(part)}, sha256 {digest.hexdigest()[:16]}"
    return json.loads(json.dumps(settings))


def _check_finite(network: nn.Module, recipe: Recipe) -> None:
    if not all(weight.isfinite().all() for weight in network.parameters()):
        rate = recipe.learning_rate
        raise ValueError(f"training diverged: weights became infinite at learning_rate {rate}; try a lower one")


@contextmanager
def _seeded(words: tuple[int, ...]) -> Iterator[None]:
    """Random numbers from `words` inside, the caller's state untouched outside."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(hash(words) % 2**63)
        yield


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """So many threads of torch inside; as many as before outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's chatter, and with the caller's handler of Ctrl-C put back after."""
    logger = logging.getLogger("lightning.pytorch")
    level, handler = logger.level, signal.getsignal(signal.SIGINT)
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
            warnings.filterwarnings("ignore", message="GPU available but not used.*")
            yield
    finally:
        logger.setLevel(level)
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)
