import pytest
import torch
from torch.testing import assert_close
from torch_geometric.nn.aggr import DegreeScalerAggregation

from graphattn.aggregation import (
    Max,
    Mean,
    Multi,
    SoftmaxSum,
    Std,
    amplification,
    attenuation,
    identity,
    inverse_linear,
    linear,
)
from graphattn.slots import Groups

F64 = torch.float64
DEGREES = torch.tensor([2, 3, 0, 1])
SCALERS = [identity, amplification, attenuation, linear, inverse_linear]
NAMES = [scaler.__name__ for scaler in SCALERS]


@pytest.mark.parametrize("index", [[0, 1, 1, 3, 3, 3], [], [2]], ids=str)
@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_multi_is_pygs_degree_scaler(index, dtype):
    ours = Multi([Mean(), Max(), Std()], SCALERS, DEGREES).to(dtype)
    theirs = DegreeScalerAggregation(["mean", "max", "std"], NAMES, DEGREES).to(dtype)
    message = torch.randn(len(index), 2, 3, dtype=dtype, requires_grad=True)
    index = torch.tensor(index, dtype=torch.long)
    heard, truth = ours.reduce(message, Groups(index, None, 5, None)), theirs(message, index, dim_size=5, dim=0)
    assert heard.shape == (5, 2, 45)
    tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype == F64 else {}
    assert_close(heard, truth, **tolerance)
    assert_close(*(torch.autograd.grad(out.sin().sum(), message)[0] for out in (heard, truth)), **tolerance)
    assert ours.weigh(None, Groups(index, None, 5, None)) is None


def test_averages_move_with_the_module():
    multi = Multi([Mean()], [linear], DEGREES)
    assert multi.average.degree.item() == 1
    assert_close(multi.average.log, torch.tensor([(3 * 0.693147 + 1.386294) / 6]))
    other = Multi([Mean()], [linear], torch.tensor([0, 1]))
    other.load_state_dict(multi.state_dict())
    assert torch.equal(other.average.log, multi.average.log)
    assert "scalers=(linear)" in repr(multi)


@pytest.mark.parametrize(
    ("aggregations", "scalers", "degrees", "words"),
    [
        ([], [identity], DEGREES, "at least one aggregation and one scaler, got 0 and 1"),
        ([Mean()], [], DEGREES, "at least one aggregation and one scaler, got 1 and 0"),
        ([Mean()], [identity, linear], None, "degrees of a training set to scale by, got None"),
        ([Mean(), SoftmaxSum()], [identity], DEGREES, "weigh no scores, got SoftmaxSum"),
        ([Mean()], [identity], torch.tensor([3, 0]), r"a training set with edges, got the histogram \[3, 0\]"),
    ],
)
def test_what_does_not_fit_is_refused(aggregations, scalers, degrees, words):
    with pytest.raises(ValueError, match=words):
        Multi(aggregations, scalers, degrees)
