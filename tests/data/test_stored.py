"""Graphs in a folder come back the same, and what was changed is named."""

import json

import pytest
import torch
from torch_geometric.data import Data

from graphattn.data import load_graphs, save_graphs


def graphs():
    long = [f"cell {at} é" for at in range(100)]
    first = Data(
        x=torch.rand(100, 3),
        edge_index=torch.randint(0, 100, (2, 40)),
        node_id=long,
        mpp=float("nan"),
        names=["a", "b"],
    )
    return [
        first,
        Data(
            x=torch.zeros(0, 3),
            num_nodes=0,
            mpp=0.5,
            image="b",
            colors={"a": "#000000"},
            y=torch.tensor([1]),
            none=None,
        ),
    ]


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.to_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other[name])
            assert value.dtype == other[name].dtype
        else:
            assert value == other[name] or (value != value and other[name] != other[name])


def test_graphs_come_back_the_same(tmp_path):
    given = graphs()
    back = load_graphs(save_graphs(given, tmp_path / "folder"))
    assert len(back) == 2
    for one, other in zip(given, back, strict=True):
        same(one, other)


def test_no_graphs_are_graphs(tmp_path):
    assert load_graphs(save_graphs([], tmp_path / "folder")) == []


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="expected a new or empty folder for graphs"):
        save_graphs(graphs(), tmp_path)


@pytest.mark.parametrize(
    ("value", "kind"), [(object(), "object"), ({"a": {1, 2}}, "set"), (torch.eye(2).to_sparse(), "sparse Tensor")]
)
def test_what_is_no_text_or_number_is_refused_by_name(tmp_path, value, kind):
    with pytest.raises(TypeError, match=f"got {kind} as strange of graph 0"):
        save_graphs([Data(x=torch.zeros(2, 1), strange=value)], tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_folder_without_graphs(tmp_path):
    with pytest.raises(ValueError, match=r"holds no graphs: graphs\.json is missing"):
        load_graphs(tmp_path)


def test_changed_and_missing_files_are_named(tmp_path):
    folder = save_graphs(graphs(), tmp_path / "folder")
    file = folder / "graph-00000.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"graph-00000\.safetensors"):
        load_graphs(folder)
    assert len(load_graphs(folder, trust=True)) == 2
    file.unlink()
    with pytest.raises(ValueError, match=r"graph-00000\.safetensors"):
        load_graphs(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content | {"format": 7}, "format 7; this version reads 1"),
        (lambda content: {"format": 1}, "graphs.json is damaged: KeyError 'graphs'"),
        (
            lambda content: content | {"graphs": [{"file": "../a.safetensors", "values": {}}]},
            "names '../a.safetensors', which is no file",
        ),
        (lambda content: content | {"graphs": [{"file": "graphs.json", "values": {}}]}, "graphs.json is damaged"),
    ],
)
def test_a_description_that_was_changed_is_refused_even_if_it_is_trusted(tmp_path, change, words):
    folder = save_graphs(graphs(), tmp_path / "folder")
    content = json.loads((folder / "graphs.json").read_text())
    (folder / "graphs.json").write_text(json.dumps(change(content)))
    with pytest.raises(ValueError, match=words):
        load_graphs(folder, trust=True)


def test_edges_beyond_the_nodes_are_refused(tmp_path):
    folder = save_graphs([Data(x=torch.zeros(2, 1), edge_index=torch.tensor([[0], [5]]))], tmp_path / "folder")
    with pytest.raises(ValueError, match="edge_index names node 5 of 2"):
        load_graphs(folder)


def test_texts_that_were_cut_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save_graphs(graphs()[:1], tmp_path / "folder")
    file = folder / "graph-00000.safetensors"
    tensors = load_file(file)
    tensors["node_id/lengths"] = tensors["node_id/lengths"] + 1
    save_file(tensors, file)
    with pytest.raises(ValueError, match="expected texts of"):
        load_graphs(folder, trust=True)
