"""What compilers of older torch can read: tuples in ``isinstance``, no ``__dict__``, operators that state their schema."""

import ast
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1] / "graphattn"
FOLDERS = ("aggregation", "backends", "blocks", "edge_terms", "encoding", "message", "score", "topology", "update")
FILES = [HOME / f"{name}.py" for name in ("binding", "dropout", "lasting", "layer", "slots", "traced")]
TRACED = sorted({*(path for name in FOLDERS for path in HOME.glob(f"{name}/**/*.py")), *FILES})
OPERATORS = [path for name in ("operators", "numba", "triton") for path in sorted(HOME.glob(f"backends/{name}/*.py"))]


def unreadable(text):
    """The lines that dynamo of torch 2.6 to 2.10 cannot trace."""
    for node in ast.walk(ast.parse(text)):
        is_check = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        if is_check and any(isinstance(kind, ast.BinOp) for kind in node.args[1:]):
            yield f"line {node.lineno}: isinstance with {ast.unparse(node.args[1])}"
        if isinstance(node, ast.Attribute) and node.attr == "__dict__":
            yield f"line {node.lineno}: {ast.unparse(node)}"


def unstated(text):
    """The operators whose schema torch has to read from annotations that are text."""
    tree = ast.parse(text)
    futures = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        made = isinstance(called, (ast.Attribute, ast.Name)) and ast.unparse(called).endswith("custom_op")
        if made and futures and not any(word.arg == "schema" for word in node.keywords):
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", TRACED, ids=lambda path: str(path.relative_to(HOME)))
def test_what_is_traced_can_be_read(path):
    assert not list(unreadable(path.read_text()))


@pytest.mark.parametrize("path", OPERATORS, ids=lambda path: str(path.relative_to(HOME)))
def test_operators_state_their_schema(path):
    assert not list(unstated(path.read_text()))


def test_the_reader_sees_what_cannot_be_read():
    assert list(unreadable("isinstance(x, int | str)\nmodule.__dict__")) == [
        "line 1: isinstance with int | str",
        "line 2: module.__dict__",
    ]
    assert not list(unreadable("isinstance(x, (int, str))"))
    future = "from __future__ import annotations\n"
    assert list(unstated(future + "torch.library.custom_op('a::b', mutates_args=())")) == [
        "line 2: torch.library.custom_op('a::b', mutates_args=())"
    ]
    assert not list(unstated(future + "custom_op('a::b', mutates_args=(), schema='() -> Tensor')"))
    assert not list(unstated("custom_op('a::b', mutates_args=())"))


def test_operators_are_among_what_is_read():
    assert any("custom_op" in path.read_text() for path in OPERATORS)
