"""What tissue graphs consist of, on numbers computed by hand."""

import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.data.tissue.composition import SUMMARIES, cell_count, composition, mixing, spread, summaries

NAN = math.nan


def made(**given):
    held = {
        "pos": torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 7.0]]),
        "x": torch.tensor([[1.0, NAN], [3.0, NAN], [8.0, 6.0]]),
        "cell_type": torch.tensor([0, 2, 2]),
        "cell_type_names": ["b", "m", "t"],
        "edge_index": torch.tensor([[1, 0, 2, 1], [0, 1, 1, 2]]),
    }
    return Data.from_dict({name: value for name, value in (held | given).items() if value is not None})


def test_counts_and_shares():
    assert cell_count(made()).tolist() == [pytest.approx(math.log(3))]
    assert composition(made()).tolist() == pytest.approx([4.0, 6.0, 1 / 3, 0.0, 2 / 3])


def test_spread_and_spacing():
    found = spread(made())
    assert found[:5].tolist() == composition(made()).tolist()
    assert found[5:7].tolist() == pytest.approx([math.sqrt((9 + 1 + 16) / 3), 0.0])
    distances = [5.0, 3.0, 3.0]  # to the nearest cell
    assert found[7:].tolist() == pytest.approx([np.mean(distances), np.std(distances)])


def test_mixing_counts_pairs_in_either_order():
    # b-t twice and t-t twice; pairs bb, bm, bt, mm, mt, tt.
    assert mixing(made()).tolist() == [0, 0, 0.5, 0, 0, 0.5]
    turned = made(edge_index=torch.tensor([[0, 0, 1, 1], [1, 1, 2, 2]]))
    assert mixing(turned).tolist() == mixing(made()).tolist()
    unknown = made(cell_type=torch.tensor([-1, 2, 2]))
    assert mixing(unknown).tolist() == [0, 0, 0, 0, 0, 1]


def test_what_is_not_there_is_nan():
    alone = made(
        pos=torch.zeros(1, 2),
        x=torch.full((1, 2), NAN),
        cell_type=torch.tensor([-1]),
        edge_index=torch.zeros(2, 0).long(),
    )
    assert np.isnan(composition(alone)[:2]).all()
    assert composition(alone)[2:].tolist() == [0, 0, 0]
    assert np.isnan(spread(alone)[5:]).all()
    assert np.isnan(mixing(alone)).all()


def test_tables_hold_what_graphs_have():
    assert list(summaries([made(), made()])) == list(SUMMARIES)
    bare = made(x=None, cell_type=None, cell_type_names=None)
    assert {name: table.shape for name, table in summaries([bare, bare]).items()} == {
        "number of cells": (2, 1),
        "composition with spread and spacing": (2, 2),
    }
