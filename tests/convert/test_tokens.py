import pytest
import torch
from torch_geometric.data import Batch, Data

from graphattn.convert.tokens import lay_out, read_mask, read_tokens, sizes_of, token_graphs

IDS = torch.tensor([[5, 6, 7], [8, 9, 0]])
REAL = torch.tensor([[1, 1, 1], [1, 1, 0]])


def test_padded_tokens_and_token_graphs_are_the_same_tokens():
    kinds = torch.tensor([[0, 0, 1], [0, 1, 1]])
    padded = read_tokens(IDS, REAL, kinds, places=9)
    graphs = token_graphs({"input_ids": [[5, 6, 7], [8, 9]], "token_type_ids": [[0, 0, 1], [0, 1]]})
    unpadded = read_tokens(graphs, places=9)
    for one, other in zip(padded[:3], unpadded[:3], strict=True):
        assert torch.equal(one, other)
    assert padded.sizes.ptr.tolist() == unpadded.sizes.ptr.tolist() == [0, 3, 5]
    assert padded.place.tolist() == [0, 1, 2, 0, 1]
    assert unpadded.real is None


@pytest.mark.parametrize("dtype", [torch.long, torch.bool, torch.float32])
def test_padding_on_the_left_keeps_columns_as_places(dtype):
    tokens = read_tokens(IDS.flip(1), REAL.flip(1).to(dtype), places=3)
    assert tokens.ids.tolist() == [7, 6, 5, 9, 8]
    assert tokens.place.tolist() == [0, 1, 2, 1, 2]
    assert tokens.laid_out(tokens.ids.float().unsqueeze(1)).squeeze(-1).tolist() == [[7, 6, 5], [0, 9, 8]]


def test_positions_are_those_given_or_go_on_from_a_start():
    start = torch.tensor([4, 7])
    assert read_tokens(IDS, REAL, places=10, start=start).place.tolist() == [4, 5, 6, 7, 8]
    graphs = token_graphs({"input_ids": [[5, 6, 7], [8, 9]]})
    assert read_tokens(graphs, places=10, start=start).place.tolist() == [4, 5, 6, 7, 8]
    given = torch.tensor([[3, 3, 2], [1, 0, 0]])
    assert read_tokens(IDS, REAL, position_ids=given, places=10, start=start).place.tolist() == [3, 3, 2, 1, 0]
    graphs = token_graphs({"input_ids": [[5, 6], [8]], "position_ids": [[2, 1], [7]]})
    assert read_tokens(graphs, places=8).place.tolist() == [2, 1, 7]


def test_sequences_without_tokens_have_zeros_as_their_first_row():
    hidden = torch.tensor([[0, 0, 0], [1, 1, 0]])
    tokens = read_tokens(IDS, hidden, places=3)
    assert tokens.sizes.ptr.tolist() == [0, 0, 2]
    assert tokens.first(torch.tensor([[4.0], [5.0]])).tolist() == [[0], [4]]
    trailing = read_tokens(Batch.from_data_list([Data(input_ids=torch.tensor([3]), num_nodes=1), _empty()]), places=3)
    assert trailing.first(torch.tensor([[4.0]])).tolist() == [[4], [0]]


def _empty():
    return Data(input_ids=torch.empty(0, dtype=torch.long), num_nodes=0)


def test_one_graph_need_not_be_a_batch():
    assert read_tokens(Data(input_ids=torch.tensor([3, 4]), num_nodes=2), places=2).sizes.ptr.tolist() == [0, 2]


def test_sizes_are_those_of_what_is_no_padding():
    assert sizes_of(torch.tensor([[True, False], [False, False]])).ptr.tolist() == [0, 1, 1]


def test_laying_out_passes_gradients():
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    real = torch.tensor([[True, True], [False, True]])
    assert torch.autograd.gradcheck(lambda x: lay_out(x, real), x)


def test_wrong_tokens_are_refused():
    graphs = token_graphs({"input_ids": [[5, 6]]})
    with pytest.raises(ValueError, match=r"shape \[B, L\] or a PyG batch, got \[3\]"):
        read_tokens(IDS[0], places=3)
    with pytest.raises(ValueError, match=r"inside the PyG batch, got some beside it"):
        read_tokens(graphs, REAL, places=3)
    with pytest.raises(ValueError, match=r"a PyG batch with input_ids, got \['x'\]"):
        read_tokens(Data(x=torch.ones(2, 1)), places=3)
    with pytest.raises(ValueError, match=r"for each of 3 nodes, got shape \[2\]"):
        read_tokens(Data(input_ids=torch.tensor([1, 2]), num_nodes=3), places=3)
    with pytest.raises(ValueError, match="positions below 2, got 2"):
        read_tokens(IDS, REAL, places=2)
    with pytest.raises(ValueError, match="expected input_ids, got nothing"):
        token_graphs({})
    with pytest.raises(ValueError, match="an attention_mask that hides 2 tokens"):
        token_graphs({"input_ids": [[1, 0, 0]], "attention_mask": [[1, 0, 0]]})


def test_wrong_masks_are_refused():
    with pytest.raises(ValueError, match=r"shape \[2, 3\], got \[2, 1, 3, 3\]"):
        read_mask(torch.ones(2, 1, 3, 3), IDS)
    with pytest.raises(ValueError, match=r"0 and 1, got \[0.0, 0.5, 1.0\]"):
        read_mask(torch.tensor([[1, 0.5, 0], [1, 1, 1]]), IDS)
