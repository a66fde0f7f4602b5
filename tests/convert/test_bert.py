import copy
import pickle

import pytest
import torch
from torch.testing import assert_close

from graphattn.backends import use_backend
from graphattn.convert import from_transformers, token_graphs
from graphattn.topology import Edges, Full

IDS = torch.tensor([[5, 6, 7, 8, 9], [3, 2, 0, 0, 0], [4, 0, 0, 0, 0]])
REAL = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture
def make(transformers, stirred):
    def bert(pooling=True, **options):
        config = transformers.BertConfig(vocab_size=12, max_position_embeddings=6, **SIZES, **options)
        return stirred(transformers.BertModel(config, add_pooling_layer=pooling))

    return bert


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "silu"])
@pytest.mark.parametrize("backend", ["dense", "edgewise"])
def test_padded_tokens_give_what_bert_gives(make, assert_gradients_equal, activation, backend):
    original = make(hidden_act=activation)
    network = from_transformers(original)
    kinds = torch.tensor([[0, 0, 1, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    truth = original(IDS, REAL, kinds)
    with use_backend(backend):
        result = network(IDS, REAL, kinds)
    assert_close(result.last_hidden_state[REAL.bool()], truth.last_hidden_state[REAL.bool()], **CLOSE)
    assert_close(result.pooler_output, truth.pooler_output, **CLOSE)
    assert not result.last_hidden_state[~REAL.bool()].any()
    tables, block = original.embeddings, original.encoder.layer[0]
    other = [tables.word_embeddings.weight, tables.position_embeddings.weight, tables.token_type_embeddings.weight]
    other += [block.attention.self.key.weight, block.attention.output.LayerNorm.weight, block.intermediate.dense.bias]
    own = [network.embedding.word.weight, network.embedding.place.weight, network.embedding.kind.weight]
    block = network.encoder.blocks[0]
    own += [block.layers[0].message_function.key.weight, block.norm_outside_layers.weight, block.mlp[0].bias]
    assert_gradients_equal(result.last_hidden_state[REAL.bool()], own, truth.last_hidden_state[REAL.bool()], other)


def test_a_batch_of_token_graphs_gives_what_padded_tokens_give(make):
    network = from_transformers(make())
    graphs = token_graphs({"input_ids": [[5, 6, 7, 8, 9], [3, 2], [4]]})
    result, padded = network(graphs), network(IDS, REAL)
    assert_close(result.last_hidden_state, padded.last_hidden_state[REAL.bool()], **CLOSE)
    assert_close(result.pooler_output, padded.pooler_output, **CLOSE)
    alone = [network(graphs.get_example(number)) for number in range(3)]
    assert_close(result.last_hidden_state, torch.cat([each.last_hidden_state for each in alone]), **CLOSE)


@pytest.mark.parametrize("seed", range(4))
def test_any_mask_gives_what_bert_gives(make, seed):
    original = make()
    real = torch.rand(6, 5, generator=torch.Generator().manual_seed(seed)) > 0.4
    ids = torch.randint(12, (6, 5))
    truth = original(ids, real.long()).last_hidden_state
    assert_close(from_transformers(original)(ids, real).last_hidden_state[real], truth[real], **CLOSE)


@pytest.mark.parametrize("ids", [[[5, 6, 7]], [[5]], [[5], [6]]], ids=str)
def test_one_sequence_and_one_token(make, ids):
    original, ids = make(), torch.tensor(ids)
    result, truth = from_transformers(original)(ids), original(ids)
    assert_close(result.last_hidden_state, truth.last_hidden_state, **CLOSE)
    assert_close(result.pooler_output, truth.pooler_output, **CLOSE)


def test_padding_on_the_left_and_positions(make):
    original = make(pooling=False)
    network, ids, real = from_transformers(original), IDS.flip(1), REAL.flip(1)
    for places in (None, (real.cumsum(1) - 1).clamp(min=0)):
        truth = original(ids, real, position_ids=places).last_hidden_state
        result = network(ids, real, position_ids=places)
        assert_close(result.last_hidden_state[real.bool()], truth[real.bool()], **CLOSE)
    # With positions counted from the first token, it does not matter on which side the padding is.
    assert_close(result.last_hidden_state.flip(1)[0], network(ids[:1]).last_hidden_state.flip(1)[0], **CLOSE)
    assert result.pooler_output is None


def test_an_attention_mask_is_a_graph(make):
    original = make()
    heard = torch.rand(5, 5).round().bool() | torch.eye(5, dtype=torch.bool)
    receiver, sender = heard.nonzero().T
    truth = original(IDS[:1], heard[None, None]).last_hidden_state
    result = from_transformers(original)(IDS[:1], graph=Edges(torch.stack([sender, receiver]), 5))
    assert_close(result.last_hidden_state, truth, **CLOSE)


def test_the_network_is_a_copy_in_the_same_mode(make):
    original = make(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2).train()
    network = from_transformers(original)
    assert network.training
    assert {each.p for each in network.modules() if isinstance(each, torch.nn.Dropout)} == {0.3, 0.0}
    assert network.encoder.blocks[1].layers[0].dropout == 0.2
    assert not torch.equal(network(IDS, REAL)[0], network(IDS, REAL)[0])
    before = network.eval()(IDS, REAL).last_hidden_state
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(IDS, REAL).last_hidden_state, before)
    with torch.no_grad():
        original.embeddings.word_embeddings.weight.zero_()
        original.encoder.layer[0].attention.self.query.weight.zero_()
    assert torch.equal(network(IDS, REAL).last_hidden_state, before)
    assert "transformers" not in {type(each).__module__.partition(".")[0] for each in network.modules()}


def test_parameters_keep_their_precision_and_whether_they_learn(make):
    original = make().bfloat16()
    original.encoder.requires_grad_(False)
    network = from_transformers(original)
    assert {each.dtype for each in network.parameters()} == {torch.bfloat16}
    assert not any(each.requires_grad for each in network.encoder.parameters())
    assert all(each.requires_grad for each in network.embedding.parameters())
    counted = [sum(each.numel() for each in one.parameters()) for one in (network, original)]
    assert counted[0] == counted[1]


def test_the_network_on_its_graph_compiles_into_one_graph(make):
    network = from_transformers(make()).encoder
    x, graph = torch.randn(8, 8, dtype=torch.float64), Full([5, 2, 1])
    graph.plan()
    torch._dynamo.reset()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    assert_close(compiled(x, graph), network(x, graph))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"position_embedding_type": "relative_key"},
            "position_embedding_type='absolute' .* got position_embedding_type='relative_key'",
        ),
        ({"is_decoder": True}, "is_decoder=False to convert BertModel, got is_decoder=True"),
        ({"is_decoder": True, "add_cross_attention": True}, "=False to convert BertModel, got .*=True"),
        ({"hidden_act": "quick_gelu"}, "hidden_act='gelu' or .* got hidden_act='quick_gelu'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_supported_is_refused_by_name(make, options, said):
    with pytest.raises(ValueError, match=said):
        from_transformers(make(**options))


@pytest.mark.parametrize("name", ["output_attentions", "inputs_embeds", "encoder_hidden_states"])
def test_inputs_that_are_not_supported_are_refused_by_name(make, name):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        from_transformers(make())(IDS, **{name: torch.ones(1)})


def test_cross_attention_is_refused_even_where_nothing_is_decoded(make):
    original = make()
    original.config.add_cross_attention = True
    with pytest.raises(
        ValueError, match="add_cross_attention=False to convert BertModel, got add_cross_attention=True"
    ):
        from_transformers(original)


def test_a_part_that_is_not_plain_is_refused_by_name(make):
    original = make()
    original.encoder.layer[1].attention.output.LayerNorm = torch.nn.RMSNorm(8)
    with pytest.raises(
        TypeError,
        match=r"norm torch.nn.LayerNorm to convert, got RMSNorm at encoder.layer.1.attention.output.LayerNorm$",
    ):
        from_transformers(original)
    original = make()
    original.encoder.layer[0].intermediate.dense = torch.nn.Bilinear(2, 2, 2)
    with pytest.raises(
        TypeError, match=r"plain torch.nn.Linear to convert, got Bilinear at encoder.layer.0.intermediate.dense$"
    ):
        from_transformers(original)
    original = make()
    original.embeddings.position_embeddings = torch.nn.EmbeddingBag(3, 2)
    with pytest.raises(
        TypeError, match=r"plain torch.nn.Embedding to convert, got EmbeddingBag at embeddings.position_embeddings$"
    ):
        from_transformers(original)


def test_an_adapter_is_named_by_where_it_stands(make):
    """The Linear of peft is called as torch's."""
    original = make()
    query = original.encoder.layer[1].attention.self.query
    adapted = type("Linear", (torch.nn.Module,), {"__module__": "peft.tuners.lora.layer"})()
    adapted.base_layer = query
    original.encoder.layer[1].attention.self.query = adapted
    said = (
        r"got Linear of peft\.tuners\.lora\.layer at encoder\.layer\.1\.attention\.self\.query: "
        r"merge adapters into the weights first, as peft's merge_and_unload\(\) does$"
    )
    with pytest.raises(TypeError, match=said):
        from_transformers(original)
    wrapped = type("PeftModel", (torch.nn.Module,), {"merge_and_unload": lambda self: original})()
    with pytest.raises(TypeError, match=r"got PeftModel; convert what its merge_and_unload\(\) returns$"):
        from_transformers(wrapped)
