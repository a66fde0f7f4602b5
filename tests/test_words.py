"""Words: the phrases that CONTRIBUTING replaces stand nowhere, and the picture of hearing and saying only where it teaches."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = (
    "message",
    "query",
    "score",
    "attention weight",
    "label mask",
    "configuration",
    "rope",
    "hear",
    "zoo",
    "hub",
)
PICTURE = re.compile(r"\b(hear|hears|hearing|listen|listens|loud|loudness|felt|pull|spoken|told|asked)\b")
ROOMS = ("backends", "comparison", "bench", "reports", "estimators", "cli")
TEACHING = {"docs/tour.md", "docs/glossary.md"}
EXCEPTIONS = {
    "docs/compare.md": 1,  # a verdict as it was printed on its day
    "graphattn/backends/dense.py": 1,  # the words of a refusal
    "graphattn/backends/edges/relations.py": 9,
    # The sources of kernels: a word more would compile them anew for everybody.
    "graphattn/backends/numba/blocks.py": 1,
    "graphattn/backends/numba/gatv2.py": 1,
    "graphattn/backends/numba/kernels.py": 1,
    "graphattn/backends/numba/whole.py": 1,
}
"""How often each file may use the picture."""


def replaced() -> list[str]:
    """The left-hand phrases of the table in CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (.+?) \| .+ \|$", text.partition("| instead of | write |")[2].partition("\n\n")[0], re.MULTILINE
    )
    return [phrase for row in rows for phrase in row.split("; ") if not phrase.startswith("---")]


def texts() -> dict[str, str]:
    found = [
        *ROOT.glob("graphattn/**/*.py"),
        *ROOT.glob("graphattn/**/*.html"),
        *ROOT.glob("docs/*.md"),
        ROOT / "README.md",
    ]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in found}


TEXTS = texts()
PLAIN = [
    name
    for name in TEXTS
    if (name.startswith("docs/") and name not in TEACHING)
    or name.startswith(tuple(f"graphattn/{room}" for room in ROOMS))
]


def test_phrases_of_the_table_are_written_nowhere():
    phrases = replaced()
    assert len(phrases) == 10
    flat = {name: " ".join(text.split()).lower() for name, text in TEXTS.items()}
    assert [(name, phrase) for name, text in flat.items() for phrase in phrases if phrase.lower() in text] == []


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_the_picture_stands_where_it_teaches(name):
    found = PICTURE.findall(TEXTS[name])
    assert len(found) == EXCEPTIONS.get(name, 0), found


def test_the_glossary_has_the_words_of_the_library_and_of_the_field():
    text = TEXTS["docs/glossary.md"]
    assert [word for word in GLOSSARY if not re.search(rf"^\| .*\b{word}\b.* \|", text, re.MULTILINE)] == []
    assert "docs/glossary.md" in TEXTS["README.md"]


DOCSTRINGS = {
    name: [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    for name, text in TEXTS.items()
    if name.endswith(".py") and not name.startswith(("graphattn/backends/numba", "graphattn/backends/triton"))
}


def test_docstrings_have_one_dialect():
    single, running = re.compile(r"(?<![`:\w])`[^`\n]+`(?![`_])"), re.compile(r"Raises ``\w+``")
    code = re.compile(r"^ *(>>>|\.\.\.).*$", re.MULTILINE)
    found = {
        name: hits
        for name, texts in DOCSTRINGS.items()
        if (hits := [hit for text in texts for rule in (single, running) for hit in rule.findall(code.sub("", text))])
    }
    assert found == {}
