"""The CUDA table compares equal things, says so where there is no device, and prints ratios of medians."""

import pytest
import torch

from benchmarks import cuda

CPU = cuda.Place("cpu", torch.float32)


def test_without_a_device_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cuda.main()
    assert capsys.readouterr().out == "There is no CUDA device here: nothing is measured.\n"


@pytest.mark.parametrize("edges", [cuda.random_edges, cuda.power_law])
def test_layers_on_edges_are_those_of_pyg(edges):
    found = cuda.on_edges(CPU, "few", edges(12, 3, "cpu"), 12, heads=2, channels=4)
    assert [set(case.steps) for case in found] == [{"graphattn", "PyG"}] * 4
    for case in found:
        cuda.compared(case)


def test_whole_graphs_are_those_that_are_padded():
    for case in cuda.on_whole_graphs(CPU, "few", [5, 2, 7], heads=2, channels=4):
        cuda.compared(case)


def test_different_results_are_refused():
    x = torch.ones(2, requires_grad=True)
    case = cuda.Case("x", {"graphattn": lambda: x * 1, "peer": lambda: x * 2}, (x,))
    with pytest.raises(AssertionError, match="x, peer"):
        cuda.compared(case)


def test_rows_have_ratios_of_medians_and_their_spread():
    case = cuda.Case("sum", {}, ())
    lines = cuda.rows(case, "forward", {"graphattn": [1.0, 2.0, 4.0], "PyG": [8.0, 6.0, 4.0]})
    assert lines == ["| sum | forward | PyG | 2.000 | 6.000 | 3.00 | 1.00 to 8.00 |"]
