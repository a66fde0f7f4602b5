import json
import shutil
from html import unescape

import pytest
import torch
from markdown_it import MarkdownIt
from torch_geometric.data import Data

from graphattn import GraphClassifier
from graphattn.training.folder.card import card_of


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    made = [Data(x=torch.randn(n, 3), edge_index=torch.tensor([[0, 1], [1, 0]])) for n in range(2, 10)]
    model = GraphClassifier(channels=8, layers=1, epochs=1).fit(made, ["a", "b"] * 4)
    return model.save(tmp_path_factory.mktemp("graphs") / "model")


def test_the_card_of_a_graph_model_is_that_of_its_folder(graphs):
    assert card_of(graphs) == (graphs / "README.md").read_text(encoding="utf-8")
    assert "of each graph, a class: a, b." in card_of(graphs)


def test_names_of_classes_are_texts_and_no_markdown(tmp_path):
    made = [Data(x=torch.randn(n, 3), edge_index=torch.tensor([[0, 1], [1, 0]])) for n in range(2, 10)]
    names = ["[press](http://evil.example)", "![x](y) *a* `b` | <i>"]
    model = GraphClassifier(channels=8, layers=1, epochs=1).fit(made, names * 4)
    written = (model.save(tmp_path / "model") / "README.md").read_text(encoding="utf-8")
    html = MarkdownIt().enable("table").render(written)
    assert "<a " not in html
    assert "<img" not in html
    assert "[press](http://evil.example)" in unescape(html)
    assert "![x](y) *a* `b` | <i>" in unescape(html)
    assert "http://" not in written, "GitHub makes links of plain addresses"


def test_damaged_folders_are_named(graphs, tmp_path):
    copy = shutil.copytree(graphs, tmp_path / "model")
    described = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps(described | {"size": 3}))
    with pytest.raises(
        ValueError, match=r"model\.json is damaged: AttributeError 'int' object has no attribute 'items'"
    ):
        card_of(copy)
    (copy / "model.json").write_text("[")
    with pytest.raises(ValueError, match=r"model\.json is damaged: "):
        card_of(copy)
    (copy / "model.json").unlink()
    with pytest.raises(ValueError, match="holds no model: expected a folder made by 'graphattn train'"):
        card_of(copy)
