import pytest
import torch
from torch.testing import assert_close

from graphattn.edge_terms import ALiBi, alibi_slopes
from graphattn.topology import Full


@pytest.mark.parametrize(
    ("heads", "powers"),
    [
        (1, [8]),
        (2, [4, 8]),
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),
        (16, [0.5 * head for head in range(1, 17)]),
        # Those of the next lower power of two, then every second one of the next higher.
        (3, [4, 8, 2]),
        (6, [2, 4, 6, 8, 1, 3]),
        (12, [1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5]),
    ],
)
def test_slopes_are_those_of_the_paper(heads, powers):
    assert_close(alibi_slopes(heads), torch.tensor([2.0**-power for power in powers]))


def test_the_penalty_grows_with_the_distance():
    bias = ALiBi(8).on_edges(Full([3]), {}).view(3, 3, 8)
    assert_close(bias[:, :, 0], torch.tensor([[0, -0.5, -1], [-0.5, 0, -0.5], [-1, -0.5, 0]]))
    assert_close(bias[:, :, 7], bias[:, :, 0] / 128)


def test_no_head_is_refused():
    with pytest.raises(ValueError, match="at least one head, got 0"):
        ALiBi(0)
