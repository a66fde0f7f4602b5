from functools import partial

import pytest
import torch
from torch.testing import assert_close

from graphattn import models
from graphattn.models import Anew, Decoder, Nucleus, Sample, TokenEmbedding, TopK, generate, likeliest
from graphattn.topology import Window

PROMPTS = [torch.tensor([1, 2, 3]), torch.tensor([4]), torch.tensor([5, 6])]


@pytest.fixture
def model():
    return Decoder(TokenEmbedding(9, channels=8), heads=2, positional=models.relative(3)).double().eval()


@pytest.mark.parametrize("choose", [lambda: likeliest, lambda: Sample(0.8, Nucleus(0.9), seed=3)])
def test_joining_writes_what_writing_anew_does(model, choose):
    joined = generate(model, PROMPTS, 12, choose())
    anew = generate(model, PROMPTS, 12, choose(), Anew)
    assert [text.tolist() for text in joined] == [text.tolist() for text in anew]
    assert [text[: len(prompt)].tolist() for text, prompt in zip(joined, PROMPTS, strict=True)] == [
        prompt.tolist() for prompt in PROMPTS
    ]


def test_likeliest_is_the_same_alone(model):
    together = generate(model, PROMPTS, 6)
    assert [text.tolist() for text in together] == [generate(model, [each], 6)[0].tolist() for each in PROMPTS]


def test_a_sequence_ends_behind_its_end(model):
    whole = generate(model, PROMPTS, 10)
    end = int(whole[0][5])
    for text, full, prompt in zip(generate(model, PROMPTS, 10, end=end), whole, PROMPTS, strict=True):
        written = full[len(prompt) :].tolist()
        stop = written.index(end) + 1 if end in written else 10
        assert text[len(prompt) :].tolist() == written[:stop]


def test_another_graph_is_written_anew():
    window = partial(Window, radius=2, causal=True)
    model = Decoder(TokenEmbedding(9, channels=8), heads=2, graph=window).eval()
    assert generate(model, PROMPTS, 2, writer=Anew)[0].numel() == 5


def test_prompts_have_tokens(model):
    with pytest.raises(ValueError, match=r"expected prompts of one token or more, got \[1, 0\] tokens"):
        generate(model, [torch.tensor([1]), torch.tensor([], dtype=torch.long)], 2)
    with pytest.raises(ValueError, match=r"expected prompts of one token or more, got \[\] tokens"):
        generate(model, [], 2)


def test_kept_tokens_are_the_likeliest():
    probability = torch.tensor([[0.4, 0.1, 0.3, 0.2], [0.1, 0.85, 0.03, 0.02]])
    logits = probability.log()
    assert (TopK(2)(logits) > -torch.inf).tolist() == [[True, False, True, False], [True, True, False, False]]
    assert (Nucleus(0.65)(logits) > -torch.inf).tolist() == [[True, False, True, False], [False, True, False, False]]
    assert_close(TopK(9)(logits), logits)
    assert (Nucleus(0.0)(logits) > -torch.inf).sum(1).tolist() == [1, 1]


def test_some_token_may_be_drawn():
    with pytest.raises(ValueError, match="expected a k of 1 or more, got 0"):
        TopK(0)(torch.zeros(1, 3))


def test_samples_have_the_probabilities_of_the_model():
    logits = torch.tensor([0.6, 0.3, 0.1]).log().expand(20_000, -1)
    share = torch.bincount(Sample(seed=1)(logits), minlength=3) / 20_000
    assert_close(share, torch.tensor([0.6, 0.3, 0.1]), atol=0.02, rtol=0)
    cold = torch.bincount(Sample(0.5, seed=1)(logits), minlength=3) / 20_000
    assert_close(cold, torch.tensor([0.36, 0.09, 0.01]) / 0.46, atol=0.02, rtol=0)


def test_temperature_is_above_zero():
    with pytest.raises(ValueError, match="expected a temperature above 0, got 0"):
        Sample(0)
