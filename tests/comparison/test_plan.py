"""All fits before the first, and the protocol in words."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.comparison import plan as module
from graphattn.comparison.fits.scoring import chance
from graphattn.comparison.plan import plan
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.settings import Settings
from graphattn.comparison.splitting import part_labels, relabelled

SETTINGS = Settings(repeats=2, width=8, hidden=8, depth=1, heads=2)
PAIR = torch.tensor([[0, 1], [1, 0]])


def problem():
    graphs = [Data(x=torch.randn(2, 3), edge_index=PAIR, y=torch.tensor([k % 2])) for k in range(40)]
    return Problem("made", graphs, "binary", ("no", "yes"), notes=("made up",))


def nodes():
    y = torch.arange(40) % 2
    return Problem("nodes", [Data(x=torch.randn(40, 3), edge_index=PAIR, y=y)], "binary", ("no", "yes"), "node")


def test_parts_are_the_outer_loop():
    orders = plan(problem(), ["gcn", "mlp"], ["edges"], SETTINGS).orders
    assert [order.fit.split for order in orders] == [0] * 7 + [1] * 7
    assert [order.fit.role for order in orders[:7]] == ["baseline"] * 3 + ["model"] * 2 + ["permuted"] * 2


def test_settings_of_a_fit_name_what_sizes_follow():
    def reference(*layers):
        return plan(problem(), layers, ["full", "edges"], SETTINGS).orders[0].fit.settings["reference"]

    assert reference("gcn", "attention") == "attention on full"
    assert reference("gcn", "mlp") == "gcn on full"


def test_notes_hold_the_bound_for_chance_beforehand():
    planned = plan(problem(), ["gcn"], ["edges"], SETTINGS)
    control = next(order for order in planned.orders if order.fit.role == "permuted")
    labels = part_labels(relabelled(problem(), control.split, control.fit.seed), control.split)[2]
    low, high = chance("binary", labels)
    notes = "\n".join(planned.notes)
    assert notes.startswith("made up\n")
    assert f"chance lies between {low:.3f} and {high:.3f} ROC-AUC" in notes
    assert (low, high) == (0, 1)
    assert "This part is too small for such a control to say anything." in notes
    assert (
        "2 splits of the data (stratified), 1 fit of each layer on each. Training: 32 graphs; validation, which chooses the "
        "epoch: 4; test, evaluated once in each fit: 4." in notes
    )
    assert "at most 60 epochs, patience 10, batches of 64, learning rate 0.002, no tuning" in notes


def test_the_notes_say_that_all_nodes_exchange_messages():
    planned = plan(nodes(), ["gcn"], ["edges"], SETTINGS)
    assert "Training: 32 nodes;" in planned.notes[0]
    assert "all its nodes exchange messages, labels outside the training part are masked" in planned.notes[3]
    assert len(np.concatenate(planned.orders[0].split)) == 40


def test_what_cannot_be_divided_is_said_before_sizes_are_matched(monkeypatch):
    monkeypatch.setattr(module, "matched", lambda *given: pytest.fail("matched first"))
    few = Problem("few", problem().graphs[:4], "binary", ("no", "yes"))
    with pytest.raises(ValueError, match="got 4 rows or groups in few"):
        plan(few, ["gcn"], ["edges"], SETTINGS)
