import pytest
import torch

from graphattn.comparison.fits.process import most_memory, one_thread, out_of_memory


def test_threads_come_back_also_after_an_error():
    before = torch.get_num_threads()
    seen = []

    def work():
        with one_thread():
            seen.append(torch.get_num_threads())
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        work()
    assert seen == [1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_memory_that_runs_out_has_many_words(error, out):
    assert out_of_memory(error) == out


def test_torch_says_so_in_these_words():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert out_of_memory(caught.value)


def test_memory_of_a_step_is_what_it_takes_at_most():
    calls = []
    found = most_memory(lambda: calls.append(torch.ones(1 << 23).sum()))
    assert len(calls) == 1
    assert found == 0 or 25 < found < 60


def test_an_error_of_the_step_is_not_hidden():
    def step():
        raise MemoryError

    with pytest.raises(MemoryError):
        most_memory(step)
