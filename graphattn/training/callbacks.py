"""What happens around training: the best weights are kept, checkpoints written, progress shown."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from graphattn.training.module import MoleculeModule
from graphattn.training.objective import SCORES


class Keeper(pl.Callback):
    """Keeps the weights of the best epoch, stops `patience` epochs after it, and writes a checkpoint every epoch.

    Of epochs with equal scores the one with the lower validation loss is better: on few molecules scores are soon
    equal. Without a `path` there is no checkpoint. A checkpoint replaces the one before in one step: an interruption
    leaves either the old or the new one.
    """

    def __init__(self, monitor: str, patience: int, path: Path | None = None) -> None:
        self.monitor, self.patience, self.path = monitor, patience, path
        self.best, self.epoch = (float("-inf"), float("-inf")), -1
        self.weights: dict[str, Tensor] = {}
        self.history: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was interrupted when it had just stopped stays stopped."""
        trainer.should_stop = bool(self.weights) and trainer.current_epoch - 1 - self.epoch >= self.patience

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compares this epoch with the best one before."""
        assert isinstance(pl_module, MoleculeModule)
        loss = -float(trainer.callback_metrics["val_loss"])
        value = (float(trainer.callback_metrics["val_score"]) if self.monitor == "score" else loss, loss)
        if value > self.best or not self.weights:
            self.best, self.epoch = value, trainer.current_epoch
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in pl_module.kept.state_dict().items()}
            self.history = {name: float(v) for name, v in trainer.callback_metrics.items()}
        trainer.should_stop |= trainer.current_epoch - self.epoch >= self.patience
        if self.path is not None:
            partial = self.path.with_suffix(".partial")
            trainer.save_checkpoint(partial)
            if trainer.is_global_zero:
                partial.replace(self.path)

    def state_dict(self) -> dict[str, Any]:
        """Goes into the checkpoint."""
        return {"best": self.best, "epoch": self.epoch, "weights": self.weights, "history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Comes from the checkpoint."""
        self.__dict__.update({name: state_dict[name] for name in ("best", "epoch", "weights", "history")})


class Stopped(pl.Callback):
    """Notes that training was interrupted by Ctrl-C or SIGTERM, which Lightning turns into the end of the program."""

    interrupted = False

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Called by Lightning for every exception."""
        self.interrupted = isinstance(exception, KeyboardInterrupt | SIGTERMException)


class ProgressBar(pl.Callback):
    """One line: epoch, loss, validation score, the best so far."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[figures]}"),
        )
        self.progress = Progress(*columns, console=console or Console(stderr=True))
        self.line = self.progress.add_task(title, total=1, figures="", epoch=0)
        self.best = float("-inf")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the line."""
        self.progress.update(self.line, total=trainer.max_epochs, completed=trainer.current_epoch)
        self.progress.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the line by a part of an epoch."""
        part = (batch_idx + 1) / max(1, int(trainer.num_training_batches))
        self.progress.update(self.line, completed=trainer.current_epoch + part)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Adds the figures of the epoch; in a log file, where no line can move, writes some of them down."""
        assert isinstance(pl_module, MoleculeModule)
        value = {name: float(figure) for name, figure in trainer.callback_metrics.items()}
        self.best = max(self.best, value["val_score"])
        name = SCORES[pl_module.objective.task.kind]
        text = f"validation {name} {value['val_score']:.3f}, best {self.best:.3f}"
        self.progress.update(
            self.line, completed=trainer.current_epoch + 1, epoch=trainer.current_epoch + 1, figures=text
        )
        epochs = trainer.max_epochs or 1
        if not self.progress.console.is_terminal and (trainer.current_epoch + 1) % max(1, epochs // 10) == 0:
            self.progress.console.print(
                f"epoch {trainer.current_epoch + 1} of {epochs}: loss {value['loss']:.3f}, {text}"
            )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the line."""
        self.progress.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Closes the line after an error or Ctrl-C."""
        self.progress.stop()
