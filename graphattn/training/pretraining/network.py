r"""The network that is pretrained, what it guesses, and how wrong it is.

.. math:: L = \text{mean}\big[(\hat d - d)^2\big] + \tfrac{1}{5} \frac{\sum_w e^{\hat c_w} - c_w \hat c_w}{\sum_w c_w}
    + \tfrac{1}{5}\, \text{CE}(\hat a, a)

with descriptors ``d`` as standardised normal scores, counts of fragments ``c`` (a Poisson likelihood), and the elements ``a`` of
hidden atoms. Letters: ``B`` molecules, ``N`` atoms, ``F`` channels, ``D`` descriptors, ``W`` counters, ``K`` elements.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data

from graphattn.data.molecules.features import atom_sizes
from graphattn.models.network import Network
from graphattn.topology import read_sizes
from graphattn.training.folder.build import build
from graphattn.training.molecules.ensemble import hide_atoms
from graphattn.training.molecules.start import TRANSFERRED
from graphattn.training.pretraining.targets import COUNTERS

_PART = 0.2


class Guesses(NamedTuple):
    """Of a batch: descriptors ``[B, D]``, logarithms of expected counts ``[B, W]``, logits of each atom's element ``[N, K]``."""

    descriptors: Tensor
    counts: Tensor
    elements: Tensor


@final
class PretrainingNetwork(nn.Module):
    """A molecule network whose heads guess descriptors, counted fragments and the elements of atoms.

    Args:
        architecture: of the network, as :func:`~graphattn.training.folder.build.build` takes it.
        descriptors: how many ``D`` there are.

    Raises:
        ValueError: an architecture that is none of :class:`~graphattn.models.network.Network`.

    Shapes: a batch of ``N`` atoms in ``B`` molecules -> :class:`Guesses`.
    """

    def __init__(self, architecture: Mapping[str, Any], descriptors: int) -> None:
        super().__init__()
        network = build(architecture, outputs=1, descriptors=0)
        if not isinstance(network, Network) or not isinstance(network.head, nn.Sequential):
            raise ValueError(f"expected the architecture of a molecule network, got {architecture['name']!r}")
        first = network.head[0]
        assert isinstance(first, nn.Linear)
        channels, width = first.out_features, first.in_features
        self.network, self.descriptors = network, descriptors
        network.head = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, descriptors + COUNTERS)
        )
        self.element = nn.Linear(channels, atom_sizes()[0])

    def forward(self, batch: Data) -> Guesses:
        states = self.network.states(batch)
        guessed = self.network.head(self.network.readout(states, read_sizes(batch)))
        return Guesses(guessed[:, : self.descriptors], guessed[:, self.descriptors :], self.element(states))

    def transferred(self) -> list[Tensor]:
        """The weights that a training starts from."""
        return [weight for name, weight in self.network.named_parameters() if name.startswith(TRANSFERRED)]


def hide(batch: Data, share: float) -> Data:
    """A shallow copy in which atoms are hidden with probability ``share``, and ``element [N]`` says what they were.

    ``element`` is -100 for atoms that are not hidden.
    """
    hidden = hide_atoms(batch, share)
    if hidden is not batch:
        shown = (hidden["x"] == batch["x"]).all(dim=1)
        hidden["element"] = batch["x"][:, 0].masked_fill(shown, -100)
    return hidden


def loss(guesses: Guesses, batch: Data) -> Tensor:
    """The sum of the three parts; the last one where atoms are hidden."""
    total = descriptor_error(guesses, batch) + _PART * fragment_surprise(guesses, batch)
    if "element" in batch and bool((batch["element"] != -100).any()):
        total = total + _PART * functional.cross_entropy(guesses.elements, batch["element"])
    return total


def descriptor_error(guesses: Guesses, batch: Data) -> Tensor:
    """Mean squared error of the descriptors' scores that are known: 1 for a guess of means."""
    known = ~batch["descriptors"].isnan()
    return (guesses.descriptors - batch["descriptors"].nan_to_num(0.0)).square()[known].mean()


def fragment_surprise(guesses: Guesses, batch: Data) -> Tensor:
    """Negative logarithm of the Poisson likelihood of the counts, without its constant, for each counted fragment."""
    counts = batch["counts"].float()
    surprise = functional.poisson_nll_loss(guesses.counts, counts, log_input=True, reduction="sum")
    return surprise / counts.sum().clamp(min=1)


@final
class PretrainingTally:
    """Loss and share of explained variance of descriptors over all validation molecules."""

    def __init__(self) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64)

    def add(self, out: Guesses, batch: Data) -> None:
        """Adds a batch; it counts by its molecules."""
        rows, error = len(out.descriptors), descriptor_error(out, batch)
        self.sums += torch.tensor([rows, rows * float(loss(out, batch)), rows * float(error)], dtype=torch.float64)

    def means(self) -> dict[str, float]:
        """``loss``, and as ``score`` the share of explained variance of the descriptors' scores."""
        rows, total, error = self.sums.tolist()
        return {"loss": total / rows, "score": 1 - error / rows}
