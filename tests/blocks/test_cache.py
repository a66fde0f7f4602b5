import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from graphattn.blocks.cache import Cache, chosen, grow, hear
from graphattn.topology import Causal, Cross, Edges, read_sizes
from graphattn.zoo import SelfAttention

PARTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4)


@given(PARTS)
def test_the_graph_that_grew_is_the_last_rows_of_the_whole(parts):
    """The new tokens of the causal graph of all tokens hear whom they hear there."""
    kept, new = read_sizes([a for a, _ in parts]), read_sizes([b for _, b in parts])
    growth = grow(kept, new)
    whole = Causal([a + b for a, b in parts])
    place, _ = whole.places()
    graph = torch.arange(len(parts)).repeat_interleave(whole.receivers.ptr.diff())
    joined = place >= kept.ptr.diff()[graph]
    assert torch.equal(growth.graph.mask(), whole.mask()[joined])
    assert growth.together.ptr.tolist() == whole.receivers.ptr.tolist()


def test_the_kind_of_graph_follows_what_is_new():
    some, one, none = read_sizes([2, 1]), read_sizes([1, 0]), read_sizes([0, 0])
    assert isinstance(grow(none, some).graph, Causal)
    assert isinstance(grow(some, one).graph, Cross)
    assert isinstance(grow(some, some).graph, Edges)


def test_hearing_in_parts_is_hearing_at_once_with_gradients():
    layer = SelfAttention(8, heads=2).double()
    sizes, first = [4, 2, 3], [2, 0, 1]
    x = torch.randn(9, 8, dtype=torch.float64, requires_grad=True)
    place, _ = Causal(sizes).places()
    earlier = place < torch.tensor(first).repeat_interleave(torch.tensor(sizes))
    kept, new = read_sizes(first), read_sizes([2, 2, 2])
    begun, said = hear(layer, x[earlier], grow(read_sizes([0, 0, 0]), kept), {})
    continued, said = hear(layer, x[~earlier], grow(kept, new), said)
    truth = layer(x, Causal(sizes))
    assert_close(begun, truth[earlier], rtol=1e-9, atol=1e-9)
    assert_close(continued, truth[~earlier], rtol=1e-9, atol=1e-9)
    assert {name: state.shape for name, state in said.items()} == {"key": (9, 2, 4), "value": (9, 2, 4)}
    parts = torch.autograd.grad(begun.sin().sum() + continued.sin().sum(), x)[0]
    assert_close(parts, torch.autograd.grad(truth.sin().sum(), x)[0], rtol=1e-9, atol=1e-9)


def test_dropout_is_heard_in_training():
    layer = SelfAttention(8, heads=2)
    layer.dropout = 0.5
    x, growth = torch.randn(6, 8), grow(read_sizes([0]), read_sizes([6]))
    torch.manual_seed(1)
    once = hear(layer, x, growth, {})[0]
    torch.manual_seed(2)
    assert not torch.equal(once, hear(layer, x, growth, {})[0])
    torch.manual_seed(1)
    assert torch.equal(once, hear(layer, x, growth, {})[0])


def test_some_sequences_are_chosen_in_any_order_and_several_times():
    sizes = [2, 0, 3, 1]
    key = torch.arange(6.0)[:, None]
    cache = Cache(({"key": key, "value": -key}, {}), read_sizes(sizes), torch.tensor([2, 5, 3, 1]))
    found = chosen(cache, torch.tensor([3, 2, 1, 2]))
    assert found.senders[0]["key"].flatten().tolist() == [5, 2, 3, 4, 2, 3, 4]
    assert torch.equal(found.senders[0]["value"], -found.senders[0]["key"])
    assert (found.sizes.ptr.tolist(), found.start.tolist()) == ([0, 1, 4, 4, 7], [1, 3, 5, 3])
    assert chosen(cache, torch.tensor([], dtype=torch.long)).sizes.ptr.tolist() == [0]
