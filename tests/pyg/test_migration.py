"""The migration page names what there is."""

import re
from pathlib import Path

from torch_geometric import nn as pyg

import graphattn
from graphattn.convert.modules import _PYG
from graphattn.pyg import DROP_INS
from graphattn.zoo import TABLE

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
ROWS = {
    cells[0].strip("`"): cells[1:]
    for line in PAGE.splitlines()
    if (cells := [cell.strip() for cell in line.strip("|").split("|")]) and re.fullmatch(r"`\w+Conv`", cells[0])
}


def test_every_layer_of_the_page_is_pygs_and_has_the_drop_in_that_it_names():
    drop_ins = {getattr(pyg, name): drop_in for name, (drop_in, *_) in ROWS.items()}
    assert {theirs for theirs, named in drop_ins.items() if named != "none"} == set(DROP_INS)
    for theirs, named in drop_ins.items():
        assert named in ("none", f"`graphattn.pyg.{theirs.__name__}`")


def test_every_row_is_in_the_zoo_and_every_converted_layer_is_on_the_page():
    names = {row.name for row in TABLE}
    for name, (_, row, _) in ROWS.items():
        assert row.strip("`") in names or (name == "GPSConv" and hasattr(graphattn, "GPS"))
    assert {theirs.__name__ for theirs in _PYG} == set(ROWS) - {"GPSConv", "GatedGraphConv"}
