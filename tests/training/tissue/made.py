"""Slides of two types of cells, and commands on them."""

import numpy as np
import torch
from torch_geometric.data import Data
from typer.testing import CliRunner

from graphattn.cli import app


def run(*words):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["tissue", *map(str, words)])


def slides(patients=12, images=2, seed=0):
    draw = np.random.default_rng(seed)
    for patient in range(patients):
        for image in range(images):
            count = int(draw.integers(12, 20))
            kinds = (draw.random(count) < (0.8 if patient % 2 else 0.2)).astype(int)
            yield Data(
                pos=torch.from_numpy(draw.random((count, 2)) * 100).float(),
                origin=torch.zeros(2).double(),
                x=torch.from_numpy(30 + 5 * kinds + draw.normal(size=count)).float()[:, None],
                feature_names=["area"],
                cell_type=torch.from_numpy(kinds),
                cell_type_names=["stroma", "tumor"],
                node_id=[str(k) for k in range(count)],
                unit="um",
                mpp=0.5,
                image=f"P{patient:02}_{image}.tif",
            )
