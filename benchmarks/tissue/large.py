"""Slides of many cells: training on a whole graph, and by tiles with a halo; seconds and the most memory of the process."""

import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch_geometric.data import Data

from graphattn.data import tissue
from graphattn.memory import highest
from graphattn.models import TISSUE_MODELS, TissueInputs

NEIGHBOURS, MEASUREMENTS, CHANNELS = 8, 16, 16


def slide(cells: int, seed: int = 0) -> Data:
    """Cells at random in two compartments, parted by a wave: 16 measurements lean to the compartment, which is asked of each."""
    generator = torch.Generator().manual_seed(seed)
    pos = 10 * cells**0.5 * torch.rand(cells, 2, generator=generator)
    compartment = ((pos[:, 0] / 500).sin() + (pos[:, 1] / 700).cos() > 0).long()
    x = torch.randn(cells, MEASUREMENTS, generator=generator)
    x[:, 0] += compartment
    return Data(x=x, pos=pos, y=compartment)


def whole(name: str, cells: int, steps: int) -> dict[str, Any]:
    """Training steps on one whole slide, a node task."""
    graph, building = _timed(lambda: tissue.knn(slide(cells), NEIGHBOURS))
    model = _model(name, graph)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses, training = _timed(lambda: [_step(model, optimizer, graph) for _ in range(steps)])
    return {"model": name, "cells": cells, "build_s": building, "step_s": training / steps, "loss": losses} | _peak()


def tiled(name: str, cells: int, tile: int) -> dict[str, Any]:
    """One training epoch of a node task on one slide, a step for each tile, with a halo of as many hops as layers."""
    graph, building = _timed(lambda: tissue.knn(slide(cells), NEIGHBOURS))
    model = _model(name, graph)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)

    def epoch() -> tuple[list[float], int, int]:
        losses, own, seen = list[float](), 0, 0
        for part in tissue.tiles(graph, tile, hops=2):
            losses.append(_step(model, optimizer, part))
            own, seen = own + int(part.own.sum()), seen + len(part.own)
        return losses, own, seen

    (losses, own, seen), training = _timed(epoch)
    return {
        "model": name,
        "cells": cells,
        "tile": tile,
        "build_s": building,
        "epoch_s": training,
        "tiles": len(losses),
        "own": own,
        "with_halo": seen,
        "loss": [losses[0], losses[-1]],
    } | _peak()


def _model(name: str, graph: Data) -> nn.Module:
    torch.manual_seed(0)
    return TISSUE_MODELS[name](TissueInputs.of([graph]), 2, "node", CHANNELS)


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, graph: Data) -> float:
    optimizer.zero_grad()
    loss: Tensor = cross_entropy(model(graph), graph.y)
    loss.backward()
    optimizer.step()
    return round(float(loss.detach()), 4)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), round(time.perf_counter() - start, 2)


def _peak() -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"peak_mib": round(highest() or 0.0), "cpu_s": round(used.ru_utime + used.ru_stime, 1)}
