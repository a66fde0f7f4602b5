"""bbb, scaffold-balanced 80/10/10: test ROC-AUC of each model on the same splits."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.molecules import report
from benchmarks.molecules.model import OURS, SECONDS, Model, Outcome, Problem
from benchmarks.records import Results, provenance
from graphattn.data.molecules import embedded
from graphattn.data.splits import Split, scaffold_balanced

SCORES = ("roc_auc", "pr_auc", "validation_roc_auc")


def results(folder: Path) -> Results:
    """The rows of this table."""
    return Results(folder / "bbb.csv", ("model", "seed"), (*SCORES, *SECONDS))


def problem() -> Problem:
    """The molecules, and whether they cross the blood-brain barrier (1) or not (0)."""
    frame = embedded.load("bbb").frame
    return Problem(frame["smiles"].tolist(), frame["permeable"].astype(int).to_numpy(np.int64))


def run(models: Mapping[str, Model], seeds: Iterable[int], folder: Path) -> None:
    """Measures each model on each split, but for what `folder` has."""
    rows, molecules = results(folder), problem()
    for seed in seeds:
        split = scaffold_balanced(molecules.smiles, seed=seed)
        for name, model in models.items():
            if not rows.has(model=name, seed=seed):
                outcome = model(molecules, split, seed)
                rows.append({"model": name, "seed": seed} | _row(outcome, molecules, split))
                print(rows.frame()[["model", "seed", *SCORES, *SECONDS]].tail(1).to_string(header=False), flush=True)


def tables(folder: Path) -> str:
    """All tables of what has been measured so far, in Markdown; empty before the first row."""
    frame = results(folder).frame()
    if frame.empty:
        return ""
    parts = [
        "### bbb, scaffold-balanced 80/10/10: mean ± deviation over the splits, seconds per training",
        report.markdown(report.summary(frame, SCORES, SECONDS)),
    ]
    for score in SCORES[:2]:
        differences = report.paired(frame, ["seed"], score, OURS)
        if len(differences):
            parts += [f"Differences of test {score}, paired by split", report.markdown(differences)]
    shares = report.ratios(frame, ["seed"], SECONDS[:2], OURS)
    if len(shares):
        parts += ["Training time, ours as a share of the peer's (same splits)", report.markdown(shares)]
    return "\n\n".join(parts) + "\n"


def _row(outcome: Outcome, molecules: Problem, split: Split) -> dict[str, object]:
    labels, positive = molecules.labels[split.test], outcome.test[:, 1]
    scores: list[float | None] = [roc_auc_score(labels, positive), average_precision_score(labels, positive), None]
    if outcome.validation is not None:
        scores[2] = roc_auc_score(molecules.labels[split.validation], outcome.validation[:, 1])
    return dict(zip(SCORES, scores, strict=True)) | outcome.seconds() | provenance(outcome.versions)
