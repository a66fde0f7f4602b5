"""One run of Lightning's trainer, from where an interrupted one stopped, and the folder that it can be resumed from."""

import hashlib
import importlib.util
import json
import logging
import shutil
import signal
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from safetensors.torch import load_file, save
from torch import Tensor, nn

from graphattn import files
from graphattn.training.batches import BatchData
from graphattn.training.callbacks import Keeper, ProgressBar, Stopped
from graphattn.training.folder.checks import CHECKPOINTS
from graphattn.training.module import LearningModule
from graphattn.training.recipe import Hardware, Recipe

_LAYOUT = 2
"""Of the files in the folder of checkpoints."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM during training. ``model`` has the best weights until then; a run with a folder can be resumed."""

    def __init__(self, model: Any) -> None:
        super().__init__("training was interrupted")
        self.model = model


class Curves(NamedTuple):
    """What was seen after each epoch by name (``step``, ``loss``, ``rate``, ``val_loss``, ``val_...``), the seconds it all took,
    and the epoch whose weights were kept, counted from 0.
    """

    epochs: list[dict[str, float]]
    seconds: float
    kept: int

    def column(self, name: str) -> list[float]:
        """One of them, epoch by epoch."""
        return [epoch[name] for epoch in self.epochs]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of a member that is finished."""
        return cls(**read_json(path))


@dataclass(frozen=True)
class TrainingRun:
    """Where one training writes, on what it computes, and what it shows.

    Args:
        folder: of logs and checkpoints; none if not given.
        hardware: devices, precision, threads.
        loggers: Lightning's, beside those of the folder.
        title: of the line of progress; nothing is shown without one.
        score: name of ``val_score`` in that line.
    """

    folder: Path | None = None
    hardware: Hardware = field(default_factory=Hardware)
    loggers: Sequence[Logger] = ()
    title: str = ""
    score: str = ""

    def prepare(self, settings: dict[str, Any], resume: bool) -> None:
        """Writes down the settings, or compares them with those of the run to be resumed.

        Raises:
            ValueError: nothing to resume, or other settings than those of the interrupted run.
        """
        settings = json.loads(json.dumps({"layout": _LAYOUT, **settings}))
        if self.folder is None:
            if resume:
                raise ValueError("resume needs the folder of the interrupted run, got folder=None")
            return
        path = self.folder / CHECKPOINTS / "settings.json"
        if resume and not path.parent.is_dir():
            raise ValueError(f"nothing to resume in {self.folder}: {path.parent} is missing")
        begun = resume and path.is_file()  # a run that was killed before it wrote them begins anew
        if begun:
            stored = read_json(path)
            for name, value in settings.items():
                if stored.get(name) != value:
                    raise ValueError(f"cannot resume {self.folder}: {name} was {stored.get(name)!r}, is now {value!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in () if begun else (*path.parent.glob("*.ckpt"), *path.parent.glob("member-*")):
            old.unlink(missing_ok=True)
        files.write(path, json.dumps(settings, indent=1))

    def member(self, module: LearningModule, data: BatchData) -> tuple[Curves, bool]:
        """Trains one model, or reads it if it is finished; ``module.kept`` then has its weights. Whether it was interrupted."""
        finished = self._path(module, "safetensors")
        history = self._path(module, "json")
        if finished and history and history.is_file():
            module.kept.load_state_dict(load_file(finished))
            return Curves.read(history), False
        keeper, interrupted, seconds = self._train(module, data)
        if keeper.weights:
            module.kept.load_state_dict(keeper.weights)
        _check_finite(module.kept, module.recipe)
        curves = Curves(keeper.epochs, seconds, keeper.kept)
        if finished and history and not interrupted:
            weights = {name: value.contiguous() for name, value in module.kept.state_dict().items()}
            files.write(finished, save(weights))
            files.write(history, json.dumps(curves._asdict()))
            finished.with_suffix(".ckpt").unlink(missing_ok=True)
        return curves, interrupted

    def _train(self, module: LearningModule, data: BatchData) -> tuple[Keeper, bool, float]:
        """From the checkpoint where there is one: the best weights, whether it was interrupted, the seconds."""
        recipe, started, checkpoint = module.recipe, time.perf_counter(), self._path(module, "ckpt")
        keeper, stopped = Keeper(recipe, checkpoint), Stopped()
        callbacks: list[Callback] = [keeper, stopped]
        if self.title:
            callbacks.append(ProgressBar(keeper, self.title, self.score))
        with quiet(), seeded((recipe.seed, module.member, 1)), _threads(self.hardware.threads):
            trainer = pl.Trainer(
                accelerator=self.hardware.accelerator,
                devices=self.hardware.devices,
                precision=self.hardware.precision,  # pyright: ignore[reportArgumentType] - Lightning checks the word
                max_epochs=recipe.epochs,
                gradient_clip_val=recipe.gradient_clip,
                callbacks=callbacks,
                logger=[*self.loggers, *self._loggers(module.member)],
                log_every_n_steps=1,
                limit_val_batches=None if data.validation is not None else 0,
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

    def _path(self, module: LearningModule, ending: str) -> Path | None:
        return self.folder / CHECKPOINTS / f"member-{module.member + 1}.{ending}" if self.folder else None

    def _loggers(self, member: int) -> list[Logger]:
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


def digest(tensors: Iterable[Tensor | None]) -> str:
    """Sixteen digits of the SHA-256 of tensors, by which a resumed run knows its data."""
    found = hashlib.sha256()
    for tensor in tensors:
        if tensor is not None:
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def read_json(path: Path) -> dict[str, Any]:
    """Object in a JSON file.

    Raises:
        ValueError: a damaged file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        text = f"{path} is damaged: {error}; remove the folder {path.parent.parent} and train again"
        raise ValueError(text) from None


def _check_finite(network: nn.Module, recipe: Recipe) -> None:
    if not all(weight.isfinite().all() for weight in network.parameters()):
        rate = recipe.learning_rate
        raise ValueError(f"training diverged: weights became infinite at learning_rate {rate}; try a lower one")


@contextmanager
def seeded(words: tuple[int, ...]) -> Iterator[None]:
    """Random numbers from ``words`` inside, the caller's state untouched outside."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(hash(words) % 2**63)
        yield


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """So many threads of torch inside; as many as before outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def quiet() -> Iterator[None]:
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
