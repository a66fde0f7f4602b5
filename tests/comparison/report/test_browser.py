"""The page in headless Chromium: no error, tables sort, nothing is wider than a phone, nothing is asked of the network."""

import shutil

import pytest

from graphattn.comparison.report import write_report
from tests.comparison.made_records import failed, made, record

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LONG = "a_layer_of_a_user_who_likes_names_that_are_longer_than_a_phone_is_wide"
CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    records = [
        *made(splits=4),
        failed("gat", "full", 9, "diverged: " + "a long reason without end " * 8, problem="bbb"),
    ]
    records += [record(LONG, "edges", split, 0.9, problem="bbb", seconds_per_epoch=1.0) for split in range(4)]
    long = "graphattn compare bbb --layers attention,gcn,edgeconv,gin,gat,mlp --topologies edges,full,edges+hub --out runs/bbb"
    return write_report(records, tmp_path_factory.mktemp("report") / "report.html", notes=["x" * 200], command=long)


@pytest.fixture
def opened(browser, report, request):
    """A page of the width that is asked for; it fails a test that left an error, a warning or a request behind."""
    page = browser.new_page(viewport={"width": getattr(request, "param", 1280), "height": 900})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(report.as_uri())
    yield page
    page.close()
    assert said == []
    assert asked == [report.as_uri()]


def column(page, caption, place):
    return page.locator(f"table:has(caption:text('{caption}')) tbody tr > :nth-child({place})").all_text_contents()


def test_tables_sort_by_a_click_and_back(opened):
    caption = "All configurations of the design"
    head = opened.locator(f"table:has(caption:text('{caption}')) th", has_text="parameters")
    assert head.get_attribute("aria-sort") == "none"
    before = sorted(column(opened, caption, 1))
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    downwards = [float(each.removesuffix(" k")) for each in column(opened, caption, 5) if each != "–"]
    assert downwards == sorted(downwards, reverse=True)
    # What is unknown stands last either way.
    assert column(opened, caption, 5)[-3:] == ["–"] * 3
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    upwards = [float(each.removesuffix(" k")) for each in column(opened, caption, 5) if each != "–"]
    assert upwards == downwards[::-1]
    assert column(opened, caption, 5)[-3:] == ["–"] * 3
    assert sorted(column(opened, caption, 1)) == before


def test_names_sort_by_the_alphabet_first(opened):
    caption = "All configurations of the design"
    opened.locator(f"table:has(caption:text('{caption}')) th button", has_text="configuration or baseline").click()
    names = [each.lower() for each in column(opened, caption, 1)]
    assert names == sorted(names)


def test_pairs_open_and_sort_by_their_difference(opened):
    caption = "All 190 pairs"
    table = opened.locator(f"table:has(caption:text('{caption}'))")
    assert not table.is_visible()
    opened.locator("summary", has_text=caption).click()
    assert table.is_visible()
    table.locator("th button", has_text="difference").click()
    differences = [float(each.replace("−", "-")) for each in column(opened, caption, 2)]
    assert differences == sorted(differences, reverse=True)


@pytest.mark.parametrize("opened", [390, 768, 1280], indirect=True)
def test_nothing_is_wider_than_the_screen(opened):
    opened.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    outside = """all => all.filter(each => !each.closest('.scroll, pre'))
        .filter(each => each.getBoundingClientRect().right > window.innerWidth + 1).map(each => each.outerHTML.slice(0, 80))"""
    assert opened.locator("main *").evaluate_all(outside) == []


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """As many configurations as there are layers and graphs of the command line, and a verdict of many words."""
    layers = ("attention", "edge_attention", "gcn", "edgeconv", "gin", "gat")
    records = made(layers=layers, splits=4, noise=0.02, better={"edge_attention": 0.01})
    return write_report(records, tmp_path_factory.mktemp("long") / "report.html")


@pytest.mark.parametrize("which", ["report", "long"])
def test_the_first_screen_shows_all_scores_beside_the_verdict(browser, request, which):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(request.getfixturevalue(which).as_uri())
    picture, verdict, lead = (page.locator(name).bounding_box() for name in (".overview", "h1", ".lead"))
    assert picture["x"] >= verdict["x"] + verdict["width"]
    assert picture["y"] < verdict["y"] + verdict["height"]
    assert picture["x"] + picture["width"] <= 1280
    assert picture["y"] + picture["height"] <= 800
    assert lead["y"] + lead["height"] <= 800
    # Every fit of what is not far below: as many dots as in the section of all scores.
    assert page.locator(".overview circle.dot").count() == page.locator("#scores circle.dot").count() > 60
    page.close()


@pytest.mark.parametrize("opened", [390], indirect=True)
def test_wide_tables_scroll_inside_their_own_frame_on_a_phone(opened):
    opened.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    inside = """all => all.map(each => [each.scrollWidth > each.clientWidth, getComputedStyle(each).overflowX,
        each.getBoundingClientRect().right <= window.innerWidth, each.tabIndex])"""
    frames = opened.locator(".scroll").evaluate_all(inside)
    assert sum(wide for wide, *_ in frames) >= 3
    assert all(overflow == "auto" and fits and tab == 0 for _, overflow, fits, tab in frames)
    reached = """all => all.map(each => { each.scrollLeft = 1e6;
        const last = each.querySelector('thead tr').lastElementChild.getBoundingClientRect();
        return last.right <= each.getBoundingClientRect().right + 1; })"""
    assert all(opened.locator(".scroll").evaluate_all(reached))


@pytest.mark.parametrize("opened", [390], indirect=True)
def test_letters_keep_their_size_on_a_phone(opened):
    sizes = opened.locator("svg text").evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert min(sizes) > 10


@pytest.mark.parametrize(
    ("opened", "media"), [(390, "screen"), (768, "screen"), (1280, "screen"), (718, "print")], indirect=["opened"]
)
def test_numbers_beside_drawings_have_room(opened, media):
    opened.emulate_media(media=media)
    tight = "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.textContent)"
    assert opened.locator(".strips .number > *").evaluate_all(tight) == []
    narrow = "all => Math.min(...all.map(each => each.getBoundingClientRect().width))"
    assert opened.locator(".strips svg.strip").evaluate_all(narrow) > 150


@pytest.mark.parametrize("opened", [718], indirect=True)
def test_tables_fit_on_paper(opened):
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    opened.emulate_media(media="print")
    outside = "all.filter(each => each.getBoundingClientRect().right > window.innerWidth + 1)"
    wide = f"all => {outside}.map(each => each.innerText.slice(0, 80))"
    assert opened.locator("table").evaluate_all(wide) == []


def test_names_of_baselines_stand_below_the_drawing(opened):
    drawing = opened.locator("figure", has_text="against time per epoch").first
    assert "Dashed: " in drawing.locator("figcaption").inner_text()
    assert drawing.locator("svg text", has_text="forest").count() == 0


def test_dark_and_light_are_readable(opened):
    contrast = """() => {
        const light = (colour) => {
            const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255)
                .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const paper = light(getComputedStyle(document.body).backgroundColor);
        return ['h1', '.kicker', 'nav a', 'dt', '.caption', '.word.worse', 'figcaption'].map((name) => {
            const ink = light(getComputedStyle(document.querySelector(name)).color);
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        });
    }"""
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)
        assert min(opened.evaluate(contrast)) >= 4.5


def test_on_paper_everything_is_open_and_nothing_is_cut(opened, tmp_path):
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.locator("details:not([open])").count() == 0
    opened.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.locator("details[open]").count() == 0
    assert opened.pdf(path=tmp_path / "report.pdf").startswith(b"%PDF")
