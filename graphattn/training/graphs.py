"""Training any model on any PyG graphs, in one call: sequences, images, generated data."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import CSVLogger, Logger
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from graphattn.training.craft import Loss, Measure, accuracy, cross_entropy, mean_probabilities
from graphattn.training.graph_module import GraphModule, Passes, Tally
from graphattn.training.graph_recipe import Curves, GraphRecipe


def fit_graphs(
    model: nn.Module,
    train: Sequence[Data],
    validation: Sequence[Data] | None = None,
    recipe: GraphRecipe | None = None,
    loss: Loss | None = None,
    measures: Mapping[str, Measure] | None = None,
    loggers: Sequence[Logger] = (),
) -> Curves:
    """Trains `model` in place, on the CPU or the accelerator that Lightning finds, and returns its curves; it ends in `eval()`.

    Args:
        model: takes a PyG batch, of which it makes logits.
        train, validation: graphs; of the latter, or none, the curves of `val_...`.
        recipe: how.
        loss: `cross_entropy()` with `batch.y` if not given.
        measures: by name, shown as `val_<name>`; `accuracy` if not given.
        loggers: Lightning's, such as `csv_logger(folder)` or `TensorBoardLogger(folder)`.

    Raises `ValueError` without training graphs, with patience without validation graphs, and where the loss became infinite.

    >>> from graphattn.data.generated import xor
    >>> from graphattn.models import Encoder, TokenEmbedding, learned
    >>> model = Encoder(TokenEmbedding(2, 16), outputs=2, heads=2, positional=learned(2))
    >>> curves = fit_graphs(model, xor(), xor(), GraphRecipe(epochs=2, passes=50, batch_size=4))
    >>> curves.epochs[-1]["val_accuracy"]
    1.0
    """
    recipe = recipe or GraphRecipe()
    if not train or (recipe.patience is not None and not validation):
        raise ValueError(
            f"expected graphs to train on, and to validate with where there is patience, got {len(train)} "
            f"and {len(validation or ())} with patience={recipe.patience}"
        )
    order = Passes(len(train), recipe.passes, recipe.seed)
    loader = DataLoader(train, batch_size=recipe.batch_size, sampler=order)
    checked = DataLoader(validation, batch_size=4 * recipe.batch_size) if validation else None
    named = {"accuracy": accuracy} if measures is None else measures
    module = GraphModule(model, loss or cross_entropy(), named, recipe, steps=len(loader) * recipe.epochs)
    started = time.perf_counter()
    with _quiet(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(recipe.seed)
        _trainer(module, loggers).fit(module, loader, checked)
    if module.best is not None:
        model.load_state_dict(module.best)
    model.eval()
    return Curves(module.epochs, time.perf_counter() - started, module.kept)


def fit_ensemble(
    make: Callable[[int], nn.Module], members: int, train: Sequence[Data], *given: Any
) -> tuple[Ensemble, list[Curves]]:
    """Trains `make(0)`, `make(1)`, ... each as `fit_graphs(model, train, *given)` does, and returns what they say together.

    `make` seeds the weights: `torch.manual_seed(member)`, then the model.
    """
    models = [make(member) for member in range(members)]
    return Ensemble(models), [fit_graphs(model, train, *given) for model in models]


@final
class Ensemble(nn.Module):
    """Models that say the mean of their probabilities (Lakshminarayanan et al. 2017), as logits."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, data: Data) -> Tensor:
        return mean_probabilities([model(data) for model in self.models])


@torch.no_grad()
def evaluate(
    model: nn.Module,
    graphs: Sequence[Data],
    loss: Loss | None = None,
    measures: Mapping[str, Measure] | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """The loss and the measures on graphs that the model was not chosen by, such as those for the test.

    The loss is the mean over batches, weighted by what was asked; arguments are those of `fit_graphs`.

    >>> from graphattn.data.generated import xor
    >>> from graphattn.models import Encoder, TokenEmbedding
    >>> sorted(evaluate(Encoder(TokenEmbedding(2, 8), outputs=2), xor()))
    ['accuracy', 'loss']
    """
    training = model.training
    model.eval()
    tally = Tally(loss or cross_entropy(), {"accuracy": accuracy} if measures is None else measures)
    for batch in DataLoader(graphs, batch_size=batch_size):
        tally.add(model(batch), batch)
    model.train(training)
    return tally.means()


def csv_logger(folder: str | Path) -> CSVLogger:
    """Lightning's logger of curves as `folder/version_.../metrics.csv`."""
    return CSVLogger(folder, name="")


def _trainer(module: GraphModule, loggers: Sequence[Logger]) -> pl.Trainer:
    recipe, callbacks = module.recipe, list[Callback]()
    if recipe.patience is not None:
        callbacks.append(EarlyStopping("val_loss", patience=recipe.patience))
    if recipe.average is not None:
        callbacks.append(recipe.average(module.steps))
    return pl.Trainer(
        max_epochs=recipe.epochs,
        gradient_clip_val=recipe.clip,
        callbacks=callbacks,
        logger=list(loggers),
        devices=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's chatter."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*but have no `val_dataloader`.*")
            warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
            warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
            warnings.filterwarnings("ignore", message="GPU available but not used.*")
            yield
    finally:
        logger.setLevel(level)
