"""A comparison as a section of docs/compare.md: the verdict, and the table of cells, baselines and controls."""

from collections.abc import Sequence

from graphattn.comparison.record import FitRecord
from graphattn.comparison.report import drawings
from graphattn.comparison.verdict.sentences import verdict
from graphattn.comparison.verdict.summary import ConfigurationScores, Summary, summary

HEAD = "| | fits | {measure} | 95 % | parameters | MFLOP | s per epoch | graphs per s | MiB |\n" + "|---" * 9 + "|"


def section(name: str, records: Sequence[FitRecord], rope: float) -> str:
    """Markdown; how long all fits worked, and which days they are of, below.

    Raises `ValueError` where no fit has a score.
    """
    found = summary(records, rope)
    lines = [_line(row) for row in (*found.rows, *found.controls)]
    hours = sum(record.seconds for record in records) / 3600
    days = sorted({record.date[:10] for record in records})
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    spent = f"{len(records)} fits, {hours:.2f} hours of fits, each on one core, {when}."
    words = str(verdict(found))
    scores = "\n".join((HEAD.format(measure=found.measure), *lines))
    return "\n\n".join(filter(None, (f"### {name}", words, scores, learned(found), spent))) + "\n"


def learned(summary: Summary) -> str:
    """What the layers learned, a number for each of them in turn; empty where nothing is known of it."""
    figures = [each for each in drawings.FIGURES if any(drawings.average(row, each) for row in summary.models)]
    if not figures:
        return ""
    titles = [drawings.FIGURES[each][0] for each in figures]
    lines = [f"| | {' | '.join(titles)} |", "|---" * (1 + len(figures)) + "|"]
    for row in summary.models:
        values = (drawings.average(row, each) for each in figures)
        lines.append(f"| {row.name} | {' | '.join(drawings.steps(each) if each else '' for each in values)} |")
    return "\n".join(lines)


def _line(row: ConfigurationScores) -> str:
    fits = f"{len(row.fits)}" + (f" ({len(row.failed)} failed)" if row.failed else "")
    if not row.fits:
        return f"| {row.name} | {fits} | failed | | | | | | |"
    score = row.score
    within = "" if score.low != score.low else f"{score.low:.3f} to {score.high:.3f}"
    sizes = f"{row.median('parameters'):,.0f} | {row.median('flops') / 1e6:.2f}" if row.role != "baseline" else " | "
    costs = (
        f"{row.median('seconds_per_epoch'):.2f} | {row.median('graphs_per_second'):,.0f} | {row.median('peak_mib'):.1f}"
    )
    return f"| {row.name} | {fits} | {score.mean:.3f} | {within} | {sizes} | {costs} |"
