import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from torch_geometric.data import Batch

from graphattn import models
from graphattn.data.sequences import question
from graphattn.models import (
    AnswersAnew,
    JoiningAnswers,
    Seq2Seq,
    TokenEmbedding,
    beam_search,
    greedy_search,
    source_batch,
    token_batch,
)

POSITIONAL = {
    "nowhere": models.NOWHERE,
    "sinusoids": None,
    "learned": models.learned(16),
    "rotary": models.rotary(),
    "relative": models.relative(2),
    "alibi": models.alibi(),
    "t5": models.t5(),
}
SOURCES = [torch.tensor([5, 6]), torch.tensor([7]), torch.tensor([2, 3, 4, 2]), torch.tensor([], dtype=torch.long)]
WRITERS = (JoiningAnswers, AnswersAnew)
PARTS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=3)


def make(name="sinusoids"):
    made = Seq2Seq(TokenEmbedding(9, 8), TokenEmbedding(6, 8), heads=2, positional=POSITIONAL[name]).double().eval()
    nn.init.normal_(made.target.table)  # not too sure of anything
    return made


@pytest.mark.parametrize("positional", POSITIONAL)
def test_lengths_mixed_in_a_batch_change_nothing(positional):
    model = make(positional)
    pairs = [(torch.randint(9, (n,)), torch.randint(6, (7 - n,))) for n in (5, 1, 7, 0, 3)]
    graphs = [question(source, target, 0, 1) for source, target in pairs]
    alone = torch.cat([model(Batch.from_data_list([graph])) for graph in graphs])
    assert_close(model(Batch.from_data_list(graphs)), alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("positional", POSITIONAL)
def test_only_positions_tell_the_order_of_the_source(positional):
    model, source, order = make(positional), torch.tensor([5, 6, 7, 8]), torch.tensor([2, 0, 3, 1])
    for name, table in model.named_parameters():
        if "term.table" in name:
            nn.init.normal_(table)
    one, other = (model(question(text, [2, 3], 0, 1)) for text in (source, source[order]))
    assert torch.allclose(one, other, rtol=0, atol=1e-12) == (positional == "nowhere")


@pytest.mark.parametrize("positional", POSITIONAL)
@settings(max_examples=10)
@given(parts=PARTS, each=st.integers(1, 3))
def test_letters_that_join_in_parts_hear_what_they_hear_at_once(positional, parts, each):
    """Several answers to each source, of unequal lengths, in parts of any size."""
    torch.manual_seed(0)
    model = make(positional)
    memory = model.encode(source_batch([torch.randint(9, (sum(part) % 4,)) for part in parts]))
    parts = [part for part in parts for _ in range(each)]
    texts = [torch.randint(6, (sum(part),)) for part in parts]
    truth = model.decode(token_batch(texts), *memory).split([text.numel() for text in texts])
    answers, begun = model.begin(*memory, each), [0] * len(parts)
    for step in range(3):
        ends = [begin + part[step] for begin, part in zip(begun, parts, strict=True)]
        new = [text[begin:end] for text, begin, end in zip(texts, begun, ends, strict=True)]
        logits, answers = model.join(token_batch(new), answers)
        expected = torch.cat([whole[begin:end] for whole, begin, end in zip(truth, begun, ends, strict=True)])
        assert_close(logits, expected, rtol=1e-9, atol=1e-9)
        begun = ends


@pytest.mark.parametrize("positional", POSITIONAL)
def test_answers_from_a_cache_are_those_written_anew(positional):
    for seed in range(3):
        torch.manual_seed(seed)
        model = make(positional)
        for search in (greedy_search, beam_search):
            joined, anew = (search(model, SOURCES, 0, 1, 8, writer=writer) for writer in WRITERS)
            assert [answer.tolist() for answer in joined] == [answer.tolist() for answer in anew]


@pytest.mark.parametrize("writer", WRITERS)
def test_logits_follow_the_answers_that_are_continued(writer):
    model = make("relative")
    ask = writer(model, source_batch(SOURCES[:2]), 2)
    ask(torch.tensor([0, 0, 0, 0]))
    ask(torch.tensor([2, 3, 4, 5]))
    logits = ask(torch.tensor([1, 2, 3, 4]), torch.tensor([1, 1, 3, 2]))
    written = [[0, 3, 1], [0, 3, 2], [0, 5, 3], [0, 4, 4]]
    for source, text, found in zip([0, 0, 1, 1], written, logits, strict=True):
        truth = model.decode(token_batch([torch.tensor(text)]), *model.encode(source_batch([SOURCES[source]])))[-1]
        assert_close(found, truth, rtol=1e-9, atol=1e-9)


def test_the_encoder_is_run_once_and_each_letter_once():
    model, heard = make(), {"encoder": [], "decoder": []}
    for name, module in (("encoder", model.encoder.norm), ("decoder", model.decoder.norm)):
        module.register_forward_hook(lambda _, x, __, name=name: heard[name].append(len(x[0])))
    greedy_search(model, SOURCES, 0, end=-1, length=5)
    assert heard == {"encoder": [7], "decoder": [4] * 5}


def test_what_does_not_belong_together_is_refused():
    model = make()
    memory = model.encode(source_batch(SOURCES))
    with pytest.raises(ValueError, match="expected as many answers to each of 4 sources, got 6 answers"):
        model.decode(token_batch([torch.tensor([0])] * 6), *memory)
    with pytest.raises(ValueError, match="expected tokens for 8 sequences of the cache, got 6"):
        model.join(token_batch([torch.tensor([0])] * 6), model.begin(*memory, 2))
    with pytest.raises(ValueError, match="expected one source or more, got none"):
        greedy_search(model, [], 0, 1, 3)
