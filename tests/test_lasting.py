"""What is remembered of a tensor is used as long as the tensor is the same, whoever writes into it and how."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric import EdgeIndex

from graphattn.backends.numba.usable import SWITCH
from graphattn.lasting import content, mark, remembered
from graphattn.layer import GraphLayer
from graphattn.topology import Edges
from graphattn.zoo import GCN, SelfAttention


def ends(edges=9, nodes=6):
    return torch.randint(nodes, (2, edges))


def swapped(tensor):
    """Two numbers that differ, exchanged: sums and counts stay."""
    values = tensor.flatten().tolist()
    other = next(k for k, value in enumerate(values) if value != values[0])
    first = tensor.flatten()[0].clone()
    tensor.view(-1)[0], tensor.view(-1)[other] = tensor.view(-1)[other].clone(), first


def by_numpy(tensor):
    array = tensor.numpy()
    array.flat[0] = (array.flat[0] + 1) % 6


WRITES = {
    "in place": lambda tensor: tensor.add_(1).remainder_(6),
    "an index": lambda tensor: tensor.__setitem__((0, 0), (tensor[0, 0] + 1) % 6),
    "numpy": by_numpy,
    "a swap by numpy": lambda tensor: swapped(torch.from_numpy(tensor.numpy())),
    "data": lambda tensor: tensor.data.copy_((tensor + 1) % 6),
    "a swap in data": lambda tensor: swapped(tensor.data),
    "other data": lambda tensor: setattr(tensor, "data", (tensor + 1) % 6),
    "less data": lambda tensor: setattr(tensor, "data", tensor.data[:, :-1]),
    "transposed data": lambda tensor: setattr(tensor, "data", tensor.data[:, :2].t()),
    "set_": lambda tensor: tensor.set_((tensor + 1) % 6),
    "storage": lambda tensor: tensor.untyped_storage().copy_(((tensor + 1) % 6).untyped_storage()),
    "flip": lambda tensor: tensor.copy_(tensor.flip(0)),
}
FORMS = {
    "contiguous": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.t().contiguous().t(),
    "every second column": lambda tensor: tensor.repeat_interleave(2, dim=1)[:, ::2],
    "int32": lambda tensor: tensor.int(),
    "uint8": lambda tensor: tensor.byte(),
    "many": lambda tensor: tensor.repeat(1, 200),
    "many, transposed": lambda tensor: tensor.repeat(1, 200).t().contiguous().t(),
    "many of int32": lambda tensor: tensor.repeat(1, 200).int(),
    "inference": lambda tensor: torch.inference_mode()(tensor.clone)(),
}


@pytest.fixture(params=["1", "0"], ids=["numba", "no numba"])
def numba(request, monkeypatch):
    monkeypatch.setenv(SWITCH, request.param)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_write_is_seen_and_no_write_is_not(form, write, numba):
    tensor = form(ends())
    before = mark(tensor)
    assert mark(tensor) == before
    assert remembered(tensor, "a", lambda: 1) == remembered(tensor, "a", lambda: 2) == 1
    with torch.inference_mode(tensor.is_inference()):
        try:
            write(tensor)
        except RuntimeError:  # what torch refuses is not written
            assert mark(tensor) == before
            return
    assert mark(tensor) != before
    assert remembered(tensor, "a", lambda: 3) == 3


def test_content_is_of_the_numbers_alone(numba):
    for many in (9, 2000):
        one = ends(many)
        other = one.clone().add_(0).share_memory_()
        assert content(one) == content(other)
        swapped(other)
        assert content(one) != content(other)


def test_checksums_of_both_kinds_depend_on_the_place_of_every_number(numba):
    tensor = torch.arange(2000)
    seen = {content(tensor)}
    for place in range(0, 2000, 37):
        changed = tensor.clone()
        changed[place], changed[(place + 1) % 2000] = changed[(place + 1) % 2000].clone(), changed[place].clone()
        seen.add(content(changed))
        changed = tensor.clone()
        changed[place] += 1
        seen.add(content(changed))
    assert len(seen) == 1 + 2 * len(range(0, 2000, 37))


# torch warns that sparse layouts are in beta and unchecked.
@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_a_matrix_whose_entries_move_is_read_anew(layout):
    dense = torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0], [4.0, 0.0, 0.0]])
    matrix, layer, x = dense.to_sparse(layout=layout), GCN(4, 4), torch.randn(3, 4)
    before = layer(x, matrix)
    assert torch.equal(layer(x, matrix), before)
    if layout == torch.sparse_coo:
        plain = matrix._indices()[1]
    else:
        plain = matrix.col_indices() if layout == torch.sparse_csr else matrix.row_indices()
    plain.numpy()[0] = 0  # the entry in row 0 and column 1, or in row 2 and column 0
    assert not torch.allclose(layer(x, matrix), before)
    torch.testing.assert_close(layer(x, matrix), layer(x, matrix.to_dense().to_sparse(layout=layout)))


def test_an_edge_index_of_pyg_is_known_again():
    plain = ends()
    given = EdgeIndex(plain, sparse_size=(6, 6))
    assert mark(given) == mark(given)
    before = mark(given)
    plain.numpy()[0, 0] += 1
    assert mark(given) != before


class Reads(TorchDispatchMode):
    """Counts how often a number leaves its device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*arguments, **(options or {}))


def test_on_another_device_nothing_is_read():
    tensor = torch.zeros(2, 5, dtype=torch.long, device="meta")
    with Reads() as reads:
        assert mark(tensor) == mark(tensor)
    before = mark(tensor)
    tensor.add_(1)
    assert reads.count == 0
    assert mark(tensor) != before


@pytest.mark.parametrize("edges", [9, 5000])
def test_derivatives_of_torch_func_leave_nothing_behind(edges):
    layer, x, plain = SelfAttention(8, heads=2).double(), torch.randn(6, 8, dtype=torch.float64), ends(edges)

    def slope(layer: GraphLayer, plain):
        return torch.func.grad(lambda x, plain: layer(x, plain).sin().sum())(x, plain)

    first = slope(layer, plain)
    out = layer(x.requires_grad_(), plain)
    torch.testing.assert_close(torch.autograd.grad(out.sin().sum(), x)[0], first)
    graph = Edges(plain, 6)
    torch.func.grad(lambda x: layer(x, graph).sin().sum())(x.detach())
    torch.testing.assert_close(layer(x, graph), out)
    assert graph.by_receiver().other.numpy().shape == (edges,)
