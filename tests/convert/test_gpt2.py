import pytest
import torch
from torch.testing import assert_close

from graphattn.backends import use_backend
from graphattn.convert import from_transformers, token_graphs
from graphattn.topology import Causal, Edges, Full

IDS = torch.tensor([[5, 6, 7, 8, 9], [3, 2, 1, 0, 0], [4, 0, 0, 0, 0]])
REAL = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture
def make(transformers, stirred):
    def gpt2(**options):
        ends = {"bos_token_id": 11, "eos_token_id": 11}
        config = transformers.GPT2Config(vocab_size=12, n_positions=9, n_embd=8, n_layer=2, n_head=2, **ends, **options)
        return stirred(transformers.GPT2Model(config))

    return gpt2


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
@pytest.mark.parametrize("backend", ["dense", "edgewise"])
@pytest.mark.parametrize("flipped", [False, True], ids=["right", "left"])
def test_padded_tokens_give_what_gpt2_gives(make, activation, backend, flipped):
    original = make(activation_function=activation)
    network = from_transformers(original)
    ids, real = (IDS.flip(1), REAL.flip(1)) if flipped else (IDS, REAL)
    kinds = ids.flip(0)
    truth = original(ids, attention_mask=real, token_type_ids=kinds).last_hidden_state[real.bool()]
    with use_backend(backend):
        result = network(ids, attention_mask=real, token_type_ids=kinds).last_hidden_state
    assert not result[~real.bool()].any()
    assert_close(result[real.bool()], truth, **CLOSE)
    block, its = network.blocks[1], original.h[1]
    own = [
        network.word.weight,
        network.place.weight,
        block.norm_before_mlp.bias,
        block.attention.message_function.key.bias,
    ]
    other = [original.wte.weight, original.wpe.weight, its.ln_2.bias, its.attn.c_attn.bias]
    mine = torch.autograd.grad(result[real.bool()].sin().sum(), own)
    theirs = torch.autograd.grad(truth.sin().sum(), other)
    for one, another in zip(mine[:-1], theirs[:-1], strict=True):
        assert_close(one, another, **CLOSE)
    assert_close(mine[-1], theirs[-1][8:16], **CLOSE)


def test_a_batch_of_token_graphs_gives_what_padded_tokens_give(make):
    network = from_transformers(make())
    result = network(token_graphs({"input_ids": [[5, 6, 7, 8, 9], [3, 2, 1], [4]]}))
    padded = network(IDS, attention_mask=REAL)
    assert_close(result.last_hidden_state, padded.last_hidden_state[REAL.bool()], **CLOSE)
    assert_close(result.past_key_values.senders, padded.past_key_values.senders, **CLOSE)


