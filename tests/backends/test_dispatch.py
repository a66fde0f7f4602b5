import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch._dynamo.testing

from graphattn.aggregation import SoftmaxSum, Sum
from graphattn.backends import explain_backend, use_backend
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.topology import Edges, Full
from graphattn.update import Replace
from graphattn.zoo import GCN, SelfAttention

X = torch.randn(3, 8)
RING = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]]))


class Dot:
    def __call__(self, query, key):
        return (query * key).sum(-1)


def test_the_first_backend_that_can_is_taken():
    assert explain_backend(SelfAttention(8), X, Full([3])).chosen == "dense"
    assert explain_backend(SelfAttention(8), X, RING).chosen == "csr"


def test_only_the_first_reason_is_asked_for(monkeypatch):
    from graphattn.backends import dense, linear

    watches = []
    for module in (dense, linear):
        monkeypatch.setattr(module, "watched", lambda layer: watches.append(layer) or [])
    SelfAttention(8)(X, RING)
    assert watches == []


def test_every_reason_is_told():
    reasons = explain_backend(GCN(8, 8), X, RING).reasons
    assert reasons["edgewise"] == []
    assert reasons["dense"] == [
        "needs a topology of blocks (Full, Causal, Window, Prefix, Cross, Star), got Edges",
        "needs the message Attend, got Scaled",
        "needs the aggregation SoftmaxSum, got Sum",
    ]
    plain = SelfAttention(8)
    plain.message_function.score = Dot()
    assert explain_backend(plain, X, Full([3])).reasons["dense"] == ["needs a score that works on matrices, got Dot"]


def test_a_hook_or_an_explainer_sees_every_edge():
    layer = SelfAttention(8)
    seen = []
    handle = layer.register_message_forward_hook(lambda *hook: seen.append(hook[-1].shape))
    explanation = explain_backend(layer, X, Full([3]))
    assert explanation.chosen == "edgewise"
    assert explanation.reasons["dense"] == ["an explainer or a hook is attached, which wants to see every edge"]
    layer(X, Full([3]))
    assert seen == [(9, 1, 8)]
    handle.remove()
    assert explain_backend(layer, X, Full([3])).chosen == "dense"


def test_the_explanation_reads_as_a_list():
    text = str(explain_backend(SelfAttention(8), X, RING))
    assert text.splitlines() == [
        (
            "   closed_form: needs the score SplitAdditive for attention, got ScaledDot; "
            "needs a topology of whole graphs (Full, Cross, Star), got Edges"
        ),
        (
            "   cuda_small: needs tensors on a CUDA device, got cpu; "
            "needs a topology of whole graphs (Full, Causal, Cross, Star), got Edges"
        ),
        "   small: needs a topology of whole graphs (Full, Causal, Cross, Star), got Edges",
        (
            "   flex: needs tensors on a CUDA device, got cpu; "
            "needs a topology of runs of senders (Blockwise), got Edges; needs at least 16 channels in a head, got 8"
        ),
        "   dense: needs a topology of blocks (Full, Causal, Window, Prefix, Cross, Star), got Edges",
        (
            "   linear: needs a topology of whole graphs (Full, Causal, Cross, Star), got Edges; "
            "needs the aggregation NormalizedSum, got SoftmaxSum"
        ),
        "   cuda: needs tensors on a CUDA device, got cpu",
        "-> csr: can be used",
        "   sparse: can be used",
        "   edgewise: can be used",
    ]


def test_an_unknown_backend_is_refused():
    with (
        pytest.raises(
            ValueError,
            match=r"expected one of the backends \['closed_form', 'csr', 'cuda', .* 'linear', 'small', 'sparse'\], got 'fast'",
        ),
        use_backend("fast"),
    ):
        pass


def test_a_forced_backend_that_cannot_says_why_and_the_force_ends():
    layer = SelfAttention(8)
    with (
        use_backend("dense"),
        pytest.raises(ValueError, match=r"backend 'dense' supports, got one it refuses: needs .* got Edges"),
    ):
        layer(X, RING)
    assert layer(X, RING).shape == (3, 8)


