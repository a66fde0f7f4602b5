"""T5's buckets, by the distances at which they end."""

import math

import pytest
import torch

from graphattn.edge_terms import T5Bias, buckets_backwards, buckets_both_ways
from graphattn.topology import Full

# The first distance of each bucket of 32 up to 128, as T5's checkpoints were trained.
ENCODER = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
DECODER = [*range(16), 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]


def by_first(firsts, distance):
    return max(bucket for bucket, first in enumerate(firsts) if first <= distance)


def test_buckets_of_the_encoder():
    for distance in range(300):
        before, after = buckets_both_ways(torch.tensor([-distance, distance])).tolist()
        assert before == by_first(ENCODER, distance)
        assert after == before + (16 if distance else 0)


def test_buckets_of_the_decoder():
    for distance in range(300):
        assert buckets_backwards(torch.tensor(-distance)).item() == by_first(DECODER, distance)
        assert buckets_backwards(torch.tensor(distance)).item() == 0


@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (8, 20), (6, 9), (64, 512)])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_are_those_of_transformers(buckets, farthest, bidirectional):
    # `T5Attention._relative_position_bucket`, line by line.
    relative_position, num_buckets, relative_buckets = torch.arange(-600, 601), buckets, 0
    if bidirectional:
        num_buckets //= 2
        relative_buckets += (relative_position > 0).to(torch.long) * num_buckets
        relative_position = torch.abs(relative_position)
    else:
        relative_position = -torch.min(relative_position, torch.zeros_like(relative_position))
    max_exact = num_buckets // 2
    is_small = relative_position < max_exact
    relative_position_if_large = max_exact + (
        torch.log(relative_position.float() / max_exact) / math.log(farthest / max_exact) * (num_buckets - max_exact)
    ).to(torch.long)
    relative_position_if_large = torch.min(
        relative_position_if_large, torch.full_like(relative_position_if_large, num_buckets - 1)
    )
    relative_buckets += torch.where(is_small, relative_position, relative_position_if_large)

    ours = buckets_both_ways if bidirectional else buckets_backwards
    assert torch.equal(ours(torch.arange(-600, 601), buckets, farthest), relative_buckets)
    # Beyond the farthest distance the bias reads no further than its table.
    bias = T5Bias(3, buckets, farthest, bucket=ours)
    expected = bias.table[relative_buckets]
    assert torch.equal(bias(torch.tensor(600), torch.arange(1201)), expected)


def test_the_bias_of_an_edge_is_the_bucket_of_sender_minus_receiver():
    bias = T5Bias(1)
    with torch.no_grad():
        bias.table.copy_(torch.arange(32.0)[:, None])
    # Receiver below, sender across.
    assert bias.on_edges(Full([3]), {}).view(3, 3).tolist() == [[0, 17, 18], [1, 0, 17], [2, 1, 0]]


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: T5Bias(2, buckets=2), "1 buckets in a direction, 0 of them exact, and farthest=128"),
        (lambda: T5Bias(2, buckets=32, farthest=8), "16 buckets in a direction, 8 of them exact, and farthest=8"),
        (lambda: buckets_backwards(torch.tensor(1), 4, 2), "4 buckets in a direction, 2 of them exact, and farthest=2"),
    ],
)
def test_buckets_that_cannot_be_are_refused(make, got):
    with pytest.raises(ValueError, match=got):
        make()
