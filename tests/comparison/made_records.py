"""Records as a comparison leaves them, made by rule: scores from known effects, costs from sizes, some fits failed."""

import numpy as np

from graphattn.comparison.record import Fit, FitRecord

LAYERS = ("attention", "gcn", "edgeconv", "gin", "gat")
TOPOLOGIES = ("edges", "full", "edges+hub")
SETTINGS = {
    "epochs": 60,
    "patience": 10,
    "batch_size": 64,
    "depth": 3,
    "width": 48,
    "trials": 0,
    "fractions": [0.8, 0.1, 0.1],
}
VERSIONS = {"graphattn": "0.6.0", "torch": "2.13.0", "python": "3.11.9"}
BETTER = {"attention": 0.012, "gcn": -0.01, "edgeconv": 0.008, "gin": 0.0, "gat": 0.004, "mlp": -0.05}
FURTHER = {"edges": 0.0, "full": 0.006, "edges+hub": 0.003, "none": -0.02, "shuffled": -0.03}
SECONDS = {"attention": 1.9, "edge_attention": 2.4, "gcn": 0.8, "edgeconv": 1.6, "gin": 0.9, "gat": 1.3, "mlp": 0.4}


def record(layer, topology, split, score, *, seed=0, role="model", status="ok", settings=SETTINGS, **figures):
    """A record of a fit on a split of 800 and 100 rows."""
    where = {"split_hash": f"{split:012x}", "data_hash": "5eed0fda7a00", "settings": settings}
    fit = Fit(figures.pop("problem", "made up"), layer, topology, split, seed, role, **where)
    sizes = {"train_size": 800, "test_size": 100}
    return FitRecord(fit, status, figures.pop("measure", "ROC-AUC"), score=score, **(sizes | figures))


def of_scores(**scores):
    """A configuration on the given edges for each name, a split for each score."""
    return [
        record(layer, "edges", split, each) for layer, values in scores.items() for split, each in enumerate(values)
    ]


def made(layers=LAYERS, topologies=TOPOLOGIES, splits=10, seeds=1, noise=0.008, better=None, seed=0, problem="bbb"):
    """A whole comparison: configurations, an MLP, baselines and a control; difficult splits are difficult for all."""
    draw = np.random.default_rng(seed)
    ease = draw.normal(0, 0.025, splits)
    configurations = [*((layer, topology) for layer in layers for topology in topologies), ("mlp", "none")]
    found = []
    for layer, topology in configurations:
        expected = 0.9 + {**BETTER, **(better or {})}.get(layer, 0.0) + FURTHER.get(topology, 0.0)
        for split in range(splits):
            for number in range(seeds):
                score, checked = expected + ease[split] + draw.normal(0, noise, 2)
                figures = _figures(layer, topology, draw)
                found.append(
                    record(layer, topology, split, score, seed=number, validation=checked, problem=problem, **figures)
                )
    for name, expected in (("majority", 0.5), ("random forest", 0.912), ("logistic regression", 0.86)):
        spread = 0.0 if name == "majority" else noise
        for split, easy in enumerate(ease):
            score = expected + (easy + draw.normal(0, spread) if spread else 0.0)
            costs = {"graphs_per_second": 5000.0, "versions": VERSIONS, "date": "2026-02-03T10:00:00", "seconds": 2.0}
            found.append(record(name, "", split, score, role="baseline", validation=score, problem=problem, **costs))
    for split in range(splits):
        bound = {"chance": [0.38, 0.62], "versions": VERSIONS, "problem": problem}
        found.append(record("gcn", "edges", split, 0.5 + draw.normal(0, 0.03), role="permuted", **bound))
    return found


def _figures(layer, topology, draw):
    scale = {"full": 1.6, "edges+hub": 1.2}.get(topology, 1.0) * (
        1.0 if layer == "attention" else 0.7 + len(layer) / 20
    )
    learned = {"dirichlet": [0.8, *(0.8 * 0.6 ** (depth * scale) for depth in range(1, 4))], "reach": 1.4 * scale}
    if layer in ("attention", "gat"):
        learned |= {
            "entropy": [0.95, 0.84, 0.71 / scale],
            "distance": [0.9 * scale, 1.1 * scale, 1.3 * scale],
            "true_edges": [0.5, 0.7, 0.82],
        }
    return {
        "parameters": 40_000 + 150 * len(layer),
        "width": 48,
        "hidden": 96,
        "flops": 2.1e6 * scale * SECONDS[layer],
        "seconds_per_epoch": SECONDS[layer] * scale * draw.uniform(0.95, 1.05),
        "graphs_per_second": 9000.0 / SECONDS[layer] / scale,
        "peak_mib": 300.0 * scale,
        "epochs": int(draw.integers(25, 45)),
        "kept": 20,
        "batch_size": 64,
        "learned": learned,
        "versions": VERSIONS,
        "date": "2026-02-03T10:00:00",
        "seconds": 40.0,
    }


def failed(layer, topology, split, reason, **figures):
    """A fit without a score."""
    return record(layer, topology, split, None, status="failed", reason=reason, **figures)


def flat(difference):
    """All its numbers in a row."""
    return [*difference.interval, *difference[1:]]
