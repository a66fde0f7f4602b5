import itertools

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch

from graphattn.data.sequences import question
from graphattn.models import Seq2Seq, TokenEmbedding, beam_search, greedy_search

START, END, LENGTH = 0, 1, 5
SOURCES = [torch.tensor([5, 6]), torch.tensor([7]), torch.tensor([2, 3, 4, 2]), torch.tensor([8, 8])]


@pytest.fixture
def model():
    made = Seq2Seq(TokenEmbedding(9, 8), TokenEmbedding(5, 8), heads=2).double().eval()
    nn.init.normal_(made.target.table)  # not too sure of anything
    return made


def likelihood(model, source, answers):
    """Of each answer alone; one that does not end was cut."""
    batch = Batch.from_data_list(
        [question(source, each[: len(each) - (each[-1] == END)], START, END) for each in answers]
    )
    logits = model(batch).detach().log_softmax(-1)
    starts = batch.ptr.tolist()
    return {
        each: float(logits[range(start, start + len(each)), list(each)].sum())
        for each, start in zip(answers, starts, strict=False)
    }


def test_beam_of_one_is_greedy_token_for_token(model):
    for seed in range(5):
        torch.manual_seed(seed)
        model.reset_parameters()
        nn.init.normal_(model.target.table)
        greedy = greedy_search(model, SOURCES, START, END, LENGTH)
        beam = beam_search(model, SOURCES, START, END, LENGTH, size=1)
        assert [answer.tolist() for answer in beam] == [answer.tolist() for answer in greedy]


def test_a_wide_beam_finds_the_best_answer_of_all(model):
    tokens = [token for token in range(5) if token != END]
    answers = [(*each, END) for many in range(3) for each in itertools.product(tokens, repeat=many)]
    answers += list(itertools.product(tokens, repeat=3))
    for penalty in (0.0, 1.0):
        found = beam_search(model, SOURCES, START, END, 3, size=100, penalty=penalty)
        for source, best in zip(SOURCES, found, strict=True):
            score = {
                answer: value / ((5 + len(answer)) / 6) ** penalty
                for answer, value in likelihood(model, source, answers).items()
            }
            truth = [token for token in max(score, key=score.get) if token != END]
            assert best.tolist() == truth


def test_answers_in_a_batch_are_answers_alone(model):
    for search in (greedy_search, beam_search):
        together = search(model, SOURCES, START, END, LENGTH)
        alone = [search(model, [source], START, END, LENGTH)[0] for source in SOURCES]
        assert [answer.tolist() for answer in together] == [answer.tolist() for answer in alone]


def test_a_beam_has_a_size(model):
    with pytest.raises(ValueError, match="expected a beam of size 1 or more, got 0"):
        beam_search(model, SOURCES, START, END, LENGTH, size=0)
