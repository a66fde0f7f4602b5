"""What each generator promises holds for what it makes, and a seed repeats it."""

import re

import pytest
import torch
from torch_geometric.data import Batch

from graphattn.data.generated import (
    arithmetic,
    chains,
    digit_images,
    n_back,
    place_values,
    scene,
    shifted,
    sparse_and,
    transition_matrix,
    two_rules,
    xor,
)

MAKERS = {
    "sparse_and": lambda seed: sparse_and(20, 8, seed=seed),
    "two_rules": lambda seed: two_rules(20, 8, seed=seed),
    "chains": lambda seed: chains(transition_matrix(3), 5, 10, seed=seed),
    "n_back": lambda seed: n_back(5, seed=seed),
    "scene": lambda seed: [scene(seed=seed)],
}
TEXTS = {"arithmetic": arithmetic, "place_values": place_values}


def stored(graphs):
    batch = Batch.from_data_list(graphs)
    values = [batch[name] for name in sorted(batch.keys())]
    return torch.cat([value.flatten().double() for value in values if isinstance(value, torch.Tensor)])


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_repeats_graphs_and_the_callers_numbers_are_left_alone(name):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = (stored(MAKERS[name](seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)


@pytest.mark.parametrize("name", TEXTS)
def test_a_seed_repeats_questions(name):
    assert TEXTS[name](20, seed=1) == TEXTS[name](20, seed=1) != TEXTS[name](20, seed=2)


def test_xor_is_symmetric_and_joined():
    table = {tuple(data.token.tolist()): int(data.y) for data in xor()}
    assert table == {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}
    assert all(data.edge_index.tolist() == [[0, 1], [1, 0]] for data in xor())


@pytest.mark.parametrize("relevant", [1, 2, 4])
def test_sparse_and_is_balanced_and_decided_by_its_true_inputs(relevant):
    graphs = sparse_and(4000, 12, relevant, seed=5)
    assert abs(sum(float(data.y) for data in graphs) / 4000 - 0.5) < 0.03
    marked = graphs[0].true_input
    assert int(marked.sum()) == relevant
    for data in graphs[:200]:
        assert torch.equal(data.true_input, marked)
        assert int(data.y) == int(data.token[marked].all())
    # Another seed is other data of the same function.
    assert torch.equal(sparse_and(1, 12, relevant, seed=6)[0].true_input, marked)
    share = torch.stack([data.token for data in graphs]).double().mean()
    assert abs(float(share) - 0.5 ** (1 / relevant)) < 0.01


def test_two_rules_are_told_apart_by_the_query():
    graphs = two_rules(4000, 10, seed=5)
    assert abs(sum(float(data.y) for data in graphs) / 4000 - 0.5) < 0.03
    inputs = {}
    for data in graphs:
        assert bool(data.true_input[0])
        assert set(data.token[1:].tolist()) <= {0, 1}
        rule = data.true_input[1:].nonzero().flatten() + 1
        inputs.setdefault(int(data.token[0]), set()).add(tuple(rule.tolist()))
        assert int(data.y) == int(data.token[rule].all())
    assert sorted(inputs) == [2, 3]
    (first,), (second,) = inputs.values()
    assert len({*first, *second}) == 4


def test_rules_need_bits():
    with pytest.raises(ValueError, match="expected from 1 to 5 relevant bits, got 6"):
        sparse_and(1, 5, 6)
    with pytest.raises(ValueError, match="expected at least 4 bits for two rules of 2, got 3"):
        two_rules(1, 3)


def test_chains_walk_by_their_matrix():
    matrix = transition_matrix(4, seed=1)
    torch.testing.assert_close(matrix.sum(1), torch.ones(4, dtype=torch.float64))
    walks = Batch.from_data_list(chains(matrix, 400, 100))
    seen = torch.zeros(4, 4, dtype=torch.float64).index_put_(
        (walks.token, walks.y), torch.ones(40_000, dtype=torch.float64), accumulate=True
    )
    torch.testing.assert_close(seen / seen.sum(1, keepdim=True), matrix, atol=0.02, rtol=0)
    first = chains(matrix, 1, 9)[0]
    assert torch.equal(first.token[1:], first.y[:-1])


def test_a_chain_has_a_matrix_of_probabilities():
    with pytest.raises(ValueError, match=r"rows that sum to 1, got \[2, 2\]: tensor\(\[1.5000, 1.0000\]\)"):
        chains(torch.tensor([[0.5, 1.0], [0.5, 0.5]]), 1, 1)
    with pytest.raises(ValueError, match=r"expected a square matrix .* got \[1, 2\]"):
        chains(torch.tensor([[0.5, 0.5]]), 1, 1)


def test_n_back_asks_for_what_was_shown():
    graphs = n_back(500, n=2, symbols=3, length=15, spread=4)
    sizes = torch.tensor([data.num_nodes for data in graphs], dtype=torch.float64)
    assert abs(float(sizes.mean()) - 15) < 1
    assert abs(float(sizes.std()) - 4) < 0.5
    for data in graphs[:50]:
        shown = data.token.tolist()
        assert data.y.tolist() == [int(i >= 2 and shown[i] == shown[i - 2]) for i in range(len(shown))]


def test_sequences_shorter_than_n_have_no_match():
    for data in n_back(20, n=9, length=2, spread=2):
        assert data.num_nodes >= 1
        assert not data.y.any()


def test_arithmetic_is_right():
    for question in arithmetic(200, digits=3, signs="+-*"):
        a, sign, b = re.fullmatch(r"(\d+)([-+*])(\d+)=", question.source).groups()
        assert int(question.target) == {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[sign]
    with pytest.raises(ValueError, match=r"expected signs of \+-\*, got '/'"):
        arithmetic(1, signs="/")


def test_place_values_are_right():
    power = {"ones": 0, "tens": 1, "hundreds": 2, "thousands": 3, "ten thousands": 4}
    questions = place_values(300, digits=5)
    for question in questions:
        place, number = re.fullmatch(r"([a-z ]+) of (\d+)\?", question.source).groups()
        assert int(question.target) == int(number) // 10 ** power[place] % 10
    assert {question.source.partition(" of ")[0] for question in questions} == set(power)
    with pytest.raises(ValueError, match="expected from 1 to 6 digits, got 7"):
        place_values(1, digits=7)


def test_digits_are_those_of_scikit_learn():
    images, labels = digit_images()
    assert images.shape == (1797, 1, 8, 8)
    assert (float(images.min()), float(images.max())) == (0, 1)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_what_leaves_an_image_comes_back():
    image = torch.arange(6).view(2, 3)
    assert shifted(image, 1, 1).tolist() == [[5, 3, 4], [2, 0, 1]]


def test_a_scene_has_its_points_in_clusters():
    data = scene(60, clusters=3, spread=0.05)
    middle = torch.stack([data.pos[data.y == cluster].mean(0) for cluster in range(3)])
    assert (torch.cdist(data.pos, middle).argmin(1) == data.y).all()
    assert data.y.bincount().tolist() == [20, 20, 20]
