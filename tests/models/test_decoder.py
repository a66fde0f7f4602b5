import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from graphattn import models
from graphattn.data.sequences import sequence
from graphattn.models import Decoder, TokenEmbedding, token_batch
from graphattn.topology import Full

POSITIONAL = {
    "nowhere": models.NOWHERE,
    "sinusoids": models.sinusoids(),
    "learned": models.learned(16),
    "rotary": models.rotary(),
    "relative": models.relative(2),
    "alibi": models.alibi(),
    "t5": models.t5(),
}
PARTS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=3)


def make(name="sinusoids", **options):
    return Decoder(TokenEmbedding(9, channels=8), heads=2, positional=POSITIONAL[name], **options).double().eval()


@pytest.mark.parametrize("positional", POSITIONAL)
@settings(max_examples=20)
@given(parts=PARTS)
def test_tokens_that_join_in_parts_hear_what_they_hear_at_once(positional, parts):
    torch.manual_seed(0)
    model = make(positional)
    texts = [torch.randint(9, (sum(part),)) for part in parts]
    truth = model(token_batch(texts)).split([text.numel() for text in texts])
    cache, begun = None, [0] * len(parts)
    for step in range(3):
        ends = [begin + part[step] for begin, part in zip(begun, parts, strict=True)]
        new = [text[begin:end] for text, begin, end in zip(texts, begun, ends, strict=True)]
        logits, cache = model.join(token_batch(new), cache)
        expected = torch.cat([each[begin:end] for each, begin, end in zip(truth, begun, ends, strict=True)])
        assert_close(logits, expected, rtol=1e-9, atol=1e-9)
        begun = ends


def test_a_token_does_not_hear_the_future():
    model = make()
    one, other = model(sequence([1, 2, 3, 4])), model(sequence([1, 2, 7, 8]))
    assert torch.equal(one[:2], other[:2])
    assert not torch.allclose(one[2], other[2])


def test_logits_are_read_by_the_table_of_the_embedding():
    model = make()
    data = sequence([1, 2])
    assert_close(model(data), model.states(data) @ model.embedding.table.T)
    assert sum(9 in value.shape for value in model.state_dict().values()) == 1


def test_nothing_joins_another_graph_or_other_sequences():
    with pytest.raises(ValueError, match=r"expected the graph Causal, to which new tokens can be joined, got .*Full"):
        make(graph=Full).join(sequence([1]))
    model = make()
    _, cache = model.join(token_batch([torch.tensor([1]), torch.tensor([2])]))
    with pytest.raises(ValueError, match="expected tokens for 2 sequences of the cache, got 1"):
        model.join(sequence([1]), cache)


def test_new_tokens_follow_one_another():
    model, data = make("rotary"), sequence([1, 2])
    data.place = torch.tensor([0, 1])
    assert_close(model.join(data)[0], model(data), rtol=1e-9, atol=1e-9)
    data.place = torch.tensor([0, 2])
    with pytest.raises(ValueError, match=r"expected new tokens at the places \[0, 1\], got \[0, 2\]"):
        model.join(data)
