import pytest
import torch

from graphattn.aggregation import RelationMean
from graphattn.slots import Groups


def test_each_relation_has_a_mean_and_they_add_up():
    message = torch.tensor([1.0, 3.0, 10.0, 5.0, 7.0])[:, None, None]
    index, kind = torch.tensor([0, 0, 0, 2, 2]), torch.tensor([1, 1, 0, 0, 1])
    heard = RelationMean(2).reduce(message, Groups(index, None, 3, kind))
    assert heard.flatten().tolist() == [12, 0, 12]
    assert RelationMean(2).weigh(None, Groups(index, None, 3, kind)) is None
    assert "relations=2" in repr(RelationMean(2))


def test_types_of_edges_are_needed():
    with pytest.raises(ValueError, match="tells the types of edges for RelationMean, got none"):
        RelationMean(2).reduce(torch.zeros(1, 1, 1), Groups(torch.tensor([0]), None, 1, None))
