import math

import pytest
import torch
from torch.nn import functional
from torch_geometric.data import Batch, Data

from graphattn.data.molecules.chemistry import read
from graphattn.training.pretraining.network import (
    Guesses,
    PretrainingNetwork,
    PretrainingTally,
    descriptor_error,
    fragment_surprise,
    hide,
    loss,
)
from graphattn.training.pretraining.targets import COUNTERS
from graphattn.training.recipe import Architecture

SIZES = Architecture(channels=8, heads=2, layers=1).to_dict()


def molecules(*texts):
    return Batch.from_data_list(read(texts).graphs)


def test_guesses_have_a_row_for_each_molecule_and_atom():
    found = PretrainingNetwork(SIZES, 5)(molecules("CCO", "C", "c1ccccc1"))
    assert found.descriptors.shape == (3, 5)
    assert found.counts.shape == (3, COUNTERS)
    assert found.elements.shape == (10, 120)


def test_batched_equals_alone():
    network = PretrainingNetwork(SIZES, 5).eval()
    together, alone = network(molecules("CCO", "c1ccccc1")), network(molecules("c1ccccc1"))
    assert torch.allclose(together.descriptors[1:], alone.descriptors, atol=1e-5)
    assert torch.allclose(together.elements[3:], alone.elements, atol=1e-5)


def test_another_architecture_is_refused(monkeypatch):
    monkeypatch.setattr("graphattn.training.pretraining.network.build", lambda *a, **b: torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="expected the architecture of a molecule network, got 'Linear'"):
        PretrainingNetwork({"name": "Linear"}, 5)


def test_loss_is_its_formula():
    generator = torch.Generator().manual_seed(0)
    guesses = Guesses(*(torch.randn(2, n, generator=generator) for n in (3, 4, 5)))
    wanted = torch.tensor([[1.0, 0.0, math.nan], [0.5, -1.0, 2.0]])
    counts = torch.tensor([[0, 2, 1, 0], [1, 0, 0, 3]], dtype=torch.uint8)
    batch = Data(descriptors=wanted, counts=counts, element=torch.tensor([4, -100]))
    d, c = guesses.descriptors, guesses.counts
    squares = [(d[i, j] - wanted[i, j]) ** 2 for i in range(2) for j in range(3) if (i, j) != (0, 2)]
    surprise = (c.exp() - counts * c).sum() / 7
    elements = functional.cross_entropy(guesses.elements[:1], torch.tensor([4]))
    assert torch.allclose(descriptor_error(guesses, batch), sum(squares) / 5)
    assert torch.allclose(fragment_surprise(guesses, batch), surprise)
    assert torch.allclose(loss(guesses, batch), sum(squares) / 5 + 0.2 * surprise + 0.2 * elements)


def test_without_hidden_atoms_elements_do_not_count():
    guesses = Guesses(torch.zeros(1, 2), torch.zeros(1, 3), torch.full((1, 4), torch.nan))
    batch = Data(descriptors=torch.ones(1, 2), counts=torch.ones(1, 3, dtype=torch.uint8))
    assert loss(guesses, batch) == pytest.approx(1.2)
    batch.element = torch.tensor([-100])
    assert loss(guesses, batch) == pytest.approx(1.2)


def test_hidden_atoms_are_told_by_their_element_and_the_others_are_not():
    batch = molecules(*["CCOCCNCCCl"] * 20)
    torch.manual_seed(0)
    hidden = hide(batch, 0.5)
    unknown = (hidden["x"] == 0).all(1)
    assert 0.3 < unknown.float().mean() < 0.7
    assert torch.equal(hidden["element"][unknown], batch["x"][unknown, 0])
    assert bool((hidden["element"][~unknown] == -100).all())
    assert "element" not in batch
    assert hide(batch, 0.0) is batch


def test_tally_is_the_mean_over_molecules():
    tally = PretrainingTally()
    for rows, value in ((3, 1.0), (1, 3.0)):
        batch = Data(descriptors=torch.full((rows, 2), value), counts=torch.ones(rows, 3, dtype=torch.uint8))
        tally.add(Guesses(torch.zeros(rows, 2), torch.zeros(rows, 3), torch.zeros(rows, 4)), batch)
    assert tally.means() == pytest.approx({"loss": 3 + 0.2, "score": 1 - 3})
