"""Text of users is text, wherever it stands."""

from graphattn.comparison.report.markup import Markup, element, joined


def test_text_is_escaped_and_markup_is_not():
    assert element("p", {}, "<script>", Markup("<br>")) == "<p>&lt;script&gt;<br></p>"
    assert joined(['"', "&"]) == "&quot;&amp;"


def test_attributes_cannot_be_left():
    assert element("p", {"title": '"><script>'}) == '<p title="&quot;&gt;&lt;script&gt;"></p>'


def test_what_is_empty_is_closed():
    assert element("br") == "<br>"
    assert element("circle", {"r": 1.23456789}) == '<circle r="1.23457"/>'
    assert element("td") == "<td></td>"
