import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.convert.masks import unpadded
from graphattn.topology import Causal, Edges, Full

LATER = nn.Transformer.generate_square_subsequent_mask(4)
PADDING = torch.tensor([[False, False, False, False], [True, False, False, True], [False, False, True, True]])


def test_no_mask_is_full_and_a_mask_of_what_comes_later_is_causal():
    x = torch.randn(3, 4, 2)
    assert isinstance(unpadded(x).graph, Full)
    assert unpadded(x).graph.num_edges == 48
    nodes = unpadded(x, PADDING)
    assert isinstance(nodes.graph, Full)
    assert nodes.graph.receivers.ptr.tolist() == [0, 4, 6, 8]
    for mask in (LATER, LATER.isneginf()):
        assert isinstance(unpadded(x, PADDING, mask).graph, Causal)


def test_any_other_mask_is_its_edges():
    x, mask = torch.randn(3, 4, 2), torch.rand(4, 4) > 0.4
    nodes = unpadded(x, PADDING, mask)
    assert isinstance(nodes.graph, Edges)
    real = ~PADDING.flatten()
    graph = torch.arange(3).repeat_interleave(4)
    truth = (graph[:, None] == graph) & ~mask.repeat(3, 3)
    assert torch.equal(nodes.graph.mask(), truth[real][:, real])
    assert nodes.graph.receivers.ptr.tolist() == [0, 4, 6, 8]


def test_results_go_back_where_they_stood():
    x = torch.randn(3, 4, 2)
    nodes = unpadded(x, PADDING)
    assert_close(nodes.laid_out(nodes.x), x.masked_fill(PADDING.unsqueeze(-1), 0))


def test_wrong_masks_are_refused():
    x = torch.randn(3, 4, 2)
    with pytest.raises(ValueError, match=r"x of shape \[B, L, F\], got \[3, 4\]"):
        unpadded(x[..., 0])
    with pytest.raises(ValueError, match=r"bool and shape \[3, 4\], got torch.float32 and \[3, 4\]"):
        unpadded(x, PADDING.float())
    with pytest.raises(ValueError, match=r"shape \[4, 4\], got \[6, 4, 4\]"):
        unpadded(x, None, torch.zeros(6, 4, 4))
    with pytest.raises(ValueError, match=r"0 and -inf, got numbers from -2 to 0.5: give them as an edge bias"):
        unpadded(x, None, torch.tensor([[0.5, -2, 0, 0]]).repeat(4, 1))
