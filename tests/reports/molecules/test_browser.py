"""The report of a model in headless Chromium: no error, nothing is wider than a phone, nothing is asked of the network."""

import pytest

from graphattn.reports.molecules.page import write_report
from tests.comparison.report.test_browser import CHROMIUM, FLAGS

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def pages(make_trained, tmp_path_factory):
    """The reports of all kinds of tasks, opened in one browser, with what they said and asked for."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        found = []
        for kind in ("binary", "multiclass", "multilabel", "regression"):
            path = write_report(make_trained(kind), tmp_path_factory.mktemp(kind))
            page, said, asked = browser.new_page(), [], []
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("pageerror", lambda error, said=said: said.append(str(error)))
            page.on("request", lambda sent, asked=asked: asked.append(sent.url))
            page.goto(path.as_uri())
            found.append((page, path, said, asked))
        yield found
        browser.close()


def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(pages):
    for _, path, said, asked in pages:
        assert said == []
        assert asked == [path.as_uri()]


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_screen(pages, width):
    outside = """all => all.filter(each => !each.closest('.scroll, pre, svg'))
        .filter(each => each.getBoundingClientRect().right > window.innerWidth + 1).map(each => each.outerHTML.slice(0, 80))"""
    for page, *_ in pages:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.locator("main *").evaluate_all(outside) == []


def test_tables_and_structures_fit_on_paper(pages, tmp_path):
    outside = "all.filter(each => each.getBoundingClientRect().right > window.innerWidth + 1)"
    for page, *_ in pages:
        page.set_viewport_size({"width": 718, "height": 900})
        page.emulate_media(media="print")
        assert (
            page.locator("table, .structure").evaluate_all(f"all => {outside}.map(each => each.innerText.slice(0, 80))")
            == []
        )
        page.emulate_media(media="screen")
    assert pages[0][0].pdf(path=tmp_path / "report.pdf").startswith(b"%PDF")


def test_structures_are_drawn_on_white_whatever_the_scheme(pages):
    for page, *_ in pages:
        page.emulate_media(color_scheme="dark")
        white = "all => all.every(each => getComputedStyle(each).backgroundColor === 'rgb(255, 255, 255)')"
        assert page.locator(".structure").evaluate_all(white)
        boxes = page.locator(".structure svg").evaluate_all(
            "all => all.map(each => each.getBoundingClientRect().width)"
        )
        assert min(boxes) > 60
