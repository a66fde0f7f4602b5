"""Training any model on any PyG graphs, in one call: molecules, sequences, images, nodes of one graph, generated data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from lightning.pytorch.loggers import CSVLogger, Logger
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from graphattn.training.batches import BatchData, Collated, ShuffledBatches, in_order
from graphattn.training.craft import Loss, Measure, accuracy, cross_entropy, mean_probabilities
from graphattn.training.module import LearningModule, MeansOverBatches
from graphattn.training.recipe import Hardware, Recipe
from graphattn.training.runs import Curves, Interrupted, TrainingRun, digest, seeded


def fit(
    model: nn.Module,
    train: Sequence[Data],
    validation: Sequence[Data] | None = None,
    recipe: Recipe | None = None,
    loss: Loss | None = None,
    measures: Mapping[str, Measure] | None = None,
    loggers: Sequence[Logger] = (),
    *,
    hardware: Hardware | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    verbose: bool = False,
) -> Curves:
    """Trains ``model`` in place and returns its curves; it ends in ``eval()``, on the CPU.

    With a ``folder``, logs go to ``folder/logs`` and checkpoints to ``folder/training``; ``resume`` goes on from there and ends
    at the weights of an uninterrupted run. The caller's random state is left alone.

    Args:
        model: takes a PyG batch, of which it makes logits or values, a row for each graph or for each node.
        train, validation: graphs; of the latter, or none, the curves of ``val_...``.
        recipe: how; :class:`Recipe` if not given.
        loss: ``cross_entropy()`` with ``batch.y`` if not given.
        measures: by name, shown as ``val_<name>``; ``accuracy`` if not given. One that is named ``score`` can be monitored.
        loggers: Lightning's, such as ``csv_logger(folder)`` or ``TensorBoardLogger(folder)``.
        hardware: where; one device that Lightning finds, and as many threads as torch has, if not given.
        folder: of logs and checkpoints.
        resume: goes on with the interrupted run in the folder, given the model as it was before training.
        verbose: shows a line of progress.

    Raises:
        ValueError: no training graphs, patience without validation graphs, a loss that became infinite; a ``resume`` without a
            checkpoint folder or with other settings, graphs or weights than the interrupted run's.
        Interrupted: Ctrl-C or SIGTERM; the model has its best weights until then.

    >>> from graphattn.data.generated import xor
    >>> from graphattn.models import Encoder, TokenEmbedding, learned
    >>> model = Encoder(TokenEmbedding(2, 16), outputs=2, heads=2, positional=learned(2))
    >>> curves = fit(model, xor(), xor(), Recipe(epochs=2, passes=50, batch_size=4))
    >>> curves.epochs[-1]["val_accuracy"]
    1.0
    """
    recipe = recipe or Recipe()
    if not train or (recipe.patience is not None and not validation):
        raise ValueError(
            f"expected graphs to train on, and to validate with where there is patience, got {len(train)} "
            f"and {len(validation or ())} with patience={recipe.patience}"
        )
    measures = {"accuracy": accuracy} if measures is None else measures
    loss = loss or cross_entropy()
    run = TrainingRun(
        Path(folder) if folder is not None else None,
        hardware or Hardware(threads=None),
        loggers,
        "training" if verbose else "",
        "score" if "score" in measures else "",
    )
    if folder is not None or resume:
        run.prepare(_settings(model, train, validation or (), recipe), resume)
    module = LearningModule(model, loss, recipe, partial(MeansOverBatches, loss, measures))
    curves, interrupted = run.member(module, _batches(train, validation, recipe))
    model.load_state_dict(module.kept.state_dict())
    model.cpu().eval()
    if interrupted:
        raise Interrupted(model)
    return curves


def fit_ensemble(
    make: Callable[[int], nn.Module], members: int, train: Sequence[Data], *given: Any
) -> tuple[Ensemble, list[Curves]]:
    """Trains ``make(0)``, ``make(1)``, ... each as ``fit(model, train, *given)`` does, and returns their ensemble.

    ``make`` seeds the weights: ``torch.manual_seed(member)``, then the model.
    """
    models = [make(member) for member in range(members)]
    return Ensemble(models), [fit(model, train, *given) for model in models]


@final
class Ensemble(nn.Module):
    """The mean of the probabilities of several models (Lakshminarayanan et al. 2017), as logits."""

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

    The loss is the mean over batches, weighted by their labelled rows; arguments are those of :func:`fit`.

    >>> from graphattn.data.generated import xor
    >>> from graphattn.models import Encoder, TokenEmbedding
    >>> sorted(evaluate(Encoder(TokenEmbedding(2, 8), outputs=2), xor()))
    ['accuracy', 'loss']
    """
    training = model.training
    model.eval()
    tally = MeansOverBatches(loss or cross_entropy(), {"accuracy": accuracy} if measures is None else measures)
    for batch in DataLoader(graphs, batch_size=batch_size):
        tally.add(model(batch), batch)
    model.train(training)
    return tally.means()


def csv_logger(folder: str | Path) -> CSVLogger:
    """Lightning's logger of curves as ``folder/version_.../metrics.csv``."""
    return CSVLogger(folder, name="")


def _batches(train: Sequence[Data], validation: Sequence[Data] | None, recipe: Recipe) -> BatchData:
    order = ShuffledBatches(len(train), recipe.batch_size, recipe.passes, recipe.seed)
    if not validation:
        return BatchData(Collated(train), order)
    return BatchData(Collated(train), order, Collated(validation), in_order(len(validation), 4 * recipe.batch_size))


def _settings(model: nn.Module, train: Sequence[Data], validation: Sequence[Data], recipe: Recipe) -> dict[str, Any]:
    """All that a resumed run must have in common with the interrupted one."""

    def described(graphs: Sequence[Data]) -> str:
        with seeded((recipe.seed,)):  # some draw noise when they are taken
            values = [value for graph in graphs for _, value in sorted(graph.to_dict().items())]
        return f"{len(graphs)}, sha256 {digest(value for value in values if isinstance(value, Tensor))}"

    return {
        **dataclasses.asdict(recipe),
        "training graphs": described(train),
        "validation graphs": described(validation),
        "weights before training": digest(model.state_dict().values()),
    }