@pytest.mark.parametrize("flipped", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("cuts", [[1, 2, 3, 4], [3], [2, 4], [0, 5]], ids=str)
def test_tokens_in_parts_give_what_they_give_at_once(make, flipped, cuts):
    original = make()
    network = from_transformers(original)
    ids, real = (IDS.flip(1), REAL.flip(1)) if flipped else (IDS, REAL)
    truth = original(ids, attention_mask=real).last_hidden_state
    past, states = None, []
    for part, end in zip(ids.tensor_split(cuts, dim=1), [*cuts, 5], strict=True):
        result = network(part, past, attention_mask=real[:, :end])
        past = result.past_key_values
        states.append(result.last_hidden_state)
    assert_close(torch.cat(states, dim=1)[real.bool()], truth[real.bool()], **CLOSE)
    assert past.sizes.ptr.tolist() == [0, *real.sum(1).cumsum(0).tolist()]
    assert past.start.tolist() == [5, 5, 5]
    assert past.senders[0]["key"].shape == (9, 2, 4)


def test_token_graphs_in_parts_give_what_they_give_at_once(make):
    network = from_transformers(make())
    first = network(token_graphs({"input_ids": [[5, 6], [], [4]]}))
    second = network(token_graphs({"input_ids": [[7, 8, 9], [3, 2, 1], []]}), first.past_key_values)
    truth = network(token_graphs({"input_ids": [[5, 6, 7, 8, 9], [3, 2, 1], [4]]}))
    assert_close(first.last_hidden_state, truth.last_hidden_state[[0, 1, 8]], **CLOSE)
    assert_close(second.last_hidden_state, truth.last_hidden_state[2:8], **CLOSE)
    assert second.past_key_values.start.tolist() == [5, 3, 1]
    # Started as graphs, continued in columns: each sequence goes on from its own place.
    third = network(torch.tensor([[1], [2], [3]]), second.past_key_values)
    longer = network(token_graphs({"input_ids": [[5, 6, 7, 8, 9, 1], [3, 2, 1, 2], [4, 3]]}))
    assert_close(third.last_hidden_state[:, 0], longer.last_hidden_state[[5, 9, 11]], **CLOSE)


@pytest.mark.parametrize("seed", range(4))
def test_any_mask_gives_what_gpt2_gives(make, seed):
    original = make()
    real = torch.rand(6, 5, generator=torch.Generator().manual_seed(seed)) > 0.4
    ids = torch.randint(12, (6, 5))
    truth = original(ids, attention_mask=real.long()).last_hidden_state
    assert_close(from_transformers(original)(ids, attention_mask=real).last_hidden_state[real], truth[real], **CLOSE)


def test_a_cache_may_be_continued_twice(make):
    network = from_transformers(make())
    past = network(IDS[:1, :3]).past_key_values
    once, again = network(IDS[:1, 3:4], past), network(IDS[:1, 3:4], past)
    assert torch.equal(once.last_hidden_state, again.last_hidden_state)
    assert past.sizes.ptr.tolist() == [0, 3]


def test_greedy_generation_is_that_of_the_original(transformers, stirred):
    config = transformers.GPT2Config(
        vocab_size=30, n_positions=20, n_embd=8, n_layer=2, n_head=2, bos_token_id=29, eos_token_id=29, pad_token_id=0
    )
    original = stirred(transformers.GPT2LMHeadModel(config))
    network = from_transformers(original.transformer)
    ids, real = torch.tensor([[4, 9, 2, 7], [0, 0, 3, 5]]), torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
    truth = original.generate(ids, attention_mask=real, max_new_tokens=8, min_new_tokens=8, do_sample=False)
    graphs = token_graphs({"input_ids": [[4, 9, 2, 7], [3, 5]]})
    out = network(graphs)
    last, said = out.past_key_values.sizes.ptr[1:] - 1, []
    states = out.last_hidden_state[last]
    for _ in range(8):
        scores = states @ network.word.weight.t()
        scores[:, 29] = -torch.inf
        said.append(scores.argmax(1, keepdim=True))
        out = network(said[-1], out.past_key_values)
        states = out.last_hidden_state[:, 0]
    assert torch.equal(torch.cat(said, dim=1), truth[:, 4:])


def test_another_graph_may_be_given(make):
    original = make()
    network = from_transformers(original)
    truth = original(IDS[:1]).last_hidden_state
    graph = Causal([5])
    result = network(IDS[:1], graph=Edges(graph.edge_index(), 5))
    assert_close(result.last_hidden_state, truth, **CLOSE)
    assert not torch.allclose(network(IDS[:1], graph=Full([5])).last_hidden_state, truth)


def test_dropout_is_the_originals(make):
    network = from_transformers(make(embd_pdrop=0.1, attn_pdrop=0.2, resid_pdrop=0.3).train())
    assert network.training
    assert network.dropout.p == 0.1
    assert network.blocks[0].attention.dropout == 0.2
    assert network.blocks[0].dropout.p == 0.3
    assert not torch.equal(network(IDS)[0], network(IDS)[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"activation_function": "quick_gelu"}, "activation_function='gelu' or .*got activation_function='quick_gelu'"),
        ({"add_cross_attention": True}, "add_cross_attention=False to convert GPT2Model, got add_cross_attention=True"),
        ({"scale_attn_weights": False}, "scale_attn_weights=True to convert GPT2Model, got scale_attn_weights=False"),
        ({"scale_attn_by_inverse_layer_idx": True}, "got scale_attn_by_inverse_layer_idx=True"),
        ({"reorder_and_upcast_attn": True}, "got reorder_and_upcast_attn=True"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_supported_is_refused_by_name(make, options, said):
    with pytest.raises(ValueError, match=said):
        from_transformers(make(**options))


def test_a_map_that_is_not_plain_is_refused_by_name(make):
    original = make()
    original.h[0].mlp.c_fc = torch.nn.Linear(8, 32)
    with pytest.raises(TypeError, match=r"plain Conv1D of transformers to convert, got Linear at h\.0\.mlp\.c_fc$"):
        from_transformers(original)


def test_caches_and_graphs_that_do_not_fit_are_refused(make):
    network = from_transformers(make())
    past = network(IDS[:2, :2]).past_key_values
    with pytest.raises(ValueError, match="for the 2 sequences of the cache, got 3 sequences"):
        network(IDS[:, 2:3], past)
    with pytest.raises(ValueError, match=r"shows the \[2, 2\] tokens of the cache, got one that shows \[2, 1\]"):
        network(IDS[:2, 2:3], past, attention_mask=torch.tensor([[1, 1, 1], [0, 1, 1]]))
    with pytest.raises(
        ValueError, match=r"attention_mask of shape \[B, L\], got \[1, 1, 3, 3\]: who hears whom beyond"
    ):
        network(IDS[:1, :3], attention_mask=torch.ones(1, 1, 3, 3).tril())
    with pytest.raises(ValueError, match=r"no graph with a cache, got Causal\(graphs=2"):
        network(IDS[:2, 2:3], past, graph=Causal([1, 1]))
    with pytest.raises(ValueError, match=r"a graph of 10 tokens, got Causal\(graphs=1"):
        network(IDS[:2], graph=Causal([4]))
    with pytest.raises(TypeError, match="of an earlier call of this network, got tuple"):
        network(IDS[:2, 2:3], ((torch.zeros(1), torch.zeros(1)),))
    with pytest.raises(TypeError, match="unexpected keyword argument 'inputs_embeds'"):
        network(inputs_embeds=torch.zeros(1, 1, 8))
    with pytest.raises(ValueError, match="positions below 9, got 9"):
        network(torch.ones(1, 10, dtype=torch.long))
