"""The page of a comparison: verdict and picture first, then tables, drawings and protocol, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphattn import files
from graphattn.comparison.record import FitRecord
from graphattn.comparison.report import drawings, fits, protocol, tables
from graphattn.comparison.report.drawings import DifferenceLine
from graphattn.comparison.verdict import titles
from graphattn.comparison.verdict.findings import ATTENTION, Findings
from graphattn.comparison.verdict.sentences import Verdict, contrast, undecided, verdict
from graphattn.comparison.verdict.summary import Summary, summary
from graphattn.reports.axes import polyline
from graphattn.reports.numbers import large, seconds
from graphattn.reports.page import environment
from graphattn.training.statistics import FEWEST, ROPE, finding

_COSTS = (("seconds_per_epoch", "time per epoch of training", seconds), ("flops", "FLOPs per graph", large))


def write_report(
    records: Sequence[FitRecord],
    path: Path | str,
    *,
    notes: Sequence[str] = (),
    command: str = "",
    rope: float = ROPE,
    row_names: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Path:
    """Writes what ``records`` amount to as one HTML file and returns its path.

    The file contains its styles, drawings and script, needs no network, and is laid out for phones and paper too.

    Args:
        records: all fits of one problem, failed ones as well; what earlier versions did not record is named as missing.
        path: of the file; its folder is made.
        notes: what a reader has to know of the data and of how they were divided.
        command: what was run, shown so that it can be run again.
        rope: differences up to this are none in practice (region of practical equivalence).
        row_names: of the rows of the data (SMILES); numbers if not given.
        classes: names of classes; numbers if not given.

    Raises:
        ValueError: what :func:`~graphattn.comparison.verdict.summary.summary` refuses.
    """
    path = Path(path)
    found = environment(Path(__file__).parent / "templates")
    found.globals.update(colour=drawings.colour, shape=drawings.shape, titles=titles, few=FEWEST)
    found.globals.update(polyline=polyline, steps=drawings.steps)
    macros: Any = found.get_template("drawings.html").module
    context = _context(summary(records, rope), macros) | {"notes": notes, "command": command}
    context["wrong"] = tables.always_wrong(context["summary"], row_names, classes)
    context["sections"] = _sections(context)
    text = found.get_template("report.html").render(context)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text)
    return path


def _context(found: Summary, macros: Any) -> dict[str, Any]:
    """All that the template shows."""
    findings, words = Findings(found), verdict(found)
    scored = [row for row in (*found.rows, *found.controls) if row.fits]
    effects, against = _effects(found), _against(findings)
    same, facts, different = protocol.protocol(found)
    example, repeat = protocol.facts(found)
    costs = [(each[0], drawings.cost_plot(found.models, found.baselines, *each)) for each in _COSTS]
    return {
        "title": f"{found.problem}: {words.headline}",
        "summary": found,
        "words": words,
        "kicker": f"{found.problem}: {_question(found)}",
        "facts": _facts(found, findings),
        "reference": findings.reference,
        "family": len(findings.family),
        "groups": _groups(words),
        "scored": scored,
        "scores_axis": drawings.scores_axis(scored) if scored else None,
        "by_factors": tables.by_factors(found) if found.models else {},
        "effects": effects,
        "effects_axis": drawings.differences_axis(effects, found.rope),
        "against": against,
        "against_axis": drawings.differences_axis(against, found.rope),
        "pairs": tables.pairs(found, macros.chances) if against else None,
        "configurations": tables.configurations(found, macros.name),
        "costs": [(cost, plot) for cost, plot in costs if plot],
        "curves": fits.learning_curves(found.models),
        "predictions": fits.predictions(found),
        "depths": [plot for each in drawings.FIGURES if (plot := drawings.depth_plot(found.models, each))],
        "learned": tables.learned(found, macros.name),
        "same": same,
        "settings": facts,
        "different": different,
        "sizes": tables.sizes(found, macros.name),
        "failed": tables.failed(found),
        "limits": protocol.LIMITS,
        "example": example.fit.name,
        "one_fit": protocol.one_fit(example),
        "repeat": repeat,
    }


def _question(found: Summary) -> str:
    usual = any(row.layer in ATTENTION for row in found.models) and any(row.layer == "gcn" for row in found.models)
    return "does attention help, or would a GCN do?" if usual else "which layer, on which graph?"


def _facts(found: Summary, findings: Findings) -> dict[str, str]:
    """How much was done."""
    rows = [*found.rows, *found.controls]
    return {
        "configurations": str(len([row for row in found.rows if row.role == "model"])),
        "baselines": str(len(found.baselines)),
        f"{found.unit}s": str(findings.repeats),
        "fits": f"{sum(len(row.fits) + len(row.failed) for row in rows):,}",
        "score": found.measure,
    }


def _groups(words: Verdict) -> dict[str, tuple[str, ...]]:
    groups = {"Layer and topology": words.effects, "Controls": words.controls, "Cautions": words.cautions}
    return {title: group for title, group in groups.items() if group}


def _effects(found: Summary) -> list[DifferenceLine]:
    lines = []
    for effect in found.effects:
        why = undecided(effect.difference, effect.p_holm, sum(each.kind == effect.kind for each in found.effects))
        kind = finding(effect.difference, effect.p_holm)
        lines.append(DifferenceLine(contrast(effect), effect.difference, kind, why))
    return lines


def _against(findings: Findings) -> list[DifferenceLine]:
    turned = [pair.reversed() for pair in findings.against]
    whys = [undecided(pair.difference, pair.p, pair.family) if pair.family else "" for pair in turned]
    return [
        DifferenceLine(pair.first, pair.difference, pair.finding, why) for pair, why in zip(turned, whys, strict=True)
    ]


def _sections(context: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and headings of the parts that have something to show."""
    parts = [
        ("found", "Findings", True),
        ("factors", "Layer by topology", context["by_factors"]),
        ("scores", "All scores", context["scored"]),
        ("configurations", "All configurations and baselines", True),
        ("differences", "Differences", context["against"]),
        ("cost", "Score against cost", context["costs"]),
        ("curves", "Learning curves", context["summary"].models),
        ("predictions", "Predictions", context["scored"]),
        ("learned", "What the layers learned", context["learned"]),
        ("protocol", "Protocol", True),
        ("failed", "Failed fits", True),
        ("limits", "Limits", True),
        ("repeat", "Reproduction", True),
    ]
    return [(name, heading) for name, heading, there in parts if there]
