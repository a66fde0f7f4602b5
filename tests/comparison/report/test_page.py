"""The page as text: everything is in it, nothing is fetched, and names are only names."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from graphattn.comparison.report import write_report
from tests.comparison.made_records import failed, made, of_scores, record

HOSTILE = '<img src=x onerror="alert(1)">&amp;'


class Page(HTMLParser):
    """Which elements there are, with attributes, and whether each is closed where it was opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    records = [*made(splits=4), failed("gat", "full", 9, "diverged in epoch 3", problem="bbb")]
    path = tmp_path_factory.mktemp("report") / "new folder" / "report.html"
    assert write_report(records, path, notes=["Two rows were set aside."], command="graphattn compare bbb") == path
    return path.read_text(encoding="utf-8")


def test_it_is_well_formed_and_says_everything(page):
    text = " ".join(Page(page).text)
    for said in (
        "Attention helps here.",
        "beats GCN",
        "random forest",
        "MLP without edges",
        "labels permuted",
        "diverged in epoch 3",
        "Two rows were set aside.",
        "graphattn compare bbb",
        "Nadeau & Bengio",
        "torch 2.13.0",
        "5eed0fda7a00",
        "All 171 pairs",
    ):
        assert said in text


def test_nothing_is_fetched(page):
    found = Page(page)
    assert {tag for tag, _ in found.elements} & {"link", "img", "iframe", "object", "embed", "video"} == set()
    assert [attributes for _, attributes in found.elements if "src" in attributes] == []
    assert all(link["href"].startswith("#") for link in found.all("a"))
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page


def test_parts_have_headings_tables_captions_and_drawings_words(page):
    found = Page(page)
    tags = [tag for tag, _ in found.elements]
    assert tags.count("h1") == 1
    assert tags.count("h2") == tags.count("section") == 11
    assert tags.count("caption") == tags.count("table")
    for drawing in found.all("svg"):
        hidden = drawing.get("aria-hidden") == "true" or drawing.get("class") == "at"
        assert hidden or (drawing["role"] == "img" and drawing["aria-label"])
    identities = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert [link["href"][1:] for link in found.all("a")] == identities


def test_names_of_users_stay_text(tmp_path):
    records = [
        replace(
            each, fit=replace(each.fit, problem=HOSTILE, layer=HOSTILE), reason=HOSTILE, versions={HOSTILE: HOSTILE}
        )
        for each in [*of_scores(gcn=[0.7, 0.8, 0.9]), failed("gcn", "edges", 4, "")]
    ]
    records.append(
        record(HOSTILE, HOSTILE, 0, 0.7, problem=HOSTILE, settings={HOSTILE: HOSTILE}, learned={"entropy": [0.1, 0.2]})
    )
    path = write_report(records, tmp_path / "report.html", notes=[HOSTILE], command=HOSTILE)
    found = Page(path.read_text(encoding="utf-8"))
    assert found.all("img") == []
    assert not any("onerror" in attributes for _, attributes in found.elements)
    assert HOSTILE in "".join(found.text)


@pytest.mark.parametrize(
    "records",
    [
        [record("gcn", "edges", 0, 0.8)],
        [failed("gcn", "edges", 0, "diverged"), failed("attention", "full", 0, "out of memory")],
        [record("majority", "", split, 0.5, role="baseline") for split in range(2)],
        of_scores(gcn=[0.5, 0.5], attention=[0.5, 0.5]),
        of_scores(gcn=[-3.0, -1e6, 0.2], attention=[0.1, 0.2, 0.3]),
        [record("gcn", "edges", 0, 0.5, role="permuted")],
        made(splits=1, layers=("gcn",), topologies=("edges",)),
    ],
)
def test_little_and_strange_results_are_a_page_as_well(tmp_path, records):
    Page(write_report(records, tmp_path / "report.html").read_text(encoding="utf-8"))


def test_regression_is_scored_in_its_own_words(tmp_path):
    records = [
        record(layer, "edges", split, 0.5 + split / 10, measure="R2")
        for layer in ("gcn", "attention")
        for split in range(3)
    ]
    text = write_report(records, tmp_path / "report.html", rope=0.05).read_text(encoding="utf-8")
    assert "No difference larger than 0.05 R2" in text


def test_two_splits_are_no_interval_and_no_probability(tmp_path):
    records = of_scores(gcn=[0.8, 0.8], attention=[0.8, 0.8], gin=[0.7, 0.9])
    text = write_report(records, tmp_path / "report.html").read_text(encoding="utf-8")
    pairs = text.partition(
        "All 3 pairs, equal in practice up to 0.01 ROC-AUC; a dash where fewer than 3 splits decide nothing"
    )[2]
    body = pairs.partition("<tbody>")[2].partition("</tbody>")[0]
    assert body.count(">–</td>") == 3 * 8
    assert "not decided" in text
    assert 'class="word equal"' not in text
    assert 'class="whisker' not in text


def test_a_control_outside_its_bound_stands_above_the_headline(tmp_path):
    leak = [record("gcn", "edges", split, 0.9, role="permuted", chance=[0.3, 0.7]) for split in range(3)]
    text = write_report([*of_scores(gcn=[0.9] * 3, gin=[0.8] * 3), *leak], tmp_path / "report.html").read_text()
    assert text.index('<p class="alarm">DO NOT BELIEVE THESE SCORES YET') < text.index("<h1>")
    clean = write_report(of_scores(gcn=[0.9] * 3, gin=[0.8] * 3), tmp_path / "report.html").read_text()
    assert 'class="alarm"' not in clean


def test_the_same_records_are_the_same_page(tmp_path):
    records = made(splits=3)
    first, second = (write_report(each, tmp_path / "report.html").read_bytes() for each in (records, records[::-1]))
    assert first == second