def test_attention_over_full_graphs_lists_pairs_only_when_edgewise_is_forced(monkeypatch):
    listed = []
    honest = Full.edge_index
    monkeypatch.setattr(Full, "edge_index", lambda self: listed.append(1) or honest(self))
    layer, graph = SelfAttention(8), Full([2, 1])
    layer(X, graph)
    assert not listed
    with use_backend("edgewise"):
        layer(X, graph)
    assert listed


def test_low_precision_is_within_twice_the_error_of_the_plain_path():
    layer, graph = SelfAttention(8, heads=2), Full([40, 7])
    x = torch.randn(47, 8)
    truth = layer.double()(x.double(), graph)
    for dtype in (torch.float32, torch.bfloat16):
        layer.to(dtype)
        errors = {}
        for name in ("dense", "edgewise"):
            with use_backend(name):
                errors[name] = (layer(x.to(dtype), graph).double() - truth).abs().max()
        assert errors["dense"] <= 2 * errors["edgewise"] + torch.finfo(dtype).eps


def test_pairs_of_message_and_aggregation_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"got Attend \(with a score\) and Sum \(takes no scores\)"):
        GraphLayer(Attend(8, Heads(1, 8)), Sum(), Replace())
    with pytest.raises(ValueError, match=r"got Copy \(without a score\) and SoftmaxSum \(needs scores\)"):
        GraphLayer(Copy(), SoftmaxSum(), Replace())


FORWARD_MODE = {
    "csr": (lambda: SelfAttention(8, heads=2), lambda: Edges(torch.randint(0, 9, (2, 40)), 9)),
    "sums": (lambda: GCN(8, 8), lambda: Edges(torch.randint(0, 9, (2, 40)), 9)),
    "dense": (lambda: SelfAttention(8, heads=2), lambda: Full([5, 4])),
    "small": (lambda: SelfAttention(8, heads=2), lambda: Full([60, 70])),
}


@pytest.mark.parametrize("name", FORWARD_MODE)
def test_forward_mode_is_right_and_not_zero(name):
    make, on = FORWARD_MODE[name]
    layer, graph = make().double(), on()
    x, direction = torch.randn(2, graph.num_senders, 8, dtype=torch.float64)
    _, found = torch.func.jvp(lambda x: layer(x, graph), (x,), (direction,))
    step = 1e-6
    by_differences = (layer(x + step * direction, graph) - layer(x - step * direction, graph)) / (2 * step)
    torch.testing.assert_close(found, by_differences, rtol=1e-6, atol=1e-7)


def test_a_forced_backend_refuses_forward_mode_in_words():
    layer, graph = SelfAttention(8, heads=2), Edges(torch.randint(0, 9, (2, 40)), 9)
    x = torch.randn(9, 8)
    with (
        use_backend("csr"),
        pytest.raises(ValueError, match=r"backend 'csr' supports.*needs derivatives in reverse mode.*got forward mode"),
    ):
        torch.func.jvp(lambda x: layer(x, graph), (x,), (x,))


def test_backends_are_forced_for_one_thread():
    layer, x, graph = SelfAttention(8), torch.randn(3, 8), Edges(torch.tensor([[0, 1], [1, 2]]))
    both, names = threading.Barrier(2), ("edgewise", "sparse")

    def chosen(name):
        with use_backend(name):
            both.wait()  # both threads are inside
            found = [explain_backend(layer, x, graph).chosen for _ in range(20)]
            both.wait()
        return {*found, explain_backend(layer, x, graph).chosen}

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(chosen, names)) == [{"edgewise", "csr"}, {"sparse", "csr"}]


def test_a_compiled_layer_follows_what_is_forced():
    layer, x, graph = SelfAttention(8), torch.randn(3, 8), Edges(torch.tensor([[0, 1], [1, 2]])).prepare()
    torch._dynamo.reset()
    graphs = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(layer, fullgraph=True, backend=graphs)
    compiled(x, graph)
    with use_backend("sparse"):
        compiled(x, graph)
    compiled(x, graph)
    assert graphs.frame_count == 2
