"""A recurrent network: what it says in a batch is what it says alone, and what torch's GRU says."""

from copy import deepcopy

import pytest
import torch
from torch_geometric.data import Batch

from graphattn.data.sequences import sequence
from graphattn.models import Recurrent, TokenEmbedding
from graphattn.models.recurrent import in_time
from graphattn.topology import read_sizes

SIZES = [[3, 5, 1], [4], [0, 2, 0, 7, 7, 0], [1, 1], [0]]


def batch_of(sizes: list[int]) -> Batch:
    torch.manual_seed(0)
    return Batch.from_data_list([sequence(torch.randint(6, (size,))) for size in sizes])


def model(layers: int = 1) -> Recurrent:
    torch.manual_seed(1)
    return Recurrent(TokenEmbedding(6, 8), outputs=3, layers=layers).double()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("layers", [1, 2])
def test_equals_torch_on_each_sequence_alone(sizes, layers):
    ours, batch = model(layers), batch_of(sizes)
    theirs = deepcopy(ours)
    alone = [
        theirs.head(theirs.recurrence(theirs.embedding(data))[0]) if data.num_nodes else torch.empty(0, 3).double()
        for data in batch.to_data_list()
    ]
    found, expected = ours(batch), torch.cat(alone)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    if not batch.num_nodes:
        return
    found.square().sum().backward()
    expected.square().sum().backward()
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad, rtol=1e-9, atol=1e-9)


def test_a_node_hears_only_those_before():
    network, before = model(), torch.tensor([1, 2, 3, 4])
    after = before.clone()
    after[2] = 5
    first, second = network(sequence(before)), network(sequence(after))
    torch.testing.assert_close(first[:2], second[:2])
    assert (first[2:] - second[2:]).abs().min() > 1e-6


@pytest.mark.parametrize("sizes", SIZES)
def test_in_time_orders_all_nodes_by_place(sizes):
    order, together = in_time(read_sizes(sizes))
    assert order.sort().values.tolist() == list(range(sum(sizes)))
    assert together.tolist() == [sum(size > place for size in sizes) for place in range(max(sizes))]


def test_parameters_can_be_drawn_anew():
    network = model()
    before = [parameter.clone() for parameter in network.parameters()]
    network.reset_parameters()
    assert all((old != new).any() for old, new in zip(before, network.parameters(), strict=True))
