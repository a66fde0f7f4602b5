"""One model in training: steps, schedule, averaged weights and validation, for Lightning."""

import copy
import math
from typing import Any, final

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch_geometric.data import Data

from graphattn.training.objective import Objective, predictions, score
from graphattn.training.recipe import Recipe


class MoleculeModule(pl.LightningModule):
    """`model` learns `objective` as `recipe` says.

    Every step draws its random numbers from (recipe.seed, member, step) alone, so that a resumed run repeats an
    uninterrupted one. Logged once per epoch: `loss`, `val_loss`, `val_score` and the learning rate `rate`.
    """

    def __init__(self, model: nn.Module, objective: Objective, recipe: Recipe, member: int = 0) -> None:
        super().__init__()
        self.model, self.objective, self.recipe, self.member = model, objective, recipe, member
        self.averaged = AveragedModel(model) if recipe.average else None
        self.average = MovingAverage(recipe.average)
        if self.averaged is not None:
            self.averaged.requires_grad_(False)
        self.losses: list[Tensor] = []
        self.validated: list[tuple[Tensor, Tensor]] = []

    @property
    def kept(self) -> nn.Module:
        """The network that is validated and kept: averaged weights where there are any."""
        return self.model if self.averaged is None else self.averaged.module

    def training_step(self, batch: Data, batch_idx: int) -> Tensor:
        """Loss of one batch with some atoms hidden."""
        words = np.random.SeedSequence((self.recipe.seed, self.member, self.global_step)).generate_state(1, np.uint64)
        _seed(int(words[0]), self.device)
        loss = self.objective(self.model(hide_atoms(batch, self.recipe.atom_mask)), batch["y"])
        self.losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Data, batch_idx: int) -> None:
        """Adds the new weights to the average."""
        if self.averaged is not None:
            self.average.update(self.averaged, self.model)

    def on_train_epoch_start(self) -> None:
        """Forgets the losses of an epoch that was interrupted."""
        self.losses.clear()

    def validation_step(self, batch: Data, batch_idx: int) -> None:
        """Keeps logits and labels until the epoch ends."""
        self.validated.append((self.kept(batch).float(), batch["y"]))

    def on_validation_epoch_end(self) -> None:
        """Logs the loss and the score of all validation molecules together."""
        logits, y = (torch.cat(parts) for parts in zip(*self.validated, strict=True))
        self.validated.clear()
        loss = float(self.objective(logits, y))
        task, mean, deviation = self.objective.task, self.objective.mean, self.objective.deviation
        value = score(task, predictions(task, logits, mean, deviation), y)
        value = -loss if math.isnan(value) else value
        training = torch.stack(self.losses).mean() if self.losses else torch.tensor(float("nan"))
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        scalars = {"loss": training, "val_loss": loss, "val_score": value, "rate": rate}
        self.log_dict(scalars, sync_dist=self.trainer.world_size > 1, batch_size=len(y))

    def configure_optimizers(self) -> Any:
        """AdamW; vectors (biases, norms) are not decayed. Linear warm-up, then a cosine to zero, per step."""
        weights = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in weights if p.dim() > 1], "weight_decay": self.recipe.weight_decay},
            {"params": [p for p in weights if p.dim() <= 1], "weight_decay": 0.0},
        ]
        # On CUDA, fused steps exclude clipping under 16-bit precision.
        optimizer = torch.optim.AdamW(groups, lr=self.recipe.learning_rate, fused=self.device.type == "cpu")
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, self.recipe.warmup))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate(step: int, steps: int, warmup: float) -> float:
    """Share of the full learning rate at `step` of `steps`.

    >>> [round(rate(step, 100, 0.1), 2) for step in (0, 4, 9, 55, 100)]
    [0.1, 0.5, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising)))


def hide_atoms(batch: Data, share: float) -> Data:
    """A shallow copy in which each atom is, with probability `share`, index 0 ("unknown") in every feature."""
    if share == 0:
        return batch
    atoms = batch["x"]
    hidden = torch.rand(len(atoms), 1, device=atoms.device) < share
    shallow = copy.copy(batch)
    shallow.update({"x": atoms.masked_fill(hidden, 0)})
    return shallow


def _seed(word: int, device: torch.device) -> None:
    # torch.manual_seed notes for devices that are not there where it was called from, which takes half a millisecond.
    seed = torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed
    seed(word)


@final
class MovingAverage:
    """Moving average of the weights; its memory grows to 1 / (1 - decay) steps, so that the first weights fade soon.

    What `AveragedModel.update_parameters` does, but that the weights are looked up once and not in every step.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._weights: tuple[list[Tensor], list[Tensor]] | None = None

    def update(self, averaged: AveragedModel, model: nn.Module) -> None:
        """Adds the weights of `model`, whose parameters are the same in every step; buffers are copied."""
        if self._weights is None:
            self._weights = list(averaged.module.parameters()), list(model.parameters())
        steps = float(averaged.n_averaged)
        grown = min(self.decay, (1 + steps) / (10 + steps)) if steps else 0.0
        get_ema_multi_avg_fn(grown)(*self._weights, averaged.n_averaged)  # pyright: ignore[reportArgumentType]
        for mine, theirs in zip(averaged.module.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)
        averaged.n_averaged += 1
