import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch

from graphattn.data.sequences import (
    Bytes,
    Pretrained,
    Symbols,
    byte_pairs,
    characters,
    frames,
    next_token,
    question,
    sequence,
    stretches,
    words,
)


@settings(max_examples=30)
@given(st.text(max_size=20))
def test_what_is_encoded_is_decoded(text):
    assert Bytes().decode(Bytes().encode(text)) == text
    assert Bytes().encode(text).tolist() == list(text.encode())
    tokeniser = characters([text], special=["<start>"])
    assert tokeniser.decode(tokeniser.encode(text)) == text
    assert tokeniser.size == len(set(text)) + 1
    assert 0 not in tokeniser.encode(text)


def test_words_are_between_blanks():
    tokeniser = words(["not to be", "to be"], special=["<end>"])
    assert tokeniser.symbols == ("<end>", "be", "not", "to")
    assert tokeniser.decode(tokeniser.encode("to  be")) == "to be"


def test_symbols_are_known_and_differ():
    with pytest.raises(ValueError, match=r"expected symbols of Symbols\(size=2, first=\('a', 'b'\)\), got 'c'"):
        characters(["ab"]).encode("abc")
    with pytest.raises(ValueError, match="expected symbols that differ, got 'a' more than once"):
        Symbols(["a", "b", "a"], list, "")


def test_a_real_vocabulary(tmp_path):
    pytest.importorskip("tokenizers", reason="needs pip install 'graphattn[tokenizers]'")
    tokeniser = byte_pairs(["low lower lowest"] * 9, size=270, special=["<end>"])
    tokens = tokeniser.encode("lower é")
    assert tokens.numel() < len("lower é".encode())
    assert tokeniser.decode(tokens) == "lower é"
    path, asking = tmp_path / "tokenizer.json", tokeniser.tokenizer
    asking.enable_padding(length=20)
    asking.enable_truncation(2)
    asking.save(str(path))
    assert len(asking.encode("lower é").ids) == 20
    assert torch.equal(Pretrained(path).encode("lower é"), tokens)
    assert torch.equal(Pretrained(asking).encode("lower é"), tokens)
    assert len(asking.encode("lower é").ids) == 20


def test_the_library_of_real_vocabularies_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"real vocabularies need pip install 'graphattn\[tokenizers\]'"):
        Pretrained("tokenizer.json")


def test_graphs_of_unequal_length_are_a_batch_without_padding():
    batch = Batch.from_data_list([sequence([1, 2, 3], y=1), sequence([], y=0), sequence([4], y=1)])
    assert batch.token.tolist() == [1, 2, 3, 4]
    assert batch.ptr.tolist() == [0, 3, 3, 4]
    assert batch.y.tolist() == [1, 0, 1]


def test_each_token_is_asked_for_the_next():
    data = next_token([5, 6, 7])
    assert (data.token.tolist(), data.y.tolist()) == ([5, 6], [6, 7])
    assert next_token([5]).num_nodes == 0
    data.y[0] = -100
    assert data.token.tolist() == [5, 6]


@given(st.integers(0, 30), st.integers(1, 7))
def test_stretches_lie_end_to_end(total, length):
    parts = stretches(torch.arange(total), length)
    assert [data.num_nodes for data in parts] == [length] * len(parts)
    assert len(parts) == max(0, total - 1) // length
    for data in parts:
        assert torch.equal(data.y, data.token + 1)
    assert torch.cat([torch.arange(0), *(data.token for data in parts)]).tolist() == list(range(length * len(parts)))


def test_questions_of_unequal_length_are_a_batch():
    batch = Batch.from_data_list([question([5, 6, 7], [8], 0, 1), question([4], [], 0, 1)])
    assert batch.source.tolist() == [5, 6, 7, 4]
    assert batch.sources.tolist() == [3, 1]
    assert batch.token.tolist() == [0, 8, 0]
    assert batch.y.tolist() == [8, 1, 1]
    assert batch.ptr.tolist() == [0, 2, 3]


@given(st.integers(0, 20), st.integers(1, 6), st.integers(1, 6))
def test_frames_are_the_samples_they_begin_with(samples, size, hop):
    cut = frames(torch.arange(samples), size, hop)
    starts = list(range(0, samples - size + 1, hop))
    assert cut.tolist() == [list(range(start, start + size)) for start in starts]


def test_frames_are_of_one_sound():
    with pytest.raises(ValueError, match=r"got \[2, 3\], size=1 and hop=1"):
        frames(torch.zeros(2, 3), 1, 1)
    with pytest.raises(ValueError, match=r"got \[3\], size=1 and hop=0"):
        frames(torch.zeros(3), 1, 0)
