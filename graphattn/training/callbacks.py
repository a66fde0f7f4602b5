"""What happens around training: the best weights are kept, checkpoints written, progress shown."""

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from graphattn.training.module import LearningModule
from graphattn.training.recipe import Recipe


class Keeper(pl.Callback):
    """Notes every epoch, keeps the weights of the best one, stops ``patience`` epochs after it, and writes checkpoints.

    Of epochs with equal scores the one with the lower validation loss is better: on few graphs scores are soon equal. Without
    patience the last epoch is kept. With a ``path`` there is a checkpoint after every epoch, which replaces the one before in
    one step: an interruption leaves either the old or the new one.

    Raises:
        ValueError: at the end of an epoch whose training loss became infinite or NaN.
    """

    def __init__(self, recipe: Recipe, path: Path | None = None) -> None:
        self.recipe, self.path = recipe, path
        self.best, self.kept = (-math.inf, -math.inf), -1
        self.weights: dict[str, Tensor] = {}
        self.epochs: list[dict[str, float]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was interrupted when it had just stopped stays stopped."""
        trainer.should_stop = self._is_over(trainer.current_epoch - 1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compares this epoch with the best one before."""
        assert isinstance(pl_module, LearningModule)
        row, epoch = pl_module.row(), trainer.current_epoch
        if not math.isfinite(row["loss"]):
            rate = self.recipe.learning_rate
            raise ValueError(
                f"training diverged: the loss became {row['loss']} at learning_rate {rate}; try a lower one"
            )
        self.epochs.append(row)
        if trainer.loggers:
            pl_module.log_dict({name: value for name, value in row.items() if name != "step"})
        value = self._value(row)
        if self.recipe.patience is None:
            self.kept = epoch
        elif value > self.best or not self.weights:
            self.best, self.kept = value, epoch
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in pl_module.kept.state_dict().items()}
        trainer.should_stop |= self._is_over(epoch)
        if self.path is not None:
            partial = self.path.with_suffix(".partial")
            trainer.save_checkpoint(partial)
            if trainer.is_global_zero:
                partial.replace(self.path)

    def _value(self, row: dict[str, float]) -> tuple[float, float]:
        loss = -row.get("val_loss", math.nan)
        score = row.get("val_score", math.nan)
        return (score if self.recipe.monitor == "score" and not math.isnan(score) else loss, loss)

    def _is_over(self, epoch: int) -> bool:
        if self.recipe.patience is None or not self.epochs:
            return False
        return epoch - self.kept >= self.recipe.patience or not math.isfinite(self.epochs[-1]["val_loss"])

    def state_dict(self) -> dict[str, Any]:
        """Goes into the checkpoint."""
        return {"best": self.best, "kept": self.kept, "weights": self.weights, "epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Comes from the checkpoint."""
        self.__dict__.update({name: state_dict[name] for name in ("best", "kept", "weights", "epochs")})


class Stopped(pl.Callback):
    """Notes that training was interrupted by Ctrl-C or SIGTERM, which Lightning turns into the end of the program."""

    interrupted = False

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Called by Lightning for every exception."""
        self.interrupted = isinstance(exception, KeyboardInterrupt | SIGTERMException)


class ProgressBar(pl.Callback):
    """One line: epoch, loss, validation score, the best so far.

    Args:
        keeper: knows the epochs.
        title: what is trained.
        score: name of ``val_score``; the validation loss is shown where it is empty.
        console: to write on; that of stderr if not given.
    """

    def __init__(self, keeper: Keeper, title: str, score: str = "", console: Console | None = None) -> None:
        self.keeper, self.score = keeper, score
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[figures]}"),
        )
        self.progress = Progress(*columns, console=console or Console(stderr=True))
        self.line = self.progress.add_task(title, total=1, figures="", epoch=0)

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
        rows, done, epochs = self.keeper.epochs, trainer.current_epoch + 1, trainer.max_epochs or 1
        name = self._name(rows)
        text = self._figures([row.get("val_score" if name else "val_loss", math.nan) for row in rows], name)
        self.progress.update(self.line, completed=done, epoch=done, figures=text)
        if not self.progress.console.is_terminal and done % max(1, epochs // 10) == 0:
            self.progress.console.print(f"epoch {done} of {epochs}: loss {rows[-1]['loss']:.3f}, {text}".rstrip(", "))

    def _name(self, rows: list[dict[str, float]]) -> str:
        """Of the score, where it is defined."""
        return self.score if any(not math.isnan(row.get("val_score", math.nan)) for row in rows) else ""

    def _figures(self, values: list[float], name: str) -> str:
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return ""
        best = max(known) if name else min(known)
        undefined = f"validation {self.score} undefined, " if self.score and not name else ""
        return f"{undefined}validation {name or 'loss'} {values[-1]:.3f}, best {best:.3f}"

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the line."""
        self.progress.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Closes the line after an error or Ctrl-C."""
        self.progress.stop()
