"""One model in training: steps, optimiser, averaged weights and validation, for Lightning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, final

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch_geometric.data import Data

from graphattn.training.craft import Loss, Measure, scheduled
from graphattn.training.recipe import Recipe

Augment = Callable[[Data], Data]
"""A training batch, changed at random by torch's generator; the given one stays as it is."""


class EpochTally(Protocol):
    """Figures of validation, of one batch after the other; ``means`` has ``loss`` and, if there is one, ``score``."""

    def add(self, out: Any, batch: Data) -> None: ...

    def means(self) -> dict[str, float]: ...


@final
class MeansOverBatches:
    """The mean of a loss over batches, and of measures over all that is labelled.

    Args:
        loss: of a batch; batches count by the number of their labelled rows.
        measures: by name.
    """

    def __init__(self, loss: Loss, measures: Mapping[str, Measure]) -> None:
        self.loss, self.measures = loss, measures
        self.sums = dict.fromkeys(("loss", *measures), 0.0)
        self.counts = dict.fromkeys(self.sums, 0)

    def add(self, out: Tensor, batch: Data) -> None:
        """The outputs of the model for one batch."""
        labelled = int((batch["y"] != -100).sum()) if "y" in batch else len(out)
        if labelled:  # or else a mean of nothing, which is no number
            self._count("loss", float(self.loss(out, batch)) * labelled, labelled)
        for name, measure in self.measures.items():
            values = measure(out, batch)
            self._count(name, float(values.sum()), values.numel())

    def means(self) -> dict[str, float]:
        """The means by name; NaN where nothing is labelled."""
        return {name: total / self.counts[name] if self.counts[name] else math.nan for name, total in self.sums.items()}

    def _count(self, name: str, total: float, count: int) -> None:
        self.sums[name] += total
        self.counts[name] += count


@final
class LearningModule(pl.LightningModule):
    """``model`` learns ``loss`` as ``recipe`` says.

    Every step draws its random numbers from (recipe.seed, member, step) alone, so that a resumed run repeats an uninterrupted
    one.

    Args:
        model: takes a batch.
        loss: of its outputs.
        recipe: how.
        tally: makes the figures of one validation.
        augment: changes training batches.
        member: number of the model in an ensemble.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        recipe: Recipe,
        tally: Callable[[], EpochTally],
        augment: Augment | None = None,
        member: int = 0,
    ) -> None:
        super().__init__()
        self.model, self.loss, self.recipe, self.augment, self.member = model, loss, recipe, augment, member
        self.averaged = AveragedModel(model).requires_grad_(False) if recipe.average else None
        self.new_tally, self.tally = tally, tally()
        self.losses: list[Tensor] = []
        self.validated: dict[str, float] = {}
        self._average: Averaging | None = None

    @property
    def kept(self) -> nn.Module:
        """The network that is validated and kept: averaged weights where there are any."""
        return self.model if self.averaged is None else self.averaged.module

    def training_step(self, batch: Data, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        seed((self.recipe.seed, self.member, self.global_step), self.device)
        batch = batch if self.augment is None else self.augment(batch)
        loss = self.loss(self.model(batch), batch)
        self.losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Data, batch_idx: int) -> None:
        """Adds the new weights to the average."""
        if self.averaged is not None:
            if self._average is None:
                first = int(self.recipe.average_from * self.trainer.estimated_stepping_batches)
                self._average = Averaging(self.averaged, self.model, self.recipe.average, first)
            self._average.update()

    def on_train_epoch_start(self) -> None:
        """Forgets the losses of an epoch that was interrupted."""
        self.losses.clear()

    def validation_step(self, batch: Data, batch_idx: int) -> None:
        """Adds a batch to the figures."""
        self.tally.add(self.kept(batch), batch)

    def on_validation_epoch_end(self) -> None:
        """Notes the figures, and tells Lightning what schedules wait for."""
        self.validated = {f"val_{name}": value for name, value in self.tally.means().items()}
        self.tally = self.new_tally()
        self.log("val_loss", self.validated["val_loss"], logger=False)

    def row(self) -> dict[str, float]:
        """What was seen in the epoch that ends: ``step``, ``loss``, ``rate``, and the ``val_...`` of validation."""
        training = float(torch.stack(self.losses).mean()) if self.losses else math.nan
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        return {"step": float(self.global_step), "loss": training, "rate": rate, **self.validated}

    def configure_optimizers(self) -> Any:
        """AdamW; vectors (biases, norms) are not decayed."""
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": self.recipe.weight_decay},
            {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
        ]
        # On CUDA, fused steps exclude clipping under 16-bit precision.
        fused = True if self.recipe.fused and self.device.type == "cpu" else None
        given = [group for group in groups if group["params"]]
        optimizer = torch.optim.AdamW(given, lr=self.recipe.learning_rate, fused=fused)
        steps = int(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": scheduled(optimizer, self.recipe, steps)}


def seed(words: tuple[int, ...], device: torch.device) -> None:
    """Seeds torch's generator from ``words``."""
    (word,) = np.random.SeedSequence(words).generate_state(1, np.uint64).tolist()
    # torch.manual_seed notes for devices that are not there where it was called from, which takes half a millisecond.
    (torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed)(word)


@final
class Averaging:
    """Moving average of the weights of ``model`` in ``averaged``, from the step ``first`` on; before, the weights themselves.

    Its memory grows to 1 / (1 - decay) steps, so that the first weights fade soon; at a decay of 1 all steps count equally. What
    ``AveragedModel.update_parameters`` does, but that the weights are looked up once and not in every step; buffers are copied.
    """

    def __init__(self, averaged: AveragedModel, model: nn.Module, decay: float, first: int = 0) -> None:
        self.averaged, self.decay, self.first = averaged, decay, first
        self._weights = list(averaged.module.parameters()), list(model.parameters())
        self._buffers = list(zip(averaged.module.buffers(), model.buffers(), strict=True))

    def update(self) -> None:
        """Adds the weights of the model."""
        steps = float(self.averaged.n_averaged) - self.first
        decay = 0.0
        if steps > 0:
            decay = steps / (steps + 1) if self.decay == 1 else min(self.decay, (1 + steps) / (10 + steps))
        get_ema_multi_avg_fn(decay)(*self._weights, self.averaged.n_averaged)  # pyright: ignore[reportArgumentType]
        for mine, theirs in self._buffers:
            mine.copy_(theirs)
        self.averaged.n_averaged += 1
