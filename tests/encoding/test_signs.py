import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.encoding import RandomSigns, SignInvariant, canonical_signs
from graphattn.topology import Full


def test_canonical_signs_do_not_know_the_sign_or_the_numbering():
    vectors = torch.randn(7, 5)
    flipped = vectors * torch.tensor([1, -1, -1, 1, -1])
    assert torch.equal(canonical_signs(flipped), canonical_signs(vectors))
    assert (canonical_signs(vectors).pow(3).sum(0) > 0).all()
    order = torch.randperm(7)
    assert_close(canonical_signs(vectors[order]), canonical_signs(vectors)[order])


def test_a_vector_that_mirrors_itself_starts_positive():
    mirrored = torch.tensor([[0.0, 1e-9, 0.0], [-0.6, -0.3, 0.0], [0.0, 0.0, 0.0], [0.6, 0.3, 0.0]])
    expected = torch.tensor([[0.0, -1e-9, 0.0], [0.6, 0.3, 0.0], [0.0, 0.0, 0.0], [-0.6, -0.3, 0.0]])
    assert_close(canonical_signs(mirrored), expected)
    assert_close(canonical_signs(-mirrored), expected)


def test_rounding_does_not_choose_a_sign():
    almost = torch.tensor([[-0.6, -0.6], [0.6 + 1e-7, 0.6 - 1e-7]])
    assert (canonical_signs(almost)[0] > 0).all()


@pytest.mark.parametrize("nodes", [0, 1])
def test_signs_of_small_graphs(nodes):
    assert torch.equal(canonical_signs(-torch.ones(nodes, 3)), torch.ones(nodes, 3))
    assert canonical_signs(torch.zeros(nodes, 3)).tolist() == [[0, 0, 0]] * nodes


def test_random_signs_flip_each_vector_of_each_graph_as_a_whole():
    graph, flip = Full([3, 0, 2, 40]), RandomSigns()
    vectors = torch.rand(45, 50) + 0.1
    sign = flip(vectors, graph) / vectors
    seen = []
    for start, end in ((0, 3), (3, 5), (5, 45)):
        assert torch.equal(sign[start:end], sign[start : start + 1].expand(end - start, -1))
        assert set(sign[start].tolist()) == {-1.0, 1.0}
        seen.append(sign[start])
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(flip(vectors, graph) / vectors, sign)
    assert torch.equal(flip.eval()(vectors, graph), vectors)
    assert RandomSigns()(torch.empty(0, 4), Full([])).shape == (0, 4)


def test_random_signs_repeat_with_the_seed():
    vectors, graph = torch.rand(5, 8), Full([5])
    torch.manual_seed(1)
    first = RandomSigns()(vectors, graph)
    torch.manual_seed(1)
    assert torch.equal(RandomSigns()(vectors, graph), first)


def test_vectors_of_other_graphs_are_refused():
    with pytest.raises(ValueError, match=r"5 rows of vectors for Full\(.*\), got 4"):
        RandomSigns()(torch.rand(4, 2), Full([2, 3]))


def test_a_sign_invariant_network_sees_vectors_but_not_their_signs():
    phi = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 4))
    encode = SignInvariant(phi, nn.Linear(12, 6))
    vectors = torch.randn(5, 3)
    truth = encode(vectors)
    assert truth.shape == (5, 6)
    assert_close(encode(vectors * torch.tensor([1, -1, 1])), truth)
    assert (encode(vectors * 2) - truth).abs().max() > 1e-3
    assert (encode(vectors[:, [1, 0, 2]]) - truth).abs().max() > 1e-3
    # phi is summed over both signs, then rho reads all vectors of a node.
    assert_close(truth[0], encode.rho(torch.cat([phi(v[None]) + phi(-v[None]) for v in vectors[0]])))
    encode.reset_parameters()
    assert not torch.equal(encode(vectors), truth)
