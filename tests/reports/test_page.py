"""Templates shared by reports: every value is escaped, a misspelt name is an error."""

import pytest
from jinja2 import UndefinedError

from graphattn.reports import page
from graphattn.reports.page import environment
from graphattn.reports.tables import ReportTable, TableColumn, TableEntry

FOLDER = page._SHARED


def rendered(source, **values):
    return environment(FOLDER).from_string(source).render(values)


def test_entries_headings_and_captions_of_tables_are_escaped():
    made = ReportTable("<i>&", [TableColumn("<b>", meaning='"><u>')], [[TableEntry("<script>", '"a')]])
    text = rendered("{% from 'parts.html' import table %}{{ table(made) }}", made=made)
    for escaped in ("&lt;i&gt;&amp;", "&lt;b&gt;", "&#34;&gt;&lt;u&gt;", "&lt;script&gt;", 'data-order="&#34;a"'):
        assert escaped in text
    assert not any(tag in text for tag in ("<i>", "<b>", "<u>", "<script>"))


def test_sentences_and_facts_are_escaped():
    source = "{% from 'parts.html' import bullets, definitions %}{{ bullets(['<b>']) }}{{ definitions({'<i>': '<u>'}, 'k') }}"
    text = rendered(source)
    assert "<li>&lt;b&gt;</li>" in text
    assert "<dt>&lt;i&gt;</dt><dd>&lt;u&gt;</dd>" in text


def test_a_name_that_is_not_given_is_an_error():
    with pytest.raises(UndefinedError, match="'missing' is undefined"):
        rendered("{{ missing }}")


def test_another_report_takes_the_page_with_its_own_parts(tmp_path):
    (tmp_path / "model.html").write_text(
        "{% extends 'base.html' %}{% block opening %}<h1>{{ title }}</h1>{% endblock %}"
        "{% block section %}<p>{{ name }}</p>{% endblock %}"
    )
    found = environment(tmp_path).get_template("model.html")
    text = found.render(title="A <model>", sections=[("figures", "Figures"), ("use", "Use & limits")])
    assert "<h1>A &lt;model&gt;</h1>" in text
    assert '<a href="#use">Use &amp; limits</a>' in text
    assert '<section id="figures"><h2>Figures</h2>\n<p>figures</p>' in text
    assert "prefers-color-scheme: dark" in text
