from pathlib import Path

import pytest

from graphattn.zoo import TABLE, SelfAttention
from graphattn.zoo.table import as_markdown

ROOT = Path(__file__).parents[2]


def test_the_table_names_every_layer_of_the_zoo_and_each_is_one_graph_layer():
    import graphattn.zoo as zoo
    from graphattn.layer import GraphLayer

    public = {name for name in zoo.__all__ if name not in ("TABLE", "Row")}
    assert {row.name for row in TABLE} == public
    for row in TABLE:
        layer = row.make()
        assert type(layer) is GraphLayer
        assert repr(layer).startswith(row.name)


def test_heads_must_divide_channels():
    with pytest.raises(ValueError, match="got channels=8 and heads=3"):
        SelfAttention(8, heads=3)


def test_the_table_in_the_docs_is_the_table():
    assert as_markdown() in (ROOT / "docs" / "zoo.md").read_text()
