"""The page as text: everything is in it, nothing is fetched, and names are only names."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from graphattn.comparison.report import write_report
from tests.comparison.made_records import SETTINGS, failed, made, of_scores, record

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
    assert tags.count("h2") == tags.count("section") == 13
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
    records[0] = replace(records[0], predictions={"row": [0], "true": [1.0], "predicted": [-1.0]})
    path = write_report(
        records,
        tmp_path / "report.html",
        notes=[HOSTILE],
        command=HOSTILE,
        row_names=[HOSTILE],
        classes=[HOSTILE, HOSTILE],
    )
    found = Page(path.read_text(encoding="utf-8"))
    assert found.all("img") == []
    assert not any("onerror" in attributes for _, attributes in found.elements)
    # Problem and layer in many places, and the row and its two classes in the table of rows that are always wrong.
    assert "".join(found.text).count(HOSTILE) > 20
    assert found.text.count(HOSTILE) >= 3


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
    page = Page(write_report(records, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {"nan", "None", "inf"}.isdisjoint(" ".join(page.text).split())


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


def test_records_of_earlier_versions_are_a_page_that_names_what_is_missing(page, tmp_path):
    said = "of 64 fits are not in the records: they were written by an earlier version"
    assert f"Learning curves {said}" in page
    assert "Predictions of 76 fits are not in the records" in page
    assert "Always wrong" not in page
    curves = {"loss": [1.0, 0.5], "val_loss": [1.0, 0.6]}
    known = {"curves": curves, "predictions": {"row": [0, 1], "true": [0.0, 1.0], "predicted": [0.5, 0.5]}, "epochs": 2}
    records = [record(layer, "edges", split, 0.5, **known) for layer in ("gcn", "gin") for split in range(3)]
    text = write_report(records, tmp_path / "report.html", row_names=["CCO"]).read_text(encoding="utf-8")
    assert "are not in the records" not in text
    assert "Always wrong" in text
    assert "1 of 2 rows of test parts have a wrong class in every fit of every network" in text
    assert ">CCO</th>" in text
    assert text.count('aria-label="Loss by epoch of') == 2
    assert text.count('aria-label="ROC of') == 2


@pytest.mark.parametrize(
    ("trials", "said", "other"),
    [
        (0, "No layer was tuned: all have the same learning rate", "tuning trials"),
        (5, "The same number of tuning trials (5) for every layer", "No layer was tuned"),
        (None, "Training stops by the validation part", "tuned"),
    ],
)
def test_what_is_equal_in_tuning_is_read_from_the_records(tmp_path, trials, said, other):
    settings = {key: value for key, value in SETTINGS.items() if key != "trials"} | (
        {} if trials is None else {"trials": trials}
    )
    records = [
        record(layer, "edges", split, 0.5 + split / 9, settings=settings)
        for layer in ("gcn", "gin")
        for split in (1, 2)
    ]
    text = write_report(records, tmp_path / "report.html").read_text(encoding="utf-8")
    equal = text.partition("Equal for all</h3>")[2].partition("<h3>")[0]
    assert said in equal
    assert other not in equal


def test_what_is_not_decided_beside_an_interval_without_0_is_explained_on_its_line(tmp_path):
    """Three effects and three configurations, each with p 0.04 alone."""
    noise = [0.004, -0.003, 0.001, -0.004, 0.003, 0.0, -0.002, 0.001]
    records = [
        record(layer, "edges", split, base + step * noise[split], validation=base)
        for layer, base, step in (("gcn", 0.91, 0), ("gin", 0.9064, 1), ("sage", 0.9064, 1), ("gat", 0.9064, 1))
        for split in range(8)
    ]
    text = write_report(records, tmp_path / "report.html", rope=0.0).read_text(encoding="utf-8")
    lines = text.partition("<main>")[2].split("<tr>")
    open_lines = [line for line in lines if "not decided</span>" in line]
    excluding = [line for line in open_lines if "−0.00" in line and "[−0.007, 0.000]" in line]
    assert len(excluding) >= 2
    assert all(
        '<small class="why">the interval, of this comparison alone, excludes 0, but p is 0.' in line
        for line in excluding
    )


def test_the_same_records_are_the_same_page(tmp_path):
    records = made(splits=3)
    first, second = (write_report(each, tmp_path / "report.html").read_bytes() for each in (records, records[::-1]))
    assert first == second
