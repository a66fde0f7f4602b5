"""Sentences about the reliability of a model's predictions, from what ``model.json`` holds: for the card and the command line."""

import math
from collections.abc import Mapping
from typing import Any

from graphattn.training.molecules.reliability.calibration import Calibration

CAVEAT = (
    "Calibration, sets and thresholds share the validation part with the choice of the epoch, and the parts need not be alike: "
    "no coverage is guaranteed, the one on the test part was measured."
)


def reliability_sentences(described: Mapping[str, Any], part: str = "the test part") -> list[str]:
    """What is known of the reliability of predictions, a sentence each; one that says so if nothing is.

    ``part`` names the molecules that "measured" is of.

    Raises:
        ValueError: a number that is not finite, and a calibration that predictions are refused with.

    >>> reliability_sentences({"task": {"kind": "regression", "names": ["y"], "classes": []}})
    ['The model has no calibration, prediction sets, threshold or domain: it was saved without them.']
    """
    known, task = described.get("reliability"), described["task"]
    if known is None:
        kinds = "calibration, prediction sets, threshold or domain"
        return [f"The model has no {kinds}: it was saved without them."]
    _check_finite(known)
    measured = described.get("measured") or {}
    names = task["names"]
    lines = []
    for t, name in enumerate(names):
        of = f" of {name!r}" if len(names) > 1 else ""
        if task["kind"] != "regression":
            fitted = known["calibrations"][t]
            if fitted is not None:
                Calibration.from_dict(fitted, len(task["classes"]))
            lines.append(_calibration(fitted, _at(measured, "calibration", t), of, part))
        lines.append(_coverage(known, task, t, _at(measured, "coverage", t), of, part))
        if known["thresholds"]:
            cut, figures = known["thresholds"][t], _at(measured, "threshold", t)
            lines.append(_threshold(cut, known["aim"], figures, of, task, part))
    return [*lines, CAVEAT, _domain(known["least_similarity"], measured.get("domain"), part)]


def _check_finite(known: Any) -> None:
    if isinstance(known, float) and not math.isfinite(known):
        raise ValueError(f"expected finite numbers in reliability, got {known}")
    for each in known.values() if isinstance(known, Mapping) else known if isinstance(known, list | tuple) else ():
        _check_finite(each)


def _at(measured: Mapping[str, Any], name: str, target: int) -> Any:
    rows = measured.get(name)
    return rows[target] if rows else None


def _calibration(known: Mapping[str, Any] | None, found: Mapping[str, Any] | None, of: str, part: str) -> str:
    if known is None:
        return f"Probabilities{of} are not calibrated: a class has fewer than 5 molecules in the validation part."
    said = f"Probabilities{of} are calibrated on the validation part: slope {known['slope']:.3g} on the logs"
    if not found:
        return f"{said}."
    loss, error = (" to ".join(_number(value) for value in found[name]) for name in ("log_loss", "error"))
    return f"{said}; on {part} the log loss goes from {loss}, the calibration error from {error}."


def _coverage(
    known: Mapping[str, Any], task: Mapping[str, Any], target: int, found: Mapping[str, Any] | None, of: str, part: str
) -> str:
    stated, row = f"{100 * known['coverage']:g} %", known["quantiles"][target]
    least = math.ceil(known["coverage"] / (1 - known["coverage"]) - 1e-9)
    if task["kind"] == "regression":
        said = f"Intervals{of} with a stated coverage of {stated}: the value ± {'∞' if row[0] is None else f'{row[0]:.3g}'}"
        said += f", as {least} validation molecules are needed" if row[0] is None else ""
    else:
        said = f"Prediction sets{of} with a stated coverage of {stated} of each class"
        always = [repr(name) for name, value in zip(task["classes"], row, strict=True) if value is None]
        said += f", which always hold {', '.join(always)} (fewer than {least} validation molecules)" if always else ""
    if not found or not found["molecules"]:
        return f"{said}."
    said += f"; of {part} ({found['molecules']:,} labelled) {_percent(found['share'])} are covered"
    if task["kind"] == "regression":
        return f"{said}."
    classes = ", ".join(
        f"{_percent(share)} of {name!r}" for name, share in zip(task["classes"], found["classes"], strict=True)
    )
    return f"{said} ({classes}), with {found['size']:.2f} classes in a set on average and {_percent(found['empty'])} empty."


def _threshold(
    value: float, aim: str | None, found: Mapping[str, Any] | None, of: str, task: Mapping[str, Any], part: str
) -> str:
    why = f"chosen on the validation part for {aim}" if aim else "not chosen for an aim"
    why += ", or kept because one of the two classes is not there" if aim and value == 0.5 else ""
    said = f"The label{of} is {task['classes'][1]!r} at a probability above {value:g} ({why})"
    shares = [_number(found[name]) for name in ("sensitivity", "specificity")] if found else []
    measured = found.items() if found and any(share != "undefined" for share in shares) else ()
    figures = ", ".join(f"{name} {_number(each)}" for name, each in measured)
    return f"{said}; on {part} {figures}." if figures else f"{said}."


def _domain(least: float | None, found: Mapping[str, Any] | None, part: str) -> str:
    if least is None:
        return "The training molecules are not kept, so that nearest ones and the domain are unknown."
    said = (
        f"A molecule is in the domain if its nearest training molecule has a Tanimoto similarity (ECFP4) of {least:.3f} or more, "
        "as 95 % of the validation molecules have"
    )
    if not found:
        return f"{said}."
    sides = []
    for side in ("in", "out"):
        ends = [*found[side]["figures"].items()]
        figures = ", ".join(f"{name} {_interval(each)}" for name, each in (ends[:1] + ends[-1:]))
        sides.append(f"{found[side]['molecules']:,} {side}" + (f" ({figures})" if figures else ""))
    return f"{said}; of {part} {' and '.join(sides)}."


def _interval(figure: Mapping[str, float | None]) -> str:
    value = _number(figure["value"])
    return value if value == "undefined" else f"{value} [{_number(figure['low'])}, {_number(figure['high'])}]"


def _number(value: float | None) -> str:
    return "undefined" if value is None or value != value else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "undefined" if value is None or value != value else f"{100 * value:.1f} %"
