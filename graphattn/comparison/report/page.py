"""The page: what was found in words, then tables, drawings, protocol and limits, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphattn import files
from graphattn.comparison.record import FitRecord
from graphattn.comparison.report import protocol, sections, tables
from graphattn.comparison.report.figures import typographic
from graphattn.comparison.report.markup import Markup, element
from graphattn.comparison.statistics import ROPE
from graphattn.comparison.summary import Summary, summary
from graphattn.comparison.verdict import ATTENTION, Verdict, sentences

_HERE = Path(__file__).parent


def write_report(
    records: Sequence[FitRecord], path: Path | str, *, notes: Sequence[str] = (), command: str = "", rope: float = ROPE
) -> Path:
    """Writes what `records` amount to as one HTML file and returns its path.

    The file holds its styles, drawings and script, asks no network, and can be read on a phone and on paper.

    Args:
        records: all fits of one problem, failed ones as well.
        path: of the file; its folder is made.
        notes: what a reader has to know of the data and of how they were divided.
        command: what was run, shown so that it can be run again.
        rope: differences up to this are none in practice.

    Raises:
        ValueError: what :func:`~graphattn.comparison.summary.summary` refuses.
    """
    path = Path(path)
    text = page(summary(records, rope), notes, command)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text)
    return path


def page(found: Summary, notes: Sequence[str] = (), command: str = "") -> str:
    """The HTML of a summary."""
    said = sentences(found)
    parts = _sections(found, said, notes, command)
    links = [element("a", {"href": f"#{name}"}, title) for name, title, _ in parts]
    body = [
        element("header", {}, *_opening(found, said), element("nav", {"aria-label": "Parts of this page"}, *links)),
        element("main", {}, *(_section(*part) for part in parts)),
    ]
    title = f"{found.problem}: {said.headline}"
    head = [
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, title),
        element("style", {}, Markup(_read("style.css"))),
    ]
    script = element("script", {}, Markup(_read("script.js")))
    whole = element("html", {"lang": "en"}, element("head", {}, *head), element("body", {}, *body, script))
    return f"<!doctype html>\n{whole}\n"


def _section(name: str, title: str, whole: Markup) -> Markup:
    return element("section", {"id": name}, element("h2", {}, title), whole)


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _opening(found: Summary, said: Verdict) -> list[Markup]:
    """The answer, what it rests on, and how much was done."""
    rows = [*found.rows, *found.controls]
    fits = sum(len(row.fits) + len(row.failed) for row in rows)
    repeats = max((len(row.by_split) for row in found.rows), default=0)
    facts = {
        "cells": str(len([row for row in found.rows if row.role == "model"])),
        "baselines": str(len(found.baselines)),
        f"{found.unit}s": str(repeats),
        "fits": f"{fits:,}",
        "score": found.measure,
    }
    shown = [element("div", {}, element("dt", {}, key), element("dd", {}, value)) for key, value in facts.items()]
    usual = any(row.layer in ATTENTION for row in found.models) and any(row.layer == "gcn" for row in found.models)
    asked = "does attention help, or would a GCN do?" if usual else "which layer, on which graph?"
    return [
        element("p", {"class": "alarm"}, typographic(said.alarm)) if said.alarm else Markup(""),
        element("p", {"class": "kicker"}, f"{found.problem}: {asked}"),
        element("h1", {}, said.headline),
        element("p", {"class": "lead"}, typographic(said.answer)),
        *(element("p", {}, typographic(each)) for each in (said.baselines, said.hearing) if each),
        element("dl", {"class": "facts"}, *shown),
    ]


def _sections(found: Summary, said: Verdict, notes: Sequence[str], command: str) -> list[tuple[str, str, Markup]]:
    """Names, titles and contents of the parts; those with nothing to show are left out."""
    parts = [
        ("found", "What was found", sections.found(said)),
        ("factors", "Layer by topology", sections.factors(found)),
        ("scores", "Every score", sections.scores(found)),
        ("cells", "All cells and baselines", tables.everything(found)),
        ("differences", "Differences", sections.differences(found)),
        ("cost", "Score against cost", sections.cost(found)),
        ("learned", "What the layers learned", sections.learned(found)),
        ("protocol", "Protocol", sections.rules(found, notes)),
        ("failed", "Fits that failed", protocol.failed(found)),
        ("limits", "Limits", protocol.limits()),
        ("repeat", "Do it again", protocol.repeat(found, command)),
    ]
    return [(name, title, whole) for name, title, whole in parts if whole]
