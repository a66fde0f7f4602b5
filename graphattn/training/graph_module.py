"""One model on graphs in training, for Lightning: steps, optimiser, validation, the best weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, final

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.utils.data import Sampler
from torch_geometric.data import Data

from graphattn.training.craft import Loss, Measure
from graphattn.training.graph_recipe import GraphRecipe


@final
class Tally:
    """The mean of a loss over batches, and of measures over all that was asked.

    Args:
        loss: of a batch; batches count by what was asked in them.
        measures: by name.
    """

    def __init__(self, loss: Loss, measures: Mapping[str, Measure]) -> None:
        self.loss, self.measures = loss, measures
        self.sums = dict.fromkeys(("loss", *measures), 0.0)
        self.counts = dict.fromkeys(self.sums, 0)

    def add(self, out: Tensor, batch: Data) -> None:
        """What the model says about one batch."""
        asked = int((batch["y"] != -100).sum()) if "y" in batch else len(out)
        if asked:  # or else a mean of nothing, which is no number
            self._count("loss", float(self.loss(out, batch)) * asked, asked)
        for name, measure in self.measures.items():
            values = measure(out, batch)
            self._count(name, float(values.sum()), values.numel())

    def means(self) -> dict[str, float]:
        """The means by name; NaN where nothing was asked."""
        return {name: total / self.counts[name] if self.counts[name] else math.nan for name, total in self.sums.items()}

    def _count(self, name: str, total: float, count: int) -> None:
        self.sums[name] += total
        self.counts[name] += count


@final
class GraphModule(pl.LightningModule):
    """`model` learns `loss` as `recipe` says; after each epoch a row is added to `epochs`, and the best weights are kept."""

    def __init__(
        self, model: nn.Module, loss: Loss, measures: Mapping[str, Measure], recipe: GraphRecipe, steps: int
    ) -> None:
        super().__init__()
        self.model, self.loss, self.measures, self.recipe, self.steps = model, loss, measures, recipe, steps
        self.tally = Tally(loss, measures)
        self.losses: list[Tensor] = []
        self.epochs: list[dict[str, float]] = []
        self.validated: dict[str, float] = {}
        self.best: dict[str, Tensor] | None = None
        self.kept = -1

    def configure_optimizers(self) -> Any:
        """AdamW; vectors (biases, norms) are not decayed."""
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": self.recipe.weight_decay},
            {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=self.recipe.learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": self.recipe.schedule(optimizer, self.steps)}

    def training_step(self, batch: Data, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        loss = self.loss(self.model(batch), batch)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Data, batch_idx: int) -> None:
        """Counts one batch; behind the last one, while an average of the weights is in place, keeps the best of them."""
        self.tally.add(self.model(batch), batch)
        if batch_idx + 1 < self.trainer.num_val_batches[0]:
            return
        self.validated = {f"val_{name}": value for name, value in self.tally.means().items()}
        self.tally = Tally(self.loss, self.measures)
        if self.recipe.patience is None:
            return
        before = min((epoch["val_loss"] for epoch in self.epochs), default=math.inf)
        if self.best is None or self.validated["val_loss"] < before:
            self.kept = self.current_epoch
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def on_train_epoch_end(self) -> None:
        """Writes the epoch down; here and not step by step, so that steps are fast."""
        mean = float(torch.stack(self.losses).mean())
        self.losses.clear()
        if not math.isfinite(mean):
            rate = self.recipe.learning_rate
            raise ValueError(f"training diverged: the loss became {mean} at learning_rate {rate}; try a lower one")
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        row = {"step": float(self.global_step), "loss": mean, "rate": rate, **self.validated}
        self.epochs.append(row)
        if self.recipe.patience is None:
            self.kept = self.current_epoch
        if self.loggers:
            self.log_dict({name: value for name, value in row.items() if name != "step"})

    def on_validation_epoch_end(self) -> None:
        """Tells Lightning what schedules and early stopping wait for."""
        self.log("val_loss", self.validated["val_loss"], logger=False)


@final
class Passes(Sampler[int]):
    """Numbers of `count` graphs in a random order, `passes` times over; another one in each epoch, from a seed.

    >>> order = Passes(3, passes=2, seed=0)
    >>> len(order), sorted(order)
    (6, [0, 0, 1, 1, 2, 2])
    """

    def __init__(self, count: int, passes: int, seed: int) -> None:
        self.count, self.passes = count, passes
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self.count * self.passes

    def __iter__(self) -> Iterator[int]:
        for _ in range(self.passes):
            yield from torch.randperm(self.count, generator=self.generator).tolist()
